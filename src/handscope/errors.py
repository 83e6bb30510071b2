"""Errors meant for people: one clear sentence that says what was found, what was expected and what to do."""


class HandscopeError(Exception):
    """Something the user can mend; the command line prints it and exits with 2, without a traceback."""


class AssetError(HandscopeError):
    """A hand model, weight file or dataset file is missing, damaged or not what it says it is."""


class ImageError(HandscopeError):
    """A picture cannot be read or is not a picture."""


def missing_extra(what: str, package: str | None, extra: str) -> str:
    """The sentence for a package that is not installed: `what` needs `package`, which the extra brings."""
    return f"{what} needs {package}, which is not installed: in a checkout of handscope, pip install '.[{extra}]'"


class VideoError(HandscopeError):
    """A video cannot be read or written, or is not a video."""
