"""MediaPipe Hands beside handscope, over the same pictures, in an environment of its own.

    with MediaPipe(find_python(None)) as peer:
        hands = peer(image)

MediaPipe 0.10.21 wants numpy < 2, which handscope does not, so it lives in another process (mediapipe_server.py).
It has no mask and no mesh: those fields of its hands are empty.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.boxes import tight_box
from handscope.geometry.camera import default_intrinsics
from handscope.geometry.masks import CroppedMask
from handscope.types import Hand, Handedness

VERSION = "0.10.21"
REQUIREMENT = f"mediapipe=={VERSION}"
ENVIRONMENT_VARIABLE = "HANDSCOPE_MEDIAPIPE_PYTHON"
SERVER = Path(__file__).with_name("mediapipe_server.py")


class MediaPipe:
    """Call it with a picture for its hands, as handscope's own pipeline; a context manager that ends the process."""

    def __init__(self, python: Path, server: Path | None = None, options: Sequence[str] = ()) -> None:
        """Start `server` (by default `SERVER`) with the interpreter `python`, which sees its own packages only;
        `options` are those of mediapipe_server.py.
        """
        try:
            self.process = subprocess.Popen(
                [str(python), "-I", str(server or SERVER), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise HandscopeError(
                f"{python}: cannot be started ({error.strerror}); --peer-python takes the Python of an environment "
                f"with {REQUIREMENT}"
            ) from error
        self.python = python
        try:
            self.version = str(self._read()["mediapipe"])
        except HandscopeError:
            self.close()
            raise

    def __call__(self, image: NDArray[np.uint8]) -> list[Hand]:
        """Hands in `image` RGB uint8 (H, W, 3)."""
        self._write(struct.pack("<II", *image.shape[:2]) + np.ascontiguousarray(image).tobytes())
        return [to_hand(answer, image.shape[0], image.shape[1]) for answer in self._read()]

    def begin_video(self) -> None:
        """What comes now is another video (with the option --video)."""
        self._write(struct.pack("<II", 0, 0))

    def _write(self, content: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # the missing answer says so
            self.process.stdin.write(content)
            self.process.stdin.flush()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise HandscopeError(
                f"{self.python}: MediaPipe's process ended without an answer; that environment needs {REQUIREMENT} "
                f"(`{self.python} -m pip install {REQUIREMENT}`)"
            )
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> MediaPipe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Answer(TypedDict):
    """What MediaPipe says of one hand: joints (21, 2) px and (21, 3) m, side, score."""

    joints_2d: list[list[float]]
    joints_3d: list[list[float]]
    handedness: Handedness
    score: float


def to_hand(answer: Answer, height: int, width: int) -> Hand:
    """MediaPipe's answer as a `Hand`; what it does not say is empty."""
    joints = np.array(answer["joints_2d"], np.float64)
    nothing = np.zeros(0)
    return Hand(
        handedness=answer["handedness"],
        score=answer["score"],
        box=tight_box(joints),
        joints_2d=joints,
        joint_scores=np.full(21, answer["score"]),
        cropped_mask=CroppedMask.of(np.zeros((height, width), bool)),
        joints_3d=np.array(answer["joints_3d"], np.float64),
        vertices=np.zeros((0, 3)),
        faces=np.zeros((0, 3), int),
        theta=nothing,
        beta=nothing,
        R=np.eye(3),
        T=nothing,
        K=default_intrinsics(width, height),
    )


def find_python(given: Path | None) -> Path:
    """The interpreter of MediaPipe's environment: `given`, $HANDSCOPE_MEDIAPIPE_PYTHON, or one made on first use."""
    if given is None and os.environ.get(ENVIRONMENT_VARIABLE):
        given = Path(os.environ[ENVIRONMENT_VARIABLE])
    if given is None:
        return own_environment()
    if not given.is_file():
        raise HandscopeError(f"{given}: no such Python; give the one of an environment with {REQUIREMENT}")
    return given


def own_environment() -> Path:
    """The interpreter of an environment with MediaPipe in the user's cache folder, made if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "handscope" / f"mediapipe-{VERSION}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if complete.is_file() and python.is_file():
        return python
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT)
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise HandscopeError(
            f"{folder}: no environment with {REQUIREMENT} could be made ({said[-1] if said else 'no reason given'}); "
            f"make one with Python 3.9 to 3.12 and name its Python by --peer-python or ${ENVIRONMENT_VARIABLE}"
        ) from error
    complete.touch()
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
