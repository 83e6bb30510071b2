"""MediaPipe's palm_detection_full.tflite (Apache-2.0) to safetensors for `handscope.nn.palm.PalmNetwork`.

Needs mediapipe==0.10.21 (for the file), openvino and safetensors, not torch:

    python scripts/convert_palm_network.py --out recipes/weights/palm-0.10.21.safetensors \\
        [--reference tests/nn/palm_reference.npz]

The graph's convolutions are taken in order and named as the network's are, each with the bias and the PReLU that
follow it. The file's constants are float16, and so are ours. `--reference` also writes what the original computes of
a picture of noise (numpy's generator, seed 0) at strides 8 and 16, and of its heads, for the test that compares both.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from safetensors.numpy import save_file

PICTURE_PX = 192
BLOCKS = (4, 5, 5, 5, 5)
"""Of the stages at strides 2 to 32."""
HEADS = {2: "score_8", 6: "score_16", 36: "place_8", 108: "place_16"}
"""The heads by their channels."""
SEED = 0


def default_model() -> Path:
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise SystemExit("mediapipe is not installed; pip install mediapipe==0.10.21, or give --model")
    return Path(spec.origin).parent / "modules" / "palm_detection" / "palm_detection_full.tflite"


def names() -> list[str]:
    """The network's convolutions in the order of the graph, but for the heads."""
    stages = [f"stages.{i}.{k}" for i, count in enumerate(BLOCKS) for k in range(count)]
    blocks = lambda prefixes: [f"{p}.{part}" for p in prefixes for part in ("filter", "mix")]  # noqa: E731
    up = [[f"{name}.mix", *blocks([f"{name}.blocks.{k}" for k in range(2)])] for name in ("up_16", "up_8")]
    return ["stem", *blocks(stages), *up[0], *up[1]]


def evaluate(nodes: list[openvino.Node]) -> list[NDArray]:
    """The values of constant expressions (the file stores float16 and converts)."""
    model = openvino.Model([node.output(0) for node in nodes], [], "constants")
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled([])
    return [np.array(results[i]) for i in range(len(nodes))]


def users(node: openvino.Node) -> list[openvino.Node]:
    return [entrance.get_node() for entrance in node.output(0).get_target_inputs()]


def slope_after(total: openvino.Node) -> openvino.Node | None:
    """The slopes of the PReLU that follows a convolution's sum, at once or after the block's own addition."""
    for node in [total, *[user for user in users(total) if user.get_type_name() == "Add"]]:
        for user in users(node):
            if user.get_type_name() == "PRelu":
                return user.input_value(1).get_node()
    return None


def state(model: openvino.Model) -> dict[str, NDArray[np.float16]]:
    """Weights in torch's layout (out, in / groups, height, width), biases and slopes."""
    convolutions = [n for n in model.get_ordered_ops() if n.get_type_name() in ("Convolution", "GroupConvolution")]
    waiting = iter(names())
    tensors: dict[str, NDArray[np.float16]] = {}
    for node in convolutions:
        (total,) = users(node)
        channels = total.output(0).get_partial_shape().to_shape()[1]
        name = HEADS[channels] if channels in HEADS else next(waiting)
        weight, bias = evaluate([node.input_value(1).get_node(), total.input_value(1).get_node()])
        weight = weight.reshape(-1, *weight.shape[2:]) if weight.ndim == 5 else weight
        tensors[f"{name}.weight"] = np.ascontiguousarray(weight, np.float16)
        tensors[f"{name}.bias"] = np.ascontiguousarray(bias.reshape(-1), np.float16)
        slope = None if name in HEADS.values() or name.endswith("filter") else slope_after(total)
        if slope is not None:
            bend = "bend" if name == "stem" else name.replace(".mix", ".bend")
            tensors[f"{bend}.weight"] = np.ascontiguousarray(evaluate([slope])[0].reshape(-1), np.float16)
    if (left := list(waiting)) or len(convolutions) != len(names()) + len(HEADS):
        raise SystemExit(f"{len(convolutions)} convolutions, {left} not found: not palm_detection_full of 0.10.21")
    return tensors


def reference(path: Path) -> dict[str, NDArray]:
    """The original's maps at strides 8 (1, 128, 24, 24) and 16 (1, 256, 12, 12), float16, and its heads: logits
    (2016,) and numbers (2016, 18).
    """
    model = openvino.Core().read_model(path)
    bends = [n for n in model.get_ordered_ops() if n.get_type_name() == "PRelu"]
    shape = lambda n: tuple(n.output(0).get_partial_shape().to_shape())  # noqa: E731
    last = {c: [n for n in bends if shape(n)[1] == c and shape(n)[2] == size][-1] for c, size in ((128, 24), (256, 12))}
    heads = [result.input_value(0).get_node() for result in model.get_results()]
    heads.sort(key=lambda n: shape(n)[-1])
    wanted = [last[128], last[256], *heads]
    probe = openvino.Model([node.output(0) for node in wanted], model.get_parameters(), "features")
    image = noise()[None].astype(np.float32) / 255
    results = openvino.Core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([image])
    fine, middle, logits, numbers = (np.array(results[i]) for i in range(4))
    return {
        "seed": np.array(SEED),
        "stride_8": fine.astype(np.float16),
        "stride_16": middle.astype(np.float16),
        "logits": logits[0, :, 0],
        "numbers": numbers[0],
    }


def noise() -> NDArray[np.uint8]:
    """The picture (192, 192, 3) of the reference: coarse noise, so that features differ from cell to cell."""
    coarse = np.random.default_rng(SEED).integers(0, 256, (24, 24, 3), np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="palm_detection_full.tflite; default: mediapipe's own")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reference", type=Path)
    arguments = parser.parse_args()
    path = arguments.model or default_model()
    tensors = state(openvino.Core().read_model(path))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    origin = {"source": "mediapipe 0.10.21 palm_detection_full.tflite", "license": "Apache-2.0"}
    save_file(tensors, arguments.out, origin)
    millions = sum(tensor.size for tensor in tensors.values()) / 1e6
    print(f"{arguments.out}: {len(tensors)} tensors, {millions:.2f} M values")
    if arguments.reference:
        arguments.reference.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(arguments.reference, **reference(path))


if __name__ == "__main__":
    main()
