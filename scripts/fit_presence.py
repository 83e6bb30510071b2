"""Fit the heads of presence of the shipped estimator and aligner: linear layers on features that stay as they are.

    python scripts/fit_presence.py ../shared/data --out runs/presence [--scenes 800]

Asked are the places that the judge will be asked about: what the shipped detector proposes in photographs of people
(train part, without the held-out sources), in photographs of single hands and in rendered scenes, each seen in the
aligner's crop, in the detector's own and in the crop that its joints ask for next; places beside every labelled hand,
where a lost track would look; and places at random. A look shows a hand where the box of its joints and a labelled
hand's have an IoU of 0.4, none where it lies apart from all (the rules of mine_candidates.py); others teach nothing.

Each layer is a logistic regression on standardised features, every picture of the same weight. Written are the two
networks with `presence` as one more output, all others being what they were to the last bit, with their cards; and
features and labels (features.npz), for who wants to try another judge. They ship once they lie in
src/handscope/infer/weights and `python scripts/seal_weights.py` has run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from mine_candidates import SAME_IOU, anywhere, is_empty, labelled_boxes
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from handscope.data.candidates import frame
from handscope.data.people import PeopleDataset
from handscope.data.photos import PhotoDataset
from handscope.files import write_file
from handscope.geometry.boxes import box_centre, box_iou, longer_side, tight_box
from handscope.geometry.crops import FILL, Crop, crop_around
from handscope.infer.crop_estimates import CropEstimate, View, extract_crops
from handscope.infer.crop_policy import detected_crop, next_crop, on_grid, resized
from handscope.infer.models import Models, open_models
from handscope.infer.weights import SHIPPED
from handscope.synth.config import SynthConfig
from handscope.synth.scene import render_sample
from handscope.types import Sample

LEAST_SCORE = 0.2
EVERY_PHOTO = 3
"""Of the photographs of single hands, whose places are easy, every third."""
SEED = 77
BESIDE = (0.5, 1.3)
"""How far a lost track looks beside a hand, in the hand's larger sides."""
STRENGTH = 0.003
"""Inverse strength of the ridge on standardised features. By sources left out in turn, hands of people's photographs
found at a precision of 95 %: 64.6 % at 0.001, 65.2 % at 0.003 and at 0.01; it is the middle."""

INPUTS = {
    "estimator": ("network.heads.right.weight", "network.blocks.0.encoder.glance.joints.weight"),
    "aligner": ("network.glance.right.weight",),
}
"""Layers whose inputs, side by side, are the features (the order is that of `nn.heads` and `nn.aligner`)."""
GRAFTED = {"present_features", "present_logit", "present_probability", "presence"}
"""Tensors of the layer's nodes in the graph."""


class Looks(NamedTuple):
    """Features (n, f) of crops, whether each shows a hand, its picture's number."""

    features: NDArray[np.float32]
    hand: NDArray[np.bool_]
    picture: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--count", type=int, help="of the photographs; default: all")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    models = open_models(min_score=LEAST_SCORE)
    views = {name: _Features(name) for name in INPUTS}
    told: dict[str, list[Looks]] = {name: [] for name in INPUTS}
    pictures: Counter[str] = Counter()
    for number, (kind, sample) in enumerate(_samples(options.data, options.scenes, options.count)):
        pictures[kind] += 1
        for name, looks in _looked(sample, models, views, np.random.default_rng([SEED, number])).items():
            told[name].append(looks._replace(picture=np.full(len(looks.hand), number)))
    kept = {name: Looks(*map(np.concatenate, zip(*looks, strict=True))) for name, looks in told.items()}
    np.savez(options.out / "features.npz", **{f"{n}.{f}": getattr(kept[n], f) for n in kept for f in Looks._fields})
    for name, looks in kept.items():
        weight, bias = fitted(looks)
        learnt = {
            "method": "logistic regression on features that stayed as they were, scripts/fit_presence.py",
            "looks": len(looks.hand),
            "at hands": round(float(looks.hand.mean()), 3),
            **pictures,
        }
        print(graft(name, weight, bias, learnt, options.out), learnt)


def _samples(data: Path, scenes: int, count: int | None) -> Iterator[tuple[str, Sample]]:
    """What the card calls a picture's kind, and the picture."""
    people, photos = PeopleDataset(data), PhotoDataset(data)
    config = SynthConfig(scenes=True, scene_size=320)
    for i in track(range(len(people))[:count], "people"):
        yield "photographs of people", people[i]
    for i in track(range(0, len(photos), EVERY_PHOTO)[:count], "photos"):
        yield "photographs of single hands", photos[i]
    for i in track(range(scenes), "scenes"):
        yield "rendered scenes", render_sample(config, SEED, i)


class _Features:
    """A shipped network that tells the features of its heads too."""

    def __init__(self, name: str) -> None:
        model = onnx.load(SHIPPED / f"{name}.onnx")
        self.names = features_of(model, name)
        for feature in self.names:
            model.graph.output.append(helper.make_tensor_value_info(feature, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        self.size = int(self.session.get_inputs()[0].shape[1])

    def __call__(self, views: Sequence[View]) -> tuple[NDArray[np.float32], list[CropEstimate]]:
        """Features (n, f) of crops, and what is seen in them."""
        found, estimates = [], []
        for image, rough in views:
            crop = resized(rough, self.size)
            shown = extract_crops([(image, crop)])
            joints, right, *features = self.session.run(["joints", "right", *self.names], {"crop": shown})
            found.append(np.concatenate(features, 1))
            estimates.append(CropEstimate(crop=crop, joints=joints[0], right=float(right[0])))
        return np.concatenate(found), estimates


def features_of(model: onnx.ModelProto, name: str) -> list[str]:
    """The tensors that the layers of `INPUTS` read."""
    reads = {node.input[1]: node.input[0] for node in model.graph.node if node.op_type == "Gemm"}
    return [reads[layer] for layer in INPUTS[name]]


def _looked(
    sample: Sample, models: Models, networks: dict[str, _Features], rng: np.random.Generator
) -> dict[str, Looks]:
    """What both networks see of the places of one picture that are known to be a hand or none."""
    hands, ignored = labelled_boxes(sample)
    size = models.estimator.size
    rough = [(sample.image, detected_crop(d, size)) for d in models.detector(sample.image)]
    if sample.complete:
        rough += [(sample.image, crop) for crop in [*_beside(hands, size, rng), *_anywhere(sample, size, rng)]]
    told: dict[str, list[Looks]] = {name: [] for name in networks}
    aligned = _look(networks["aligner"], rough, told["aligner"], sample, hands, ignored)
    upright = _next(sample, aligned, size)
    _look(networks["aligner"], upright, told["aligner"], sample, hands, ignored)
    _look(networks["estimator"], rough, told["estimator"], sample, hands, ignored)
    first = _look(networks["estimator"], upright, told["estimator"], sample, hands, ignored)
    _look(networks["estimator"], _next(sample, first, size), told["estimator"], sample, hands, ignored)
    return {
        name: Looks(*map(np.concatenate, zip(*looks, strict=True)))
        for name, looks in told.items()
        if any(map(len, looks))
    }


def _next(sample: Sample, estimates: Sequence[CropEstimate], size: int) -> list[View]:
    return [(sample.image, next_crop(estimate, size)) for estimate in estimates]


def _look(
    network: _Features,
    views: Sequence[View],
    told: list[Looks],
    sample: Sample,
    hands: NDArray[np.float64],
    ignored: NDArray[np.float64],
) -> list[CropEstimate]:
    """What the network sees in `views`; those that are known go into `told`."""
    if not views:
        return []
    features, estimates = network(views)
    boxes = [tight_box(estimate.joints_2d).astype(np.float64) for estimate in estimates]
    shows = np.array([box_iou(box, hands).max(initial=0) >= SAME_IOU for box in boxes])
    apart = np.array([sample.complete and is_empty(box, hands, ignored) for box in boxes])
    known = shows | apart
    told.append(Looks(features[known], shows[known], np.zeros(int(known.sum()), np.int64)))
    return estimates


def _beside(hands: NDArray[np.float64], size: int, rng: np.random.Generator) -> list[Crop]:
    """A crop beside each hand, about as large, of any direction and side."""
    crops = []
    for hand in hands:
        side = float(longer_side(hand))
        angle, turn = rng.uniform(-np.pi, np.pi, 2)
        centre = box_centre(hand) + rng.uniform(*BESIDE) * side * np.array([np.sin(angle), np.cos(angle)])
        extent = side / FILL * rng.uniform(0.7, 1.4)
        up = (np.sin(turn), np.cos(turn))
        crops.append(on_grid(crop_around(centre, extent, up, size=size, mirrored=bool(rng.random() < 0.5))))
    return crops


def _anywhere(sample: Sample, size: int, rng: np.random.Generator) -> list[Crop]:
    places = [frame(place) for _, place in anywhere(sample.image, rng)]
    return [on_grid(crop_around(f.centre, f.extent, f.up, size=size, mirrored=f.handedness == "left")) for f in places]


def fitted(looks: Looks) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight (1, f) and bias (1,) of the layer."""
    mean, deviation = looks.features.mean(0), looks.features.std(0) + 1e-6
    counts = np.bincount(looks.picture)
    weights = 1 / counts[looks.picture]
    model = LogisticRegression(C=STRENGTH, max_iter=5000)
    model.fit((looks.features - mean) / deviation, looks.hand, weights * len(weights) / weights.sum())
    weight = model.coef_ / deviation
    return weight.astype(np.float32), (model.intercept_ - weight @ mean).astype(np.float32)


def graft(name: str, weight: NDArray[np.float32], bias: NDArray[np.float32], learnt: dict[str, Any], out: Path) -> Path:
    """The shipped network with the layer and its probability as the output `presence` (n,); `learnt` goes into the
    card.
    """
    model = onnx.load(SHIPPED / f"{name}.onnx")
    graph = model.graph
    features = features_of(model, name)
    layer = {"estimator": "network.heads.present", "aligner": "network.present"}[name]
    for node in [node for node in graph.node if not GRAFTED.isdisjoint(node.output)]:
        graph.node.remove(node)  # of an earlier fit
    for tensor in [t for t in graph.initializer if t.name.startswith(layer)]:
        graph.initializer.remove(tensor)
    for output in [o for o in graph.output if o.name == "presence"]:
        graph.output.remove(output)
    graph.initializer.extend(
        [
            numpy_helper.from_array(weight, f"{layer}.weight"),
            numpy_helper.from_array(bias, f"{layer}.bias"),
            numpy_helper.from_array(np.array([1], np.int64), f"{layer}.axis"),
        ]
    )
    joined = ["present_features"] if len(features) > 1 else features
    if len(features) > 1:
        graph.node.append(helper.make_node("Concat", features, joined, axis=1))
    graph.node.extend(
        [
            helper.make_node("Gemm", [*joined, f"{layer}.weight", f"{layer}.bias"], ["present_logit"], transB=1),
            helper.make_node("Sigmoid", ["present_logit"], ["present_probability"]),
            helper.make_node("Squeeze", ["present_probability", f"{layer}.axis"], ["presence"]),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("presence", TensorProto.FLOAT, ["n"]))
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    write_file(out / f"{name}.onnx", data)
    card: dict[str, Any] = json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))
    card |= {"sha256": hashlib.sha256(data).hexdigest(), "presence": learnt}
    write_file(out / f"{name}.json", json.dumps(card, indent=1) + "\n")
    return out / f"{name}.onnx"


if __name__ == "__main__":
    main()
