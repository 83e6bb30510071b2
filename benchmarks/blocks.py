"""What every block of a network's cascade adds, on true crops, and what it makes of its parts:

    python benchmarks/blocks.py DATA CHECKPOINT --backgrounds DATA/backgrounds --out runs/blocks

Rendered hands that never trained (the pictures of `handscope bench rendered`) and photographs held out from every
training, whose joints are the teacher's. Three tables, of which the last rows are the cascade's end:

- blocks.md: every block's answers; the difference of the last two; what fitting (`infer.fitting`) and thickness
  (`infer.silhouette_refinement`) make of the last one's mesh;
- attention.md: TAM's weights;
- without.md: the last block's answers with something taken away: a task's attention, what the regressor heads read,
  what the block before passes on. What is taken away is replaced by its mean over the set's pictures.

2D errors are in % of the crop's side, 3D errors in mm after the best similarity, mask† is the mesh's outline. Brackets
and ± are 95 % intervals of the mean (normal), in differences of the paired difference.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from handscope.apps.bench_pictures import rendered
from handscope.data.photos import PhotoDataset
from handscope.data.transforms import CropConfig
from handscope.evaluation.alignment import align_similarity
from handscope.evaluation.columns import HARD, CropSet
from handscope.files import NewFile
from handscope.geometry.camera_torch import project_centred
from handscope.geometry.heatmaps import crop_to_map
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.infer.assembly import without_specks
from handscope.infer.fitting import Fitted, fit
from handscope.infer.full_camera import PosedHand
from handscope.infer.silhouette_refinement import refine_silhouette
from handscope.nn.attention import TaskAttention
from handscope.nn.network import HandNetwork
from handscope.render.silhouette import soft_silhouette
from handscope.train.checkpoint import load
from handscope.train.export import ExportedEstimator
from handscope.train.recipe import from_dict
from handscope.types import Batch, BlockPrediction

COLUMNS = ("2D", "2D of the mesh", "PA, mm", "mask", "mask†", "mask† and mask")
"""Of which the first three are errors, the others IoU; mask† and mask are the network's own two."""
DIGITS = (2, 2, 2, 3, 3, 3)
Table = NDArray[np.float64]
"""(hands, columns), NaN where nothing is known."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=9001)
    parser.add_argument("--backgrounds", nargs="+", default=[])
    parser.add_argument("--labels", type=Path, default=Path("recipes/labels/photos_pseudo.jsonl.gz"))
    parser.add_argument("--out", type=Path, default=Path("runs/blocks"))
    options = parser.parse_args()
    options.scenes, options.size, options.photo_index, options.limit = False, 320, None, None
    torch.set_num_threads(1)
    kept = load(options.checkpoint)
    run = from_dict(kept.header["config"])
    network = HandNetwork(run.network, HandLayer(load_asset())).eval()
    network.load_state_dict(kept.groups["average"])
    crop = CropConfig(size=run.network.crop, mask_size=run.network.crop // 4)
    sets = {
        "rendered": CropSet(rendered(options, options.seed), crop),
        "photographs": CropSet(PhotoDataset(options.data, options.labels, split="held-out"), crop),
    }
    written = {"blocks": [], "attention": [], "without": []}
    for name, crops in sets.items():
        batches = [labelled for batch in crops.batches() if (labelled := sided(batch)) is not None]
        hands = sum(len(batch.image) for batch in batches)
        written["blocks"] += block_rows(f"{name} ({hands})", network, batches)
        written["attention"] += attention_rows(f"{name} ({hands})", network, batches)
        written["without"] += without_rows(f"{name} ({hands})", network, batches)
    headings = {
        "blocks": ("set", "answer", *COLUMNS),
        "attention": ("set", "block", "task", "mean weight", "spread over channels", "spread over pictures"),
        "without": ("set", "what is taken away", *COLUMNS),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows in written.items():
        lines = ["| " + " | ".join(row) + " |" for row in (headings[name], ["---"] * len(headings[name]), *rows)]
        with NewFile(options.out / f"{name}.md") as beside, beside.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        print(f"\n{name}\n\n" + "\n".join(lines))


def sided(batch: Batch) -> Batch | None:
    """The hands of which the side is known, so that the crop shows a right hand; None without any."""
    keep = (batch.right_known & batch.joints_2d_known.any(1)).nonzero()[:, 0]
    if not len(keep):
        return None
    taken = {name: value[keep] for name, value in vars(batch).items() if isinstance(value, Tensor)}
    return Batch(**taken, labels={name: value[keep] for name, value in batch.labels.items()})


@torch.no_grad()
def measured(network: HandNetwork, batches: Sequence[Batch], about: str) -> list[Table]:
    """Of every block."""
    parts: list[list[Table]] = []
    for batch in track(batches, about):
        parts.append([scored(block, batch, network) for block in network(batch.image).blocks])
    return [np.concatenate(of_block) for of_block in zip(*parts, strict=True)]


def scored(block: BlockPrediction, batch: Batch, network: HandNetwork) -> Table:
    """One block's answers to one batch."""
    assert block.mesh is not None and block.joints_2d is not None and block.mask is not None
    crop, size = network.config.crop, batch.mask.shape[-1]
    points = project_centred(block.mesh.vertices, block.mesh.focal * crop, crop)
    outline = soft_silhouette(crop_to_map(points, crop, size), network.hand.silhouette_faces, size, HARD) > 0.5
    own = block.mask > 0
    assert own.shape == outline.shape
    return table(block.joints_2d, block.mesh.joints_2d, block.mesh.joints_3d, own, outline, batch)


def table(joints: Tensor, of_mesh: Tensor, joints_3d: Tensor, mask: Tensor, outline: Tensor, batch: Batch) -> Table:
    """The columns of answers (b, 21, 2), (b, 21, 2), (b, 21, 3) and masks (b, m, m) bool."""
    out = np.full((len(batch.image), len(COLUMNS)), np.nan)
    seen = batch.joints_2d_known.numpy()
    for column, found in enumerate((joints, of_mesh)):
        away = np.linalg.norm((found - batch.joints_2d).numpy(), axis=-1) / batch.image.shape[1] * 100
        out[:, column] = (away * seen).sum(1) / seen.sum(1)
    known, true = batch.joints_3d_known.numpy(), batch.joints_3d.double().numpy()
    away = np.linalg.norm(align_similarity(joints_3d.double().numpy(), true, known) - true, axis=-1)
    out[:, 2] = np.where(known.all(1), away.mean(1) * 1000, np.nan)
    labelled = batch.mask_known.numpy()
    out[:, 3] = np.where(labelled, iou(mask, batch.mask > 0.5), np.nan)
    out[:, 4] = np.where(labelled, iou(outline, batch.mask > 0.5), np.nan)
    out[:, 5] = iou(outline, mask)
    return out


def iou(one: Tensor, other: Tensor) -> NDArray[np.float64]:
    """(b,) of masks (b, m, m) bool."""
    either = (one | other).sum((1, 2)).clamp(min=1)
    return ((one & other).sum((1, 2)) / either).double().numpy()


@torch.no_grad()
def fitted(network: HandNetwork, batches: Sequence[Batch], *, thick: bool) -> Table:
    """Of the last block's mesh after fitting, and after thickening it to its mask."""
    asset, exported, parts = load_asset(), ExportedEstimator(network), []
    crop = network.config.crop
    for batch in track(batches, "fitting and thickness" if thick else "fitting"):
        told = dict(zip(exported.NAMES, (value.numpy() for value in exported(batch.image)), strict=True))
        meshes = [one_fitted(asset, {k: v[i] for k, v in told.items()}, crop, thick) for i in range(len(batch.image))]
        vertices, joints = (
            torch.from_numpy(np.stack([getattr(mesh.hand, name) for mesh in meshes]).astype(np.float32))
            for name in ("vertices", "joints_3d")
        )
        focal, size = torch.from_numpy(told["f"]), batch.mask.shape[-1]
        points = crop_to_map(project_centred(vertices, focal, crop), crop, size)
        outline = soft_silhouette(points, network.hand.silhouette_faces, size, HARD) > 0.5
        flat = project_centred(joints, focal, crop)
        parts.append(
            table(torch.from_numpy(told["joints"]), flat, joints, torch.from_numpy(told["mask"]) > 0.5, outline, batch)
        )
    return np.concatenate(parts)


def one_fitted(asset, told: dict[str, NDArray], crop: int, thick: bool) -> Fitted:
    """As `infer.assembly` does it."""
    hand = PosedHand(**{name: told[name] for name in ("R", "T", "joints_3d", "vertices")})
    scores, depths, joints = told["joint_scores"], told["bone_depths"], told["joints"].astype(np.float64)
    focal = float(told["f"])
    mesh = fit(asset, told["beta"], told["theta"], hand, focal, joints, scores, depths, crop)
    return refine_silhouette(asset, mesh, joints, without_specks(told["mask"]), focal, crop) if thick else mesh


def block_rows(name: str, network: HandNetwork, batches: Sequence[Batch]) -> list[list[str]]:
    """Rows of blocks.md."""
    blocks = measured(network, batches, f"{name}: blocks")
    rows = [[name, f"block {k}", *told(answers)] for k, answers in enumerate(blocks, 1)]
    for k in range(2, len(blocks) + 1):
        rows.append([name, f"block {k} - block {k - 1}", *told(blocks[k - 1] - blocks[k - 2], signed=True)])
    for what, thick in (("fitted", False), ("fitted, thickness by the mask", True)):
        rows.append([name, f"block {len(blocks)}, {what}", *told(fitted(network, batches, thick=thick))])
    return rows


def told(answers: Table, *, signed: bool = False) -> list[str]:
    """Means and half intervals."""
    cells = []
    for values, digits in zip(answers.T, DIGITS, strict=True):
        known = values[~np.isnan(values)]
        if not len(known):
            cells.append("-")
            continue
        half = 1.96 * known.std(ddof=1) / len(known) ** 0.5
        cells.append(f"{known.mean():{'+' if signed else ''}.{digits}f} ± {half:.{digits}f}")
    return cells


def attentions(network: HandNetwork, batches: Sequence[Batch]) -> list[Tensor]:
    """TAM's weights (hands, tasks, channels) of every block."""
    kept: list[list[Tensor]] = [[] for _ in network.blocks]
    with watched(network, lambda block, weights: kept[block].append(weights)), torch.no_grad():
        for batch in track(batches, "attention"):
            network(batch.image)
    return [torch.cat(of_block) for of_block in kept]


@contextmanager
def watched(network: HandNetwork, see: Callable[[int, Tensor], object]) -> Iterator[None]:
    """While this lasts `see` is told of every block's attention."""

    def hook(block: int) -> Callable[..., None]:
        def told_of(tam: nn.Module, given: tuple[list[Tensor]], _: Tensor) -> None:
            assert isinstance(tam, TaskAttention)
            see(block, tam.attention(given[0]))

        return told_of

    hooks = [block.aggregate.register_forward_hook(hook(k)) for k, block in enumerate(network.blocks)]
    try:
        yield
    finally:
        for one in hooks:
            one.remove()


def attention_rows(name: str, network: HandNetwork, batches: Sequence[Batch]) -> list[list[str]]:
    """Rows of attention.md: spreads are standard deviations, of a channel's mean over channels, and of one channel's
    weight over pictures, mean over channels.
    """
    rows = []
    for k, weights in enumerate(attentions(network, batches), 1):
        for t, task in enumerate(network.blocks[k - 1].tasks):
            of_task = weights[:, t].double().numpy()
            figures = of_task.mean(), of_task.mean(0).std(), of_task.std(0).mean()
            rows.append([name, str(k), task, *(f"{figure:.3f}" for figure in figures)])
    return rows


class Weighed(nn.Module):
    """A TAM whose weights (b, n, c) are changed before they are used."""

    def __init__(self, tam: TaskAttention, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.tam, self.change = tam, change

    def forward(self, features: list[Tensor]) -> Tensor:
        """The tasks' features, weighted and summed."""
        weights = self.change(self.tam.attention(features))
        return (torch.stack(features, 1) * weights[..., None, None]).sum(1)


def without_rows(name: str, network: HandNetwork, batches: Sequence[Batch]) -> list[list[str]]:
    """Rows of without.md: the last block as it is, then the differences that a change makes."""
    plain = measured(network, batches, f"{name}: as it is")[-1]
    rows = [[name, "nothing", *told(plain)]]
    means = [weights.mean(0) for weights in attentions(network, batches)]
    changes: dict[str, Callable[[int], Callable[[Tensor], Tensor]]] = {
        "TAM's weights: their means": lambda k: lambda weights: means[k].expand_as(weights),
        "TAM's weights: all the same": lambda k: lambda weights: torch.full_like(weights, 1 / weights.shape[1]),
    }
    for t, task in enumerate(network.blocks[0].tasks):
        changes[f"{task} for TAM"] = lambda k, t=t: lambda weights: but(weights, t)
    for what, change in changes.items():
        with reweighed(network, change):
            rows.append([name, what, *told(measured(network, batches, what)[-1] - plain, signed=True)])
    for what, part in (
        ("TAM's features for the regressor heads", "tam"),
        ("the backbone's pooled features for the regressor heads", "pooled"),
        ("what a block passes on to the next", "cascade"),
    ):
        with averaged(network, batches, part):
            rows.append([name, what, *told(measured(network, batches, what)[-1] - plain, signed=True)])
    return rows


def but(weights: Tensor, task: int) -> Tensor:
    """Weights (b, n, c) without those of one task, the others as much larger as is left over."""
    kept = weights.clone()
    kept[:, task] = 0
    return kept / kept.sum(1, keepdim=True).clamp(min=1e-6)


@contextmanager
def reweighed(network: HandNetwork, change: Callable[[int], Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """While this lasts every block's TAM weighs as `change` of its number says."""
    before = [block.aggregate for block in network.blocks]
    for k, block in enumerate(network.blocks):
        block.aggregate = Weighed(before[k], change(k))
    try:
        yield
    finally:
        for block, tam in zip(network.blocks, before, strict=True):
            block.aggregate = tam


@contextmanager
def averaged(network: HandNetwork, batches: Sequence[Batch], part: str) -> Iterator[None]:
    """While this lasts a part of what is passed on is its mean over the pictures: of what the regressor heads read
    ("tam", "pooled"), block by block; or of what later blocks are given ("cascade").
    """
    width = network.heads.features[0].in_features - network.first_encoder.pooled
    where = {"tam": slice(0, width), "pooled": slice(width, None), "cascade": slice(None)}[part]
    modules = [block for block in network.blocks][1:] if part == "cascade" else [network.heads.features]
    calls, sums, count = 0, dict[int, Tensor](), sum(len(batch.image) for batch in batches)
    replacing = False

    def hook(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        nonlocal calls
        call, calls = calls % len(network.blocks) if part != "cascade" else calls % len(modules), calls + 1
        *rest, values = given
        if not replacing:
            sums[call] = sums.get(call, torch.zeros(())) + values.double().sum(0) / count
            return given
        values = values.clone()
        values[:, where] = sums[call][where].float()
        return (*rest, values)

    hooks = [module.register_forward_pre_hook(hook) for module in modules]
    try:
        with torch.no_grad():
            for batch in track(batches, "means"):
                network(batch.image)
        replacing = True
        yield
    finally:
        for one in hooks:
            one.remove()


if __name__ == "__main__":
    main()
