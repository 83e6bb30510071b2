"""`handscope robot SOURCE --robot NAME`: a robot hand's joint angles from a video or a camera, row by row."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from handscope.apps.analyse import camera_of, model_of
from handscope.apps.options import add_camera, add_looking
from handscope.apps.video import interruptible
from handscope.files import NewFile
from handscope.geometry.rotations import matrix_to_quaternion
from handscope.infer.live import is_live
from handscope.infer.retargeting import WRIST_AXES, Retargeter, wrist_pose
from handscope.infer.video import CameraReader, VideoFrame
from handscope.types import Hand

POSE = ("wrist_x_m", "wrist_y_m", "wrist_z_m", "wrist_qw", "wrist_qx", "wrist_qy", "wrist_qz")


def parser() -> argparse.ArgumentParser:
    """Whose hand, which robot, where to."""
    out = argparse.ArgumentParser(
        prog="handscope robot",
        description="Joint angles of a robot hand that does what the hand in SOURCE does, by dex-retargeting (extra "
        "[robots]): a row a frame, with the wrist's pose in the camera frame.",
        epilog=f"The wrist's quaternion turns its own axes into the camera's: {WRIST_AXES}.",
    )
    add = out.add_argument
    add("source", metavar="SOURCE", help="a video, a camera's number or file, or an address")
    add("--robot", required=True, metavar="NAME", help="one of dex-retargeting's, as allegro_hand_right, or a YAML")
    add("--urdf-dir", metavar="DIR", help="the folder of the URDF files (dex-urdf's robots/hands)")
    add("--out", required=True, metavar="CSV", help="the table; - for standard output, as frames come")
    add("--seconds", type=float, metavar="S", help="end after S seconds")
    add_camera(out.add_argument_group("what you know of the camera"))
    add_looking(out.add_argument_group("how to look"))
    return out


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit code."""
    options = parser().parse_args(arguments)
    robot = Retargeter(options.robot, options.urdf_dir)
    model = model_of(options)
    source = int(options.source) if options.source.isdecimal() else options.source
    opened = CameraReader(source) if is_live(source) else source
    counts = Counts()
    try:
        with interruptible() as interrupt:
            frames = model.video(opened, K=camera_of(options))
            rows = robot_rows(_until(frames, options.seconds, lambda: interrupt.asked), robot, counts)
            head = ["frame", "time", "seen", *robot.names, *POSE]
            if options.out == "-":
                lines = csv.writer(sys.stdout, lineterminator="\n")
                lines.writerow(head)
                for row in rows:
                    lines.writerow(row)
                    sys.stdout.flush()
            else:
                with NewFile(Path(options.out)) as path, path.open("w", encoding="utf-8", newline="") as file:
                    lines = csv.writer(file, lineterminator="\n")
                    lines.writerow(head)
                    lines.writerows(rows)
    finally:
        if isinstance(opened, CameraReader):
            opened.close()
    print(counts.told(robot), file=sys.stderr)
    return 1 if counts.seen == 0 else 0


class Counts:
    """What went by: frames, those with a hand of the robot's side, with one of the other alone, and time spent."""

    def __init__(self) -> None:
        self.frames = self.seen = self.other = 0
        self.seconds = 0.0

    def told(self, robot: Retargeter) -> str:
        """In a sentence."""
        side = f"a {robot.side} hand" if robot.side else "a hand"
        text = f"{self.frames} frames, {self.seen} with {side}"
        if self.other:
            text += f", {self.other} with a hand of the other side alone, which this robot cannot follow"
        each = 1e3 * self.seconds / max(self.seen, 1)
        return text + (f"; retargeting took {each:.1f} ms each" if self.seen else "")


def robot_rows(frames: Iterator[VideoFrame], robot: Retargeter, counts: Counts) -> Iterator[list[str]]:
    """A row a frame from the first one with a hand on; where it is not seen the robot stays as it was."""
    last: list[str] | None = None
    for frame in frames:
        counts.frames += 1
        hand = followed(frame.hands, robot.side)
        if hand is None:
            counts.other += bool(frame.hands)
        else:
            begun = time.perf_counter()
            angles = robot(hand)
            counts.seconds += time.perf_counter() - begun
            counts.seen += 1
            pose = wrist_pose(hand)
            numbers = [*angles, *pose.place, *matrix_to_quaternion(pose.axes)]
            last = [f"{number:.5f}" for number in numbers]
        if last is not None:
            yield [str(frame.index), f"{frame.time:.6f}", str(int(hand is not None)), *last]


def followed(hands: Sequence[Hand], side: str | None) -> Hand | None:
    """The surest hand of the robot's side."""
    own = [hand for hand in hands if side is None or hand.handedness == side]
    return max(own, key=lambda hand: hand.score, default=None)


def _until(frames: Iterator[VideoFrame], seconds: float | None, stopped) -> Iterator[VideoFrame]:
    for frame in frames:
        yield frame
        if stopped() or (seconds is not None and frame.time >= seconds):
            return
