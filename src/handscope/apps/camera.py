"""`handscope camera`: look through a camera or a stream until Ctrl-C; a preview, files, messages to other programs."""

from __future__ import annotations

import argparse
import re
import sys
import webbrowser
from collections.abc import Sequence

import numpy as np
from rich.console import Console

from handscope.apps.access import add_allow_host
from handscope.apps.analyse import camera_of, model_of
from handscope.apps.options import add_camera, add_looking, positive
from handscope.apps.preview import Preview
from handscope.apps.recording import Recording
from handscope.apps.sending import Sender, open_sender
from handscope.apps.video import interruptible, report, run
from handscope.errors import HandscopeError
from handscope.infer.cameras import CameraLike
from handscope.infer.outputs import video_formats
from handscope.infer.pipeline import Pipeline
from handscope.infer.tracking import TrackingConfig
from handscope.infer.video import CameraReader, VideoFrame
from handscope.paths import as_path

CLOCK_RATE = 30.0
"""What an overlay of a camera says its mean frame rate is; the frames' own times count."""


def parser() -> argparse.ArgumentParser:
    """Which camera, where to, how to look."""
    out = argparse.ArgumentParser(
        prog="handscope camera",
        description="Hands before a camera: a preview on this machine's own address, files and messages if asked for.",
        epilog="Ctrl-C ends it; the files are complete then.",
    )
    add = out.add_argument
    add(
        "--device",
        default="0",
        metavar="CAMERA",
        help="its number, its file (/dev/video2), or an address: http://, rtsp:// (default: 0)",
    )
    add("--size", type=_size, metavar="WxH", help="ask the camera for pictures of this size")
    add("--rate", type=positive(float), metavar="N", help="and for so many a second")
    add("--out", metavar="DIR", help="write overlay.mp4, hands.jsonl and hands.parquet into DIR")
    add(
        "--send",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="messages of every frame: ws://HOST:PORT answers WebSockets there, osc://HOST:PORT sends OSC there; "
        "repeat for more (extra [live])",
    )
    add("--port", type=int, default=8765, metavar="N", help="of the preview on 127.0.0.1; 0 for none (default: 8765)")
    add_allow_host(out)
    add("--open", action="store_true", help="open the preview in the browser")
    add("--seconds", type=float, metavar="S", help="end by itself after S seconds")
    add("--no-smoothing", action="store_true", help="every frame's own answer")
    add_camera(out.add_argument_group("what you know of the camera"))
    add_looking(out.add_argument_group("how to look"), device_is_taken=True)
    return out


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{1,4})[xX]([1-9][0-9]{1,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected WxH, such as 1280x720, found {text!r}")
    return int(found[1]), int(found[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Look through the camera that the command line names."""
    options = parser().parse_args(arguments)
    device = int(options.device) if options.device.isdecimal() else options.device
    K = camera_of(options)
    camera = CameraReader(device, size=options.size, rate=options.rate)
    model = model_of(options)
    return watch(camera, model, options, K)


def watch(camera: CameraReader, model: Pipeline, options: argparse.Namespace, K: CameraLike = None) -> int:
    """Track through `camera` as `options` of `parser` say."""
    if options.out is None and options.port == 0 and not options.send:
        raise HandscopeError("nothing to do: give --out DIR for files, a --port for the preview, or --send ADDRESS")
    config = TrackingConfig(smoothing=None) if options.no_smoothing else None
    folder = None if options.out is None else as_path(options.out)
    preview: Preview | None = None
    senders: list[Sender] = []
    latencies: list[float] = []

    def told(frame: VideoFrame) -> None:
        latencies.append(1e3 * max(camera.now() - frame.time, 0.0))
        for sender in senders:
            sender.send(frame, latencies[-1])

    try:
        senders += [open_sender(address, options.allow_host) for address in options.send]
        for sender in senders:
            print(f"sending: {sender.address}", file=sys.stderr)
        if options.port:
            preview = Preview(options.port, options.allow_host)
            print(f"preview: {preview.address} (this machine only); Ctrl-C ends", file=sys.stderr)
            if options.open:
                webbrowser.open(preview.address)
        files = None if folder is None else Recording(folder, video_formats(), rate=CLOCK_RATE)
        with interruptible() as interrupt:
            frames = model.video(camera, K=K, config=config)
            seen = run(frames, files, interrupt, on_frame=told, preview=preview, seconds=options.seconds)
    finally:
        camera.close()
        for one in (preview, *senders):
            if one is not None:
                one.close()
    report(Console(), seen, folder)
    if latencies:
        middle, late = np.percentile(latencies, [50, 95])
        again = f", the stream was opened again {camera.reopened} times" if camera.reopened else ""
        print(f"from picture to answer {middle:.0f} ms (median), {late:.0f} ms (of 95 in 100){again}")
    return 0
