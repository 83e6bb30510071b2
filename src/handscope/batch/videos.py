"""Frames of videos one by one: which there are, by a file's packets, and any of them, from the key frame before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from handscope.batch.addresses import file_system, is_remote, local_path
from handscope.errors import HandscopeError, ImageError, VideoError
from handscope.infer.decoding import Picture
from handscope.infer.frames import films, open_container, require_av, upright
from handscope.paths import reason

FAR_S = 10.0
"""A frame further on than this is sought, nearer ones are decoded up to."""
NEAR_S = 5e-6
"""Times are kept to the microsecond."""
_BROKEN = 1000
"""So many packets without a picture end a video."""


@contextmanager
def _opened(address: str) -> Iterator[tuple[Any, Any]]:
    """The container and the stream of its film. OSError if the file cannot be had, VideoError if it is no video."""
    av, held = require_av(), None
    if is_remote(address):
        system, place = file_system(address)
        held = system.open(place, "rb")
    else:
        path = local_path(address)
        path.stat()  # a file that is not there is no damaged one
    try:
        container = av.open(held) if held is not None else open_container(path)
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"{address}: not a video that can be read ({reason(error)})") from error
    try:
        found = films(container)
        if not found:
            raise VideoError(f"{address}: no moving pictures in this file, only sound or other data")
        found[0].codec_context.thread_count = 1
        yield container, found[0]
    finally:
        container.close()
        if held is not None:
            held.close()


def _begin(container: Any) -> float:
    """What is taken from a frame's time to have a player's, for whom the earliest stream begins at 0."""
    return (container.start_time or 0) / 1e6


def frame_times(address: str) -> list[float]:
    """Seconds, by a player's clock, of every frame in the order in which they are shown."""
    with _opened(address) as (container, stream):
        shown = []
        packets = container.demux(stream)
        with suppress(StopIteration):
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    raise
                except Exception:  # of a damaged file PyAV may raise anything
                    break
                if packet.pts is not None and packet.size:
                    shown.append(packet.pts)
        if not shown:
            raise VideoError(f"{address}: no frame of this video could be found; copy or export it again")
        before = _begin(container)
        return [round(float(pts * stream.time_base) - before, 6) for pts in sorted(set(shown))]


class VideoFrames:
    """Frames of any videos, cheapest in their order: the last video stays open."""

    def __init__(self) -> None:
        self._open: tuple[str, Any] | None = None
        self._film: _Film | None = None

    def picture(self, address: str, number: int, time: float) -> Picture:
        """The frame of that number and time. OSError if the file cannot be had, HandscopeError if the frame cannot."""
        if self._film is None or self._open is None or self._open[0] != address:
            self.close()
            context = _opened(address)
            self._film = _Film(*context.__enter__())
            self._open = address, context
        try:
            picture = self._film.at(time)
        except OSError:
            self.close()
            raise
        except Exception as error:  # of a damaged file PyAV may raise anything
            self.close()
            raise ImageError(f"{address}#{number}: this frame cannot be decoded ({reason(error)})") from error
        if picture is None:
            raise ImageError(f"{address}#{number}: this frame cannot be decoded; copy or export the video again")
        return picture

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            with suppress(HandscopeError, OSError):
                self._open[1].__exit__(None, None, None)
        self._open = self._film = None


class _Film:
    """A video that is open, and where in it we are."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream, self._before = container, stream, _begin(container)
        self._frames: Iterator[Any] = iter(())
        self._next: Any = None
        self._seek(None)

    def at(self, time: float) -> Picture | None:
        """The frame of that time; None if there is no sound one."""
        wanted = time + self._before
        if self._ahead(wanted) > NEAR_S or self._ahead(wanted) < -FAR_S:
            self._seek(wanted)
            if self._ahead(wanted) > NEAR_S:  # an index that is wrong
                self._seek(None)
        while self._next is not None and self._ahead(wanted) < -NEAR_S:
            self._step()
        if self._next is None or self._ahead(wanted) > NEAR_S or self._next.is_corrupt:
            return None
        return upright(self._next)

    def _ahead(self, wanted: float) -> float:
        """Seconds that the next frame is behind the wanted one; for ever at the end."""
        return float("inf") if self._next is None else float(self._next.pts * self._stream.time_base) - wanted

    def _seek(self, time: float | None) -> None:
        """To the key frame before, or to the beginning."""
        place = (self._stream.start_time or 0) if time is None else round(time / self._stream.time_base)
        self._container.seek(place, stream=self._stream, backward=True, any_frame=False)
        self._frames = self._decoded()
        self._step()

    def _step(self) -> None:
        self._next = next(self._frames, None)

    def _decoded(self) -> Iterator[Any]:
        """Frames with a time, from where the file is; a file that ends in the middle just ends."""
        packets, broken = self._container.demux(self._stream), 0
        while broken < _BROKEN:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except Exception:
                return
            try:
                frames = packet.decode()
            except Exception:
                broken += 1
                continue
            yield from (frame for frame in frames if frame.pts is not None)
