"""A process that decodes pictures: `python -m handscope.infer.decoding_worker LIMITS`, run by `decoding_pool`.

It holds itself to the limits, so that a picture costs at most its own process. Requests come on standard input, answers
go to standard output, each as a frame: two lengths, a JSON object, bytes. What comes back is numbers and text, never
code: a decoder that a picture has taken over can tell its parent a wrong picture and no more. It imports neither torch
nor ONNX Runtime.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import cv2
from PIL import Image

from handscope.errors import ImageError, printable
from handscope.infer.decoding import decode_picture, inspect_picture
from handscope.infer.images import read_file
from handscope.infer.limits import DecodingLimits

LENGTHS = struct.Struct("<IQ")
"""Bytes of a frame's JSON and of what follows it."""


def write_frame(file: IO[bytes], about: dict[str, Any], content: bytes | memoryview = b"") -> None:
    """A frame of `about` and `content`."""
    text = json.dumps(about).encode("ascii")
    data = memoryview(content).cast("B")
    for part in (memoryview(LENGTHS.pack(len(text), len(data)) + text), data):
        while part:
            part = part[file.write(part) :]  # a file without a buffer may take less than all
    file.flush()


def read_exactly(file: IO[bytes], content: bytearray | memoryview) -> None:
    """Fill `content`; EOFError if the file ends before."""
    view = memoryview(content).cast("B")
    while view:
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]


def main() -> None:
    """Serve requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # what libraries print must not stand among the answers
        os.dup2(nowhere, stream)
    limits = DecodingLimits(**json.loads(sys.argv[1]))
    cv2.setNumThreads(1)
    Image.init()
    write_frame(answers, {"unlimited": _limit_process(limits)})
    with suppress(EOFError, BrokenPipeError):
        while True:
            lengths = bytearray(LENGTHS.size)
            read_exactly(requests, lengths)
            text, data = map(bytearray, LENGTHS.unpack(lengths))
            read_exactly(requests, text)
            read_exactly(requests, data)
            _limit_seconds(limits.seconds)
            about, image = _answer(json.loads(text), bytes(data), limits)
            del data
            write_frame(answers, about, image)
            del image


def _answer(request: dict[str, Any], data: bytes, limits: DecodingLimits) -> tuple[dict[str, Any], bytes | memoryview]:
    """What is told of a picture, and its pixels."""
    name, place, most = request["name"], data, request["most_pixels"]
    try:
        if request["of"] == "path":
            data = read_file(Path(os.fsdecode(place)), limits)
        if request["task"] == "inspect":
            return asdict(inspect_picture(data, name, limits=limits)), b""
        if most is not None and inspect_picture(data, name, limits=limits).pixels > most:
            return {"larger": True}, b""
        picture = decode_picture(data, name, limits=limits)
    except ImageError as error:
        message = str(error)
        if request["of"] == "path":  # as the caller named it
            message = message.replace(printable(os.fsdecode(place)), printable(name), 1)
        return {"error": type(error).__name__, "message": message}, b""
    except MemoryError:
        return {"error": "MemoryError", "message": ""}, b""
    about = {"shape": picture.image.shape, "notes": picture.notes}
    return {**about, "orientation": picture.orientation, "focal": picture.focal}, picture.image.data


def _limit_process(limits: DecodingLimits) -> list[str]:
    """Hold this process to its memory, let it write no files; what this system cannot limit, by name."""
    if sys.platform == "win32":
        return ["memory", "seconds"]
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        bound = pages * resource.getpagesize() + limits.memory
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    except (OSError, ValueError):  # macOS has no /proc, and does not heed the limit
        return ["memory"]
    return []


def _limit_seconds(seconds: float) -> None:
    """So much CPU from now on, in whole seconds; then the system ends this process."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, hard))


if __name__ == "__main__":
    main()
