"""The files of one video in the making: they come together when it ends, and take the place of an earlier run's.

Until then they lie in a folder beside their place. A run that is killed leaves the results of the one before as they
were, and what it had written to the next one, which removes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.files import NewFiles, writable_folder
from handscope.infer.frames import Lost
from handscope.infer.outputs import Format, is_recorded
from handscope.infer.video import VideoFrame
from handscope.infer.video_files import FrameWriter, OverlayWriter


class Recording:
    """Writers of `formats` for one video of `rate` frames a second; if one cannot be opened nothing is left behind."""

    def __init__(self, folder: Path, formats: Sequence[Format], *, rate: float) -> None:
        self._files = NewFiles(writable_folder(folder), is_recorded)
        self._writers: list[FrameWriter] = []
        try:
            for row in formats:
                if row.record is not None:
                    self._writers.append(row.record(self._files.path, rate))
        except BaseException:
            _close(self._writers)
            self._files.discard()
            raise
        self.is_painted = any(isinstance(writer, OverlayWriter) for writer in self._writers)
        """Whether frames are wanted with the hands drawn in."""

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Take one frame; `painted` is its picture with the hands drawn in, if that is wanted."""
        for writer in self._writers:
            writer.write(frame, painted)

    def skip(self, lost: Lost) -> None:
        """Take note of a frame that could not be read."""
        for writer in self._writers:
            writer.skip(lost)

    def discard(self) -> None:
        """Drop what was written."""
        _close(self._writers)
        self._files.discard()

    def close(self) -> None:
        """Finish every file, whatever happens to the others, and put in place what is whole; what went wrong first is
        raised.
        """
        problem = _close(self._writers)
        self._files.finish()
        if problem is not None:
            raise problem


def _close(writers: Sequence[FrameWriter]) -> Exception | None:
    """Close every writer; what went wrong first, if anything: the disk's own error where there is one."""
    first = None
    for writer in writers:
        try:
            writer.close()
        except (OSError, HandscopeError) as error:
            first = first or (error.__cause__ if isinstance(error.__cause__, OSError) else error)
    return first
