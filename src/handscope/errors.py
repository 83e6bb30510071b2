"""Errors meant for people: one clear sentence that says what was found, what was expected and what to do."""


def printable(text: str) -> str:
    r"""`text` as one line of a terminal: names of files may hold what ends the line, moves the cursor or renames the
    window; such letters are written as \n, \x1b and the like.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class HandscopeError(Exception):
    """Something the user can mend; the command line prints it and exits with 2, without a traceback. Each argument is a
    sentence, and a line.
    """

    def __str__(self) -> str:
        return "\n".join(printable(str(sentence)) for sentence in self.args)


class AssetError(HandscopeError):
    """A hand model, weight file or dataset file is missing, damaged or not what it says it is."""


class ImageError(HandscopeError):
    """A picture cannot be read or is not a picture."""


def missing_extra(what: str, package: str | None, extra: str) -> str:
    """The sentence for a package that is not installed: `what` needs `package`, which the extra brings."""
    return f"{what} needs {package}, which is not installed: in a checkout of handscope, pip install '.[{extra}]'"


class VideoError(HandscopeError):
    """A video cannot be read or written, or is not a video."""


def shown(given: object) -> str:
    """What somebody gave, in one line that is short enough for a sentence."""
    if isinstance(given, int) and abs(given) > 10**20:
        return "a number of too many digits"
    text = " ".join(repr(given).split())
    return text if len(text) <= 80 else f"{text[:80]}..."
