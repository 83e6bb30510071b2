"""MediaPipe's hand_landmark_full.tflite (Apache-2.0) to safetensors for `handscope.nn.backbones.LandmarkBackbone`.

Needs mediapipe==0.10.21 (for the file), openvino and safetensors, not torch:

    python scripts/convert_landmark_backbone.py --out runs/init/landmark_backbone.safetensors \\
        [--reference runs/init/landmark_reference.npz]

The graph is a chain of convolutions, each followed by the addition of its bias; they are taken in order and
named as the blocks of the backbone's table are. The file's constants are float16, and so are ours.
`--reference` also writes a picture and what the original computes of it at strides 4, 8, 16 and 32, for the
test that compares the two.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from safetensors.numpy import save_file

BLOCKS = 16
JOINTS = 21
LANDMARK_PX = 224
FIRST, LAST = 0, 15
"""The first block does not widen; the last does not narrow."""


def default_model() -> Path:
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise SystemExit("mediapipe is not installed; pip install mediapipe==0.10.21, or give --model")
    return Path(spec.origin).parent / "modules" / "hand_landmark" / "hand_landmark_full.tflite"


def evaluate(nodes: list[openvino.Node]) -> list[NDArray]:
    """The values of constant expressions (the file stores float16 and converts)."""
    model = openvino.Model([node.output(0) for node in nodes], [], "constants")
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled([])
    return [np.array(results[i]) for i in range(len(nodes))]


def convolutions(model: openvino.Model) -> list[tuple[openvino.Node, openvino.Node, openvino.Node]]:
    """(weight, bias, sum) nodes of every convolution, in order."""
    found = []
    for node in model.get_ordered_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            (consumer,) = node.output(0).get_target_inputs()
            total = consumer.get_node()
            found.append((node.input_value(1).get_node(), total.input_value(1).get_node(), total))
    return found


def names() -> list[str]:
    """The backbone's convolutions in the order of the graph."""
    result = ["stem"]
    for block in range(BLOCKS):
        parts = ("widen", "filter", "narrow")
        kept = parts[1:] if block == FIRST else parts[:2] if block == LAST else parts
        result += [f"blocks.{block}.{part}" for part in kept]
    return result


def state(model: openvino.Model) -> dict[str, NDArray[np.float16]]:
    """Weights in torch's layout (out, in / groups, height, width) and biases."""
    chain = convolutions(model)
    if len(chain) != len(names()):
        found, wanted = len(chain), len(names())
        raise SystemExit(f"found {found} convolutions, expected {wanted}: not hand_landmark_full of 0.10.21")
    values = evaluate([node for weight, bias, _ in chain for node in (weight, bias)])
    tensors = {}
    for name, weight, bias in zip(names(), values[0::2], values[1::2], strict=True):
        weight = weight.reshape(-1, *weight.shape[2:]) if weight.ndim == 5 else weight
        tensors[f"{name}.weight"] = np.ascontiguousarray(weight, np.float16)
        tensors[f"{name}.bias"] = np.ascontiguousarray(bias.reshape(-1), np.float16)
    return tensors


def auxiliary(model: openvino.Model) -> dict[str, NDArray[np.float32]]:
    """The layers from pooled features to 21 joints (x, y), in crop sides: weight (42, 1152), bias (42,); and to the
    logits of a right hand and of a hand at all (`present`): weight (1, 1152), bias (1,) each.

    The original gives the probability of its label "Left", which, as it takes pictures for mirrored, is a right hand.
    """
    places = [v.reshape(JOINTS, 3, -1)[:, :2] / LANDMARK_PX for v in linear(model, "conv_landmarks")]
    weight, bias = linear(model, "conv_handedness")
    presence = linear(model, "conv_handflag")
    return {
        "auxiliary.joints.weight": places[0].reshape(JOINTS * 2, -1),
        "auxiliary.joints.bias": places[1].reshape(-1),
        "auxiliary.right.weight": weight,
        "auxiliary.right.bias": bias,
        "present.weight": presence[0],
        "present.bias": presence[1],
    }


def linear(model: openvino.Model, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight (outputs, inputs) and bias (outputs,) of the fully connected layer called `name`."""
    nodes = {n.get_friendly_name(): n for n in model.get_ordered_ops()}
    (weight,) = [n for found, n in nodes.items() if found.endswith(f"{name}/MatMul")]
    (product,) = follow(weight)
    (total,) = [target.get_node() for target in product.output(0).get_target_inputs()]
    weight, bias = evaluate([weight, total.input_value(1).get_node()])
    return weight.astype(np.float32), bias.astype(np.float32).reshape(-1)


def follow(node: openvino.Node) -> list[openvino.Node]:
    """Who uses a constant, beyond its conversion to float32."""
    users = [entrance.get_node() for entrance in node.output(0).get_target_inputs()]
    return follow(users[0]) if users[0].get_type_name() == "Convert" else users


def reference(path: Path, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """A picture (1, 3, 224, 224) and the original's features at strides 4, 8, 16 and 32, (1, C, h, w)."""
    model = openvino.Core().read_model(path)
    wanted = []
    for node in model.get_ordered_ops():
        if node.get_type_name() in ("Add", "Clamp") and len(node.output(0).get_partial_shape()) == 4:
            shape = list(node.output(0).get_partial_shape().to_shape())
            if shape[0] == 1 and shape[2] > 1:
                wanted.append((shape, node))
    channels = {56: 24, 28: 40, 14: 112, 7: 1152}
    outputs = [[n for s, n in wanted if s[2] == size and s[1] == c][-1] for size, c in channels.items()]
    probe = openvino.Model([node.output(0) for node in outputs], model.get_parameters(), "features")
    image = np.random.default_rng(seed).random((1, 224, 224, 3), np.float32)
    results = openvino.Core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([image])
    features = {f"stride_{224 // size}": np.array(results[i]) for i, size in enumerate(channels)}
    return {"image": image.transpose(0, 3, 1, 2), **features}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="hand_landmark_full.tflite; default: mediapipe's own")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reference", type=Path)
    arguments = parser.parse_args()
    path = arguments.model or default_model()
    model = openvino.Core().read_model(path)
    tensors = state(model) | auxiliary(model)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    origin = {"source": "mediapipe 0.10.21 hand_landmark_full.tflite", "license": "Apache-2.0"}
    save_file(tensors, arguments.out, origin)
    millions = sum(tensor.size for tensor in tensors.values()) / 1e6
    print(f"{arguments.out}: {len(tensors)} tensors, {millions:.2f} M values")
    if arguments.reference:
        np.savez_compressed(arguments.reference, **reference(path))


if __name__ == "__main__":
    main()
