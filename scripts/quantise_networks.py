"""The quick way's estimator and aligner in 8 bits, made again from the shipped float ones, with their cards:

    handscope synth --scenes --scene-size 320 --count 100 --seed 23 --out SCENES
    python scripts/quantise_networks.py SCENES/*.tar --data ../shared/data && python scripts/seal_weights.py

Nothing is trained: the float network is the teacher, pictures need no labels. Of the convolutional trunk, layer by
layer,

1. channels that never reach the ceiling of their ReLU6 are stretched to it, and the next layer's weights shrunk;
2. what a layer gives is put on the grid of 8 bits that errs least on the calibration crops;
3. its weights are solved for anew (ridge regression towards the old ones): from the quantised input they give what the
   float layer gives. They are rounded to 7 bits, a step a channel: with 8 the sum of two products may not fit into the
   16 bits that processors without VNNI have for it; with 7 every processor gives the same integers.

The logistic regression of presence, whose weights are large on features that hardly stir, is fitted anew to the float
one's answers. Heads stay float. What is written are ONNX Runtime's own operators for the CPU, channels last, to which
the crop's bytes go as they are. Crops are those that the quick way takes of rendered scenes and of photographs that
trained the networks, the held-out ones apart.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

from handscope.data.people import PeopleDataset
from handscope.data.photos import PhotoDataset
from handscope.data.shards import ShardReader
from handscope.files import write_file
from handscope.infer import weights
from handscope.infer.pipeline import load

SETS = {"estimator": 160, "aligner": 600}
"""Networks, and crops that their layers are solved on."""
UNREAD = ("projected", "joints_3d", "vertices")
"""Outputs that the quick way works out itself, of the one estimate that is told."""
PEOPLE, PHOTOGRAPHS = 140, 110
BITS = 7
"""Of a weight."""
STRETCH = 64.0
"""How many times wider a channel is made at most."""
CEILING = 6.0
RIDGE, ROWS = 1e-2, 6000
"""Of the regressions: how much weights stay as they were, and places that one sees."""
SHARES = np.linspace(1, 0.35, 12)
"""Of the range that was seen, for grids to try."""
PRESENCE_CROPS, TURNS, LOGITS = 400, 3, 8.0
"""Of presence: crops, how often each is turned and moved at random, and the logits beyond which nothing is gained."""
WIDTH = 32
"""Depthwise layers of fewer channels, or of others than multiples of 16, are slow: they get channels that stay zero."""
CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
OURS = "com.microsoft"
Array = NDArray[Any]
Grid = tuple[float, int]
"""A step, and the level that means zero."""


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


class Graph:
    """A network's nodes and constants, and who makes and takes what."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.nodes = model, list(model.graph.node)
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.takers[name].append(node)

    @property
    def image(self) -> str:
        """The crop's bytes."""
        return self.model.graph.input[0].name

    def inputs(self, node: onnx.NodeProto) -> list[str]:
        """Those that are no constants."""
        return [name for name in node.input if name and name not in self.constants]

    def ceiling_after(self, node: onnx.NodeProto) -> str | None:
        """The output of the ReLU6 that alone takes what a layer gives."""
        after = self.takers[node.output[0]]
        if len(after) == 1 and after[0].op_type == "Clip" and self.constants[after[0].input[2]].item() == CEILING:
            return after[0].output[0]
        return None

    def rebuilt(self, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array]) -> Graph:
        """The same network of other nodes and constants, less what nobody reads."""
        live = {output.name for output in self.model.graph.output}
        kept = []
        for node in reversed(nodes):
            if live.intersection(node.output):
                kept.append(node)
                live.update(node.input)
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for name in ("node", "initializer", "value_info"):
            model.graph.ClearField(name)
        model.graph.node.extend(reversed(kept))
        arrays = {name: np.asarray(array, order="C") for name, array in constants.items() if name in live}
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        return Graph(model)

    def run(self, crops: Array, names: Sequence[str]) -> list[Array]:
        """Any of its tensors, for crops (n, S, S, 3)."""
        return [np.concatenate(parts) for parts in zip(*self.parts(crops, names), strict=True)]

    def parts(self, crops: Array, names: Sequence[str]) -> Iterator[list[Array]]:
        """The same by fours."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        told = {output.name for output in model.graph.output}
        model.graph.output.extend(
            helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in {*names} - told
        )
        session = onnxruntime.InferenceSession(model.SerializeToString(), options(), providers=["CPUExecutionProvider"])
        for start in range(0, len(crops), 4):
            yield session.run(list(names), {self.image: crops[start : start + 4]})


def options(optimised: str = "") -> onnxruntime.SessionOptions:
    """One thread, errors only; where a path is given, constants are folded and the result is written there."""
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads, made.log_severity_level = 1, 3
    if optimised:
        made.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        made.optimized_model_filepath = optimised
    return made


def opened(name: str) -> Graph:
    """A shipped network in float32, constants folded, without outputs that are not read."""
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/folded.onnx"
        onnxruntime.InferenceSession(
            weights.SHIPPED / f"{name}.onnx", options(path), providers=["CPUExecutionProvider"]
        )
        model = onnx.load(path)
    for output in [output for output in model.graph.output if output.name in UNREAD]:
        model.graph.output.remove(output)
    graph = Graph(model)
    return graph.rebuilt(graph.nodes, graph.constants)


def trunk(graph: Graph) -> list[onnx.NodeProto]:
    """The convolutional backbone: layers up to the last one before a ReLU6."""
    layers = [node for node in graph.nodes if node.op_type == "Conv"]
    last = max(k for k, node in enumerate(layers) if graph.ceiling_after(node))
    return layers[: last + 1]


def scaled(weight: Array, factor: Array, node: onnx.NodeProto) -> Array:
    """A layer's weights for an input whose channels are so many times wider."""
    return weight / (factor[:, None, None, None] if attribute(node, "group", 1) > 1 else factor[None, :, None, None])


def stretched(graph: Graph, crops: Array) -> Graph:
    """Step 1; the same answers but for places higher than any in `crops`."""
    constants = dict(graph.constants)
    pairs = []
    for node in trunk(graph):
        name = graph.ceiling_after(node)
        if name and len(graph.takers[name]) == 1 and graph.takers[name][0].op_type == "Conv":
            pairs.append((node, name, graph.takers[name][0]))
    tops = [np.zeros(1)] * len(pairs)
    for part in graph.parts(crops, [name for _, name, _ in pairs]):
        tops = [np.maximum(top, values.max((0, 2, 3))) for top, values in zip(tops, part, strict=True)]
    for (layer, _, then), top in zip(pairs, tops, strict=True):
        factor = np.clip(CEILING / np.maximum(top, 1e-6), 1, STRETCH).astype(np.float32)
        constants[layer.input[1]] = constants[layer.input[1]] * factor[:, None, None, None]
        constants[layer.input[2]] = constants[layer.input[2]] * factor
        constants[then.input[1]] = scaled(constants[then.input[1]], factor, then)
    return graph.rebuilt(graph.nodes, constants)


def widened(graph: Graph) -> Graph:
    """With `WIDTH`."""
    constants = dict(graph.constants)

    def pad(name: str, axis: int, more: int) -> None:
        pads = [(0, 0)] * constants[name].ndim
        pads[axis] = (0, more)
        constants[name] = np.pad(constants[name], pads)

    nodes = {node.output[0]: node for node in graph.nodes}
    for node in trunk(graph):
        count = attribute(node, "group", 1)
        more = -count % WIDTH
        if count == 1 or count % 16 == 0:
            continue
        before = graph.maker[graph.maker[node.input[0]].input[0]]
        (after,) = graph.takers[graph.ceiling_after(node) or ""]
        for layer in (before, node):
            pad(layer.input[1], 0, more)
            pad(layer.input[2], 0, more)
        pad(after.input[1], 1, more)
        wide = nodes[node.output[0]] = onnx.NodeProto()
        wide.CopyFrom(node)
        next(a for a in wide.attribute if a.name == "group").i += more
    return graph.rebuilt(list(nodes.values()), constants)


def grid_of(low: float, high: float) -> Grid:
    low, high = min(low, 0.0), max(high, 1e-6)
    step = float(np.float32((high - low) / 255))
    return step, int(np.clip(round(-low / step), 0, 255))


def on_grid(values: Tensor, grid: Grid) -> Tensor:
    step, zero = grid
    return (torch.clamp(torch.round(values / step) + zero, 0, 255) - zero) * step


def best_grid(values: Tensor) -> Grid:
    """Step 2."""
    some = values.flatten()
    some = some[torch.randint(len(some), (200_000,), generator=torch.Generator().manual_seed(0))]
    grids = [grid_of(float(some.min()) * share, float(some.max()) * share) for share in SHARES]
    return min(grids, key=lambda grid: float((on_grid(some, grid) - some).square().mean()))


def rounded(weight: Array, bias: Array, step: float) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels, and the step of each channel: coarse enough that the bias, in steps times the input's, fits too."""
    top = 2 ** (BITS - 1) - 1
    steps = np.abs(weight).reshape(len(weight), -1).max(1) / top
    steps = np.maximum(steps, np.abs(bias) / step / 2**30).clip(1e-9)
    return np.rint(weight / steps[:, None, None, None]).astype(np.int8), steps.astype(np.float32)


def padded(values: Tensor, node: onnx.NodeProto) -> Tensor:
    top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
    return F.pad(values, (left, right, top, bottom))


def convolved(values: Tensor, weight: Array, bias: Array, node: onnx.NodeProto) -> Tensor:
    strides, groups = tuple(attribute(node, "strides", [1, 1])), attribute(node, "group", 1)
    return F.conv2d(padded(values, node), torch.from_numpy(weight), torch.from_numpy(bias), strides, groups=groups)


def solved(node: onnx.NodeProto, values: Tensor, wanted: Tensor, weight: Array, bias: Array) -> tuple[Array, Array]:
    """Step 3: weights and bias that give what is wanted of values."""
    count, (height, width), (rows, columns) = len(weight), wanted.shape[2:], weight.shape[2:]
    down, right = attribute(node, "strides", [1, 1])
    chosen = torch.randperm(len(values) * height * width, generator=torch.Generator().manual_seed(1))[:ROWS]
    k, i, j = chosen // (height * width), chosen // width % height, chosen % width
    source = padded(values, node)
    seen = torch.stack([source[k, :, i * down + y, j * right + x] for y in range(rows) for x in range(columns)], -1)
    old = torch.from_numpy(np.column_stack([weight.reshape(count, -1), bias]))
    alone = attribute(node, "group", 1) > 1  # a channel of its own each: as many small systems
    x = seen.transpose(0, 1) if alone else seen.reshape(1, len(chosen), -1)
    x = torch.cat([x, torch.ones(len(x), len(chosen), 1)], 2)
    rest = wanted[k, :, i, j].T[..., None] - x @ old[..., None] if alone else wanted[k, :, i, j] - x @ old.T
    square = (x.transpose(1, 2) @ x / len(chosen)).double()
    product = (x.transpose(1, 2) @ rest / len(chosen)).double()
    power = torch.diagonal(square, dim1=1, dim2=2).clamp(min=1e-8)
    ridge = RIDGE * (power + 0.01 * power.mean(1, keepdim=True))
    ridge[:, -1] = 1e-6
    step = torch.linalg.solve(square + torch.diag_embed(ridge), product).float()
    new = old + (step[..., 0] if alone else step[0].T)
    return new[:, :-1].reshape(weight.shape).numpy().copy(), new[:, -1].numpy().copy()


@dataclass
class Plan:
    """The grids of tensors by their names, and levels, steps and bias of layers by their outputs; a layer's output is
    that of its ReLU6 where there is one (`target`).
    """

    grids: dict[str, Grid] = field(default_factory=dict)
    layers: dict[str, tuple[NDArray[np.int8], NDArray[np.float32], Array]] = field(default_factory=dict)
    target: dict[str, str] = field(default_factory=dict)


def planned(graph: Graph, crops: Array) -> Plan:
    """Steps 2 and 3 for the trunk, with the float network and the quantised one side by side."""
    plan, layers = Plan(), {node.output[0] for node in trunk(graph)}
    first = trunk(graph)[0].input[0]
    image = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    true, ours = {first: image}, {first: image}
    plan.grids[first] = (float(np.float32(1 / 255)), 0)
    places = {name: k for k, node in enumerate(graph.nodes) for name in node.input}  # of the last who takes it
    for number, node in enumerate(graph.nodes):
        out, names = node.output[0], graph.inputs(node)
        if out in layers:
            weight, bias = graph.constants[node.input[1]], graph.constants[node.input[2]]
            target = plan.target[out] = graph.ceiling_after(node) or out
            true[out] = wanted = convolved(true[names[0]], weight, bias, node)
            then = graph.takers[out][0]
            if then.op_type == "Add":  # it also makes up for what the other summand lacks
                (other,) = [name for name in then.input if name != out]
                wanted = wanted + true[other] - ours[other]
            weight, bias = solved(node, ours[names[0]], wanted, weight, bias)
            levels, steps = rounded(weight, bias, plan.grids[names[0]][0])
            found = convolved(ours[names[0]], levels * steps[:, None, None, None], bias, node)
            off = (wanted - found).mean((0, 2, 3))
            plan.layers[out] = levels, steps, bias + off.numpy()
            found = found + off[:, None, None]
            if target != out:
                true[target], found = true[out].clamp(0, CEILING), found.clamp(0, CEILING)
            plan.grids[target] = grid_of(0, float(found.max())) if target != out else best_grid(found)
            ours[target] = on_grid(found, plan.grids[target])
        elif node.op_type == "Add" and all(name in plan.grids for name in node.input):
            true[out] = true[node.input[0]] + true[node.input[1]]
            found = ours[node.input[0]] + ours[node.input[1]]
            plan.grids[out] = best_grid(found)
            ours[out] = on_grid(found, plan.grids[out])
        for side in (true, ours):
            for name in [name for name in side if places.get(name, 0) <= number]:
                del side[name]
    return plan


def quads(levels: NDArray[np.int8]) -> NDArray[np.int8]:
    """The first layer, 3 x 3 px with stride 2 over 3 colours, for four px a place, 12 channels: two places' answers at
    once, (2 channels, 12, 3, 2). Layers of three channels are slow.
    """
    wide = np.zeros((2, len(levels), 2, 4, 3, 3), np.int8)  # place, channel, four px, px, colour, row
    for place in (0, 1):
        for column in range(3):
            four, px = divmod(2 * place + column, 4)
            wide[place, :, four, px] = levels[:, :, :, column]
    return wide.transpose(0, 1, 3, 4, 5, 2).reshape(2 * len(levels), 12, 3, 2)


def quantised(graph: Graph, plan: Plan) -> Graph:
    """The network with its trunk in 8 bits."""
    constants, nodes, first = dict(graph.constants), [], trunk(graph)[0]
    bytes_of, made = {first.input[0]: graph.image}, set(plan.target.values())

    def constant(name: str, value: Any) -> str:
        constants[name] = np.asarray(value)
        return name

    def grid(name: str) -> list[str]:
        step, zero = plan.grids[name]
        return [constant(f"{name}/step", np.float32(step)), constant(f"{name}/zero", np.uint8(zero))]

    def add(kind: str, inputs: Sequence[str], out: str, domain: str = "", **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [out], name=f"{kind} {out}", domain=domain, **attributes))
        return out

    for node in graph.nodes:
        out = node.output[0]
        if out in plan.layers:
            (source,), target = graph.inputs(node), plan.target[out]
            levels, steps, bias = plan.layers[out]
            whole = np.rint(bias / np.float64(plan.grids[source][0]) / steps).astype(np.int32)
            shape = {name: attribute(node, name, None) for name in ("pads", "strides", "group", "kernel_shape")}
            given, places = bytes_of[source], len(levels)
            if node is first:
                assert shape["strides"] == [2, 2] and shape["pads"] == [0, 0, 1, 1]
                given = add("Reshape", [given, constant("fours", np.array([0, 0, -1, 12]))], "fours/bytes")
                levels, steps, whole = quads(levels), np.tile(steps, 2), np.tile(whole, 2)
                shape |= {"strides": [2, 1], "kernel_shape": [3, 2]}
            told = {"weight": levels, "steps": steps, "zeros": np.zeros(len(steps), np.int8)}
            layer = [constant(f"{out}/{name}", value) for name, value in told.items()]
            inputs = [given, *grid(source), *layer, *grid(target), constant(f"{out}/bias", whole)]
            given = add("QLinearConv", inputs, f"{target}/bytes", OURS, channels_last=1, **shape)
            if node is first:
                pairs = constant("pairs", np.array([0, 0, -1, places]))
                given = add("Reshape", [given, pairs], f"{target}/places")
            bytes_of[target] = given
        elif out in plan.grids and node.op_type == "Add":
            one, two = node.input
            inputs = [bytes_of[one], *grid(one), bytes_of[two], *grid(two), *grid(out)]
            bytes_of[out] = add("QLinearAdd", inputs, f"{out}/bytes", OURS)
            made.add(out)
        elif out not in made:
            nodes.append(node)
            continue
        if out in made and any(
            not (t.output[0] in plan.layers or t.output[0] in plan.grids) for t in graph.takers[out]
        ):
            floats = add("DequantizeLinear", [bytes_of[out], *grid(out)], f"{out}/floats")
            add("Transpose", [floats], out, perm=CHANNELS_FIRST)
    graph.model.opset_import.append(helper.make_opsetid(OURS, 1))
    return graph.rebuilt(nodes, constants)


def turned(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crops, and each of them turned, moved, mirrored, made darker or brighter at random `TURNS` times."""
    rng, found = np.random.default_rng(3), [*crops]
    for crop in list(crops) * TURNS:
        size = len(crop)
        turn, zoom = float(rng.normal(0, 20)), float(np.exp(rng.normal(0, 0.2)))
        matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), turn, zoom)
        matrix[:, 2] += rng.normal(0, 0.08 * size, 2)
        seen = cv2.warpAffine(crop, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
        seen = seen[:, ::-1] if rng.random() < 0.3 else seen
        found.append((seen * rng.uniform(0.7, 1.15)).clip(0, 255).astype(np.uint8))
    return np.stack(found)


def with_presence(graph: Graph, teacher: Graph, crops: NDArray[np.uint8]) -> Graph:
    """The regression of presence anew; its ridge is the one that errs least on every fifth crop."""
    head = graph.maker["present_logit"]
    (features,), (logits,) = graph.run(crops, [head.input[0]]), teacher.run(crops, ["present_logit"])
    logits = logits[:, 0].clip(-LOGITS, LOGITS).astype(np.float64)
    middle, spread = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64) + 1e-3
    features = (features - middle) / spread
    asked = np.arange(len(logits)) % 5 == 0

    def fitted(rows: NDArray[np.bool_], ridge: float) -> NDArray[np.float64]:
        x, y = features[rows], logits[rows] - logits.mean()
        return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)

    def error(ridge: float) -> float:
        found = features[asked] @ fitted(~asked, ridge) + logits.mean()
        return float(np.abs(1 / (1 + np.exp(-found)) - 1 / (1 + np.exp(-logits[asked]))).mean())

    errors = {ridge: error(ridge) for ridge in (3.0, 10.0, 30.0, 100.0)}
    ridge = min(errors, key=lambda ridge: errors[ridge])
    print(f"presence: a ridge of {ridge} errs by {errors[ridge]:.3f} on crops that were not fitted")
    weight = fitted(np.ones(len(logits), bool), ridge) / spread
    bias = np.array([logits.mean() - weight @ middle])
    new = {head.input[1]: weight[None].astype(np.float32), head.input[2]: bias.astype(np.float32)}
    return graph.rebuilt(graph.nodes, graph.constants | new)


def halved(graph: Graph) -> Graph:
    """What is left of large float constants is kept in half precision, as in the shipped networks."""
    constants, casts = dict(graph.constants), []
    for name, value in graph.constants.items():
        if value.dtype == np.float32 and value.size > 1000:
            constants[f"{name}/half"] = constants.pop(name).astype(np.float16)
            casts.append(helper.make_node("Cast", [f"{name}/half"], [name], to=onnx.TensorProto.FLOAT))
    return graph.rebuilt([*casts, *graph.nodes], constants)


def pictures(data: Path, scenes: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """Those that crops are taken of."""
    chance = random.Random(5)
    people, photographs = PeopleDataset(data, "train"), PhotoDataset(data, split="train")
    yield from (people[i].image for i in chance.sample(range(len(people)), PEOPLE))
    yield from (photographs[i].image for i in chance.sample(range(len(photographs)), PHOTOGRAPHS))
    shards = ShardReader(scenes)
    yield from (shards[i].image for i in range(len(shards)))


def taken(data: Path, scenes: Sequence[Path]) -> dict[str, NDArray[np.uint8]]:
    """The crops that the quick way, with float networks, takes of the pictures, by network, shuffled."""
    shown: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    run = weights.Network.run

    def kept(network: weights.Network, batch: NDArray[np.uint8]) -> dict[str, Array]:
        shown[network.path.stem].append(batch)
        return run(network, batch)

    model = load(weights.SHIPPED, effort="quick")
    weights.Network.run = kept
    for picture in pictures(data, scenes):
        model(picture)
    weights.Network.run = run
    found = {name: np.concatenate(shown[name]) for name in SETS}
    return {name: crops[np.random.default_rng(0).permutation(len(crops))] for name, crops in found.items()}


def card_of(name: str, data: bytes, crops: int, apart: Mapping[str, float]) -> dict[str, Any]:
    """What is read of the float one's card, and how this one was made."""
    said = json.loads((weights.SHIPPED / f"{name}.json").read_bytes())
    kept = {
        key: said[key]
        for key in ("version", "licence", "task", "crop", "calibration", "teacher", "not_for")
        if key in said
    }
    return {
        "name": f"{name}-8bit",
        "sha256": hashlib.sha256(data).hexdigest(),
        "date": datetime.date.today().isoformat(),
        **kept,
        "made_from": f"{name}.onnx {said['sha256']}, whose card says what it was trained with",
        "method": "scripts/quantise_networks.py: trunk in 8 bits (weights in 7, a step a channel), heads float",
        "calibrated_on": {
            "crops": crops,
            "photographs of people": f"{PEOPLE} of split train, held-out sources apart (docs/data/people.md)",
            "photographs": f"{PHOTOGRAPHS} of the train split of TI1K (MIT, M. Alam), lebanese-university-grkoz on "
            "Roboflow Universe (CC BY 4.0), SubhiH/HandsDataset (Apache-2.0) and Sign-Language-Digits-Dataset "
            "(Apache-2.0)",
            "rendered scenes": "100 of handscope synth --scenes, seed 23",
        },
        "apart from the float one, on crops of the calibration pictures that no layer saw": dict(apart),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="+", type=Path, help="shards of handscope synth --scenes")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    shown = taken(asked.data, asked.scenes)
    for name, count in SETS.items():
        crops, teacher = shown[name], opened(name)
        solving, unseen = crops[:count], crops[count : count + 100] if len(crops) > count + 50 else crops[-50:]
        graph = widened(stretched(opened(name), solving))
        graph = quantised(graph, planned(graph, solving))
        graph = halved(with_presence(graph, teacher, turned(crops[:PRESENCE_CROPS])))
        outputs = ["joints", "right", "presence"]
        pairs = zip(outputs, teacher.run(unseen, outputs), graph.run(unseen, outputs), strict=True)
        apart = {key: float(np.abs(one - two).mean()) for key, one, two in pairs}
        onnx.checker.check_model(graph.model)
        data = graph.model.SerializeToString()
        told = {key: round(value, 4) for key, value in apart.items()}
        write_file(weights.SHIPPED / f"{name}-8bit.onnx", data)
        card = card_of(name, data, len(solving), told)
        write_file(weights.SHIPPED / f"{name}-8bit.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {len(data) / 1e6:.1f} MB; apart by {told}", flush=True)


if __name__ == "__main__":
    main()
