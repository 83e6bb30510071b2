"""How much the metres of a hand change when a picture is turned, mirrored, scaled or cropped together with its camera.

With the network's answer held fixed they do not change (tests/infer/test_cameras.py); here the network looks anew.

    python benchmarks/camera_changes.py samples/rendered
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

import handscope
from handscope.geometry.camera import intrinsics_of_focal
from handscope.infer.images import find_pictures, read_picture

Image = NDArray[np.uint8]
TURN = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
"""The axes of a picture turned counter-clockwise, by those of the picture."""


def turned(image: Image, camera: handscope.Camera):
    return np.ascontiguousarray(np.rot90(image)), camera.turned(), TURN


def mirrored(image: Image, camera: handscope.Camera):
    return np.ascontiguousarray(image[:, ::-1]), camera.mirrored(), np.diag([-1.0, 1, 1])


def halved(image: Image, camera: handscope.Camera):
    size = image.shape[1] // 2, image.shape[0] // 2
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), camera.resized(*size), np.eye(3)


def squeezed(image: Image, camera: handscope.Camera):
    size = image.shape[1] * 3 // 4, image.shape[0]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), camera.resized(*size), np.eye(3)


def cropped(image: Image, camera: handscope.Camera):
    x, y = image.shape[1] // 10, image.shape[0] // 10
    return image[y:, x:].copy(), camera.cropped(x, y, image.shape[1] - x, image.shape[0] - y), np.eye(3)


CHANGES: dict[str, Callable] = {
    "turned a quarter": turned,
    "mirrored": mirrored,
    "half the size": halved,
    "squeezed to 3/4 of its width": squeezed,
    "without a tenth at the left and the top": cropped,
}


def moved(model: handscope.Pipeline, image: Image, change: Callable) -> Iterator[tuple[float, float]]:
    """Of every hand found again: mean change (mm) of the joints about the wrist, and of the wrist's distance (%)."""
    height, width = image.shape[:2]
    camera = handscope.Camera(intrinsics_of_focal(1.2 * max(width, height), width, height), (width, height))
    other, other_camera, axes = change(image, camera)
    again = model(other, K=other_camera)
    for hand in model(image, K=camera):
        joints = hand.joints_3d @ axes.T
        nearest = min(again, key=lambda h: np.linalg.norm(h.joints_3d - joints), default=None)
        if nearest is None or np.linalg.norm(nearest.joints_3d[0] - joints[0]) > 0.15:
            continue
        about = [points - points[0] for points in (nearest.joints_3d, joints)]
        away = np.linalg.norm(nearest.joints_3d[0]) / np.linalg.norm(joints[0]) - 1
        yield 1e3 * float(np.linalg.norm(about[0] - about[1], axis=1).mean()), 100 * abs(float(away))


def main() -> None:
    parser = argparse.ArgumentParser(description="Metres before and after a picture and its camera are changed.")
    parser.add_argument("folder")
    model = handscope.load()
    images = [read_picture(path).image for path in find_pictures(parser.parse_args().folder)]
    print("| picture and camera | hands | joints about the wrist, mm (median) | distance of the wrist, % (median) |")
    print("|---|---|---|---|")
    for name, change in CHANGES.items():
        rows = np.array([row for image in images for row in moved(model, image, change)])
        print(f"| {name} | {len(rows)} | {np.median(rows[:, 0]):.1f} | {np.median(rows[:, 1]):.1f} |")


if __name__ == "__main__":
    main()
