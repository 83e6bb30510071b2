"""Stand-in networks that find a toy hand exactly, so that the path around the real ones can be tested.

A toy hand is three soft blobs on black: red at the wrist, green at the middle knuckle, blue at the thumb.
Its 21 joints are fixed affine combinations of the three; it is a right hand if (green - red) x (blue - red)
< 0 in the picture, a left one otherwise. The stand-in estimator takes the centroids of the three colours,
so its answers follow the crop wherever it is cut, turned or mirrored; the stand-in detector does the same
for the whole picture, answers twice, and sees no palms. The stand-in aligner sees what the estimator sees.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from handscope.hand.assets import load_asset

CROP, SMALL_CROP = 128, 96
FOCAL, DISTANCE = 256.0, 0.5


def joint_weights() -> NDArray[np.float32]:
    """Affine weights (21, 3) of the wrist, knuckle and thumb blob for every joint."""
    fingers, steps = np.mgrid[0:5, 0:4].reshape(2, -1)
    along = 0.5 + 0.3 * steps - 0.2 * (fingers == 0)
    across = 0.5 - 0.25 * fingers + 0.0 * steps
    weights = np.stack([1 - along - across, along, across], 1)
    weights[8] = (0, 1, 0)  # joint 9, the middle knuckle
    return np.vstack([[1, 0, 0], weights]).astype(np.float32)


def toy_joints(wrist: NDArray, knuckle: NDArray, thumb: NDArray) -> NDArray[np.floating]:
    """Joints (21, 2) px of the toy hand with these three blobs (2,) px."""
    return joint_weights() @ np.stack([wrist, knuckle, thumb])


def blobs(centre, length: float, angle: float, handedness: str) -> tuple[NDArray, NDArray, NDArray]:
    """Wrist, knuckle and thumb px of a toy hand whose wrist to knuckle turns by `angle` clockwise from up."""
    up = np.array([np.sin(angle), -np.cos(angle)])
    side = np.array([-up[1], up[0]]) * (-1 if handedness == "right" else 1)
    wrist = np.asarray(centre, float) - up * length / 2
    return wrist, wrist + up * length, wrist + up * length * 0.6 + side * length * 0.5


def paint(width: int, height: int, hands) -> NDArray[np.uint8]:
    """A black picture with toy hands given as (wrist, knuckle, thumb)."""
    y, x = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3))
    for points in hands:
        sigma = 0.07 * np.linalg.norm(points[1] - points[0])
        for channel, (px, py) in enumerate(points):
            image[..., channel] += 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
    return image.clip(0, 255).astype(np.uint8)


class _Graph:
    """Collects ONNX nodes; every method returns the name of what it computes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes) -> str:
        name = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def centroids(self, picture: str) -> tuple[str, str]:
        """Centres (n, 3, 2) px and masses (n, 3) of the three colours of uint8 (n, h, w, 3)."""
        levels = self.op("Cast", picture, to=TensorProto.FLOAT)
        bright = self.op("Mul", levels, levels)
        mass = self.op("ReduceSum", bright, self.constant(np.array([1, 2])), keepdims=0)
        safe = self.op("Max", mass, self.constant(np.float32(1.0)))
        places = []
        for axis, other in ((2, 1), (1, 2)):  # x, then y
            length = self.op("Squeeze", self.op("Shape", picture, start=axis, end=axis + 1))
            steps = self.op("Range", self.constant(np.int64(0)), length, self.constant(np.int64(1)))
            along = self.op("Unsqueeze", self.op("Cast", steps, to=TensorProto.FLOAT), self.constant(np.array([1])))
            line = self.op("ReduceSum", bright, self.constant(np.array([other])), keepdims=0)
            moment = self.op("ReduceSum", self.op("Mul", line, along), self.constant(np.array([1])), keepdims=0)
            places.append(self.op("Unsqueeze", self.op("Div", moment, safe), self.constant(np.array([2]))))
        return self.op("Concat", *places, axis=2), mass

    def point(self, centres: str, index: int, axis: int) -> str:
        """One coordinate (n,) of the centroids."""
        row = self.op("Gather", centres, self.constant(np.int64(index)), axis=1)
        return self.op("Gather", row, self.constant(np.int64(axis)), axis=1)

    def rightness(self, centres: str) -> str:
        """Probability (n,) that the three points show a right hand."""
        (rx, ry), (gx, gy), (bx, by) = [[self.point(centres, i, a) for a in (0, 1)] for i in range(3)]
        one = self.op("Mul", self.op("Sub", gx, rx), self.op("Sub", by, ry))
        two = self.op("Mul", self.op("Sub", gy, ry), self.op("Sub", bx, rx))
        return self.op("Sigmoid", self.op("Mul", self.op("Sub", two, one), self.constant(np.float32(0.02))))

    def presence(self, crop: str) -> None:
        """The output of that name (n,): whatever is not black is a hand."""
        levels = self.op("Cast", crop, to=TensorProto.FLOAT)
        brightest = self.op("ReduceMax", levels, self.constant(np.array([1, 2, 3])), keepdims=0)
        scaled = self.op("Mul", brightest, self.constant(np.float32(0.1)))
        self.op("Min", scaled, self.constant(np.float32(1.0)), out="presence")

    def raised(self, value: str) -> str:
        """`value` with a new second axis of length 1."""
        return self.op("Unsqueeze", value, self.constant(np.array([1])))

    def repeated(self, value, count: str, out: str | None = None) -> str:
        """A constant `value` repeated along a new first axis."""
        value = np.asarray(value, np.float32)
        shape = self.op("Concat", count, self.constant(np.array(value.shape, np.int64)), axis=0)
        return self.op("Expand", self.constant(value[None]), shape, out=out)

    def save(self, path: Path, source: str, size: int | str, outputs: dict[str, list]) -> None:
        sides = ["height", "width"] if isinstance(size, str) else [size, size]
        graph = helper.make_graph(
            self.nodes,
            "toy",
            [helper.make_tensor_value_info(source, TensorProto.UINT8, ["n", *sides, 3])],
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", *v]) for k, v in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        data = model.SerializeToString()
        path.write_bytes(data)
        card = {"sha256": hashlib.sha256(data).hexdigest(), "version": "toy"}
        path.with_suffix(".json").write_text(json.dumps(card))


def save_estimator(path: Path) -> None:
    """The stand-in estimator and its card."""
    g = _Graph()
    count = g.op("Shape", "crop", start=0, end=1)
    centres, _ = g.centroids("crop")
    joints = g.op("MatMul", g.constant(joint_weights()), centres, out="joints")
    g.op("Identity", g.rightness(centres), out="right")
    g.presence("crop")

    up = g.op("Sub", g.point(centres, 0, 1), g.point(centres, 1, 1))
    upright = g.op("Sigmoid", g.op("Mul", up, g.constant(np.float32(0.1))))
    ones = g.constant(np.ones((1, 21), np.float32))
    g.op("Mul", g.op("Unsqueeze", upright, g.constant(np.array([1]))), ones, out="joint_scores")

    levels = g.op("Cast", "crop", to=TensorProto.FLOAT)
    bright = g.op("ReduceMax", levels, g.constant(np.array([3])), keepdims=0)
    pooled = g.op("AveragePool", g.raised(bright), kernel_shape=[2, 2], strides=[2, 2])
    scaled = g.op("Mul", pooled, g.constant(np.float32(1 / 255)))
    g.op("Squeeze", scaled, g.constant(np.array([1])), out="mask")

    centred = g.op("Sub", joints, g.constant(np.float32((CROP - 1) / 2)))
    flat = g.op("Mul", centred, g.constant(np.float32(DISTANCE / FOCAL)))
    depth = g.repeated(np.full((21, 1), DISTANCE), count)
    joints_3d = g.op("Concat", flat, depth, axis=2, out="joints_3d")
    wrist = g.op("Gather", joints_3d, g.constant(np.int64(0)), axis=1, out="T")
    asset = load_asset()
    upwards = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], np.float32)  # fingers up, back to the camera
    template = ((asset.template - asset.joints[0]) @ upwards.T).astype(np.float32)
    g.op("Add", g.raised(wrist), g.constant(template[None]), out="vertices")
    g.repeated(upwards, count, "R")
    g.repeated(np.zeros((15, 3)), count, "theta")
    g.repeated(np.zeros(10), count, "beta")
    g.repeated(FOCAL, count, "f")
    shapes = {"joints": [21, 2], "joint_scores": [21], "mask": [64, 64], "right": [], "theta": [15, 3]}
    shapes |= {"presence": [], "beta": [10], "R": [3, 3], "T": [3], "f": [], "joints_3d": [21, 3]}
    g.save(path, "crop", CROP, shapes | {"vertices": [len(template), 3]})


def save_aligner(path: Path) -> None:
    """The stand-in aligner and its card."""
    g = _Graph()
    centres, _ = g.centroids("crop")
    g.op("MatMul", g.constant(joint_weights()), centres, out="joints")
    g.op("Identity", g.rightness(centres), out="right")
    g.presence("crop")
    g.save(path, "crop", SMALL_CROP, {"joints": [21, 2], "right": [], "presence": []})


def save_detector(path: Path) -> None:
    """The stand-in detector (one hand, two equal answers and a poor one) and its card."""
    g = _Graph()
    count = g.op("Shape", "image", start=0, end=1)
    centres, mass = g.centroids("image")
    joints = g.op("MatMul", g.constant(joint_weights()), centres)
    low = g.op("ReduceMin", joints, g.constant(np.array([1])), keepdims=0)
    high = g.op("ReduceMax", joints, g.constant(np.array([1])), keepdims=0)
    middle = g.op("Mul", g.op("Add", low, high), g.constant(np.float32(0.5)))
    extent = g.op("ReduceMax", g.op("Sub", high, low), g.constant(np.array([1])), keepdims=1)
    side = g.op("Mul", extent, g.constant(np.float32(1.9)))  # roughly right only: the second look mends it
    wrist, knuckle = (g.op("Gather", centres, g.constant(np.int64(i)), axis=1) for i in (0, 1))
    # half a radian off the true angle: the second look mends this too
    cos, sin = np.cos(0.5), np.sin(0.5)
    off = g.constant(np.array([[cos, sin], [-sin, cos]], np.float32))
    turned = g.op("MatMul", g.op("Sub", knuckle, wrist), off)
    length = g.op("ReduceL2", turned, g.constant(np.array([1])), keepdims=1)
    length = g.op("Max", length, g.constant(np.float32(1e-6)))
    least = g.op("ReduceMin", mass, g.constant(np.array([1])), keepdims=1)
    seen = g.op("Mul", g.op("Min", least, g.constant(np.float32(1000.0))), g.constant(np.float32(0.001)))
    g.op("Mul", seen, g.constant(np.array([[0.8, 0.9, 0.1]], np.float32)), out="scores")
    for name, value, width in (
        ("boxes", g.op("Concat", low, high, axis=1), 4),
        ("up", g.op("Div", turned, length), 2),
        ("crops", g.op("Concat", middle, side, axis=1), 3),
    ):
        shape = g.op("Concat", count, g.constant(np.array([3, width])), axis=0)
        g.op("Expand", g.raised(value), shape, out=name)
    three = g.op("Concat", count, g.constant(np.array([3])), axis=0)
    g.op("Expand", g.raised(g.rightness(centres)), three, out="right")
    shapes: dict[str, list] = {"scores": [3], "boxes": [3, 4], "up": [3, 2], "crops": [3, 3], "right": [3]}
    palms = {"palm_scores": [1], "palm_boxes": [1, 4], "palm_points": [1, 7, 2]}
    for name, shape in palms.items():
        g.repeated(np.zeros(shape), count, out=name)
    g.save(path, "image", "any", shapes | palms)


def save_presence(path: Path) -> None:
    """A stand-in judge to whom whatever is not black is a hand, and its card."""
    g = _Graph()
    g.presence("crop")
    g.save(path, "crop", SMALL_CROP, {"presence": []})


def save_networks(folder: Path) -> Path:
    """All stand-ins in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_estimator(folder / "estimator.onnx")
    save_aligner(folder / "aligner.onnx")
    save_detector(folder / "detector.onnx")
    save_presence(folder / "presence.onnx")
    save_presence(folder / "context.onnx")
    return folder
