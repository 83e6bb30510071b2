"""From a checkpoint to what ships: one ONNX graph, skinning included, a card with everything it was made from,
and the SHA-256.

The graph is checked against torch before it is written: every output within 1e-4 on crops of noise and of plain
colours.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnxruntime
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from handscope.data.transforms import CropConfig
from handscope.errors import HandscopeError
from handscope.files import NewFile, write_file
from handscope.geometry.heatmaps import crop_to_map
from handscope.nn.aligner import ExportedAligner, HandAligner
from handscope.nn.context import CROP_PX, ExportedContext, HandContext
from handscope.nn.detector import ExportedDetector, HandDetector
from handscope.nn.exported import Exported
from handscope.nn.network import HandNetwork
from handscope.tasks.heatmap import heatmap_confidence
from handscope.tasks.pof import bone_depths
from handscope.tasks.table import HEADS, MAPS
from handscope.train.aligner import AlignerRun
from handscope.train.checkpoint import load
from handscope.train.context import ContextRun
from handscope.train.detector import DetectorRun
from handscope.train.estimator import EstimatorRun, build
from handscope.train.recipe import Run, from_dict
from handscope.types import JsonValue

Kind = Literal["estimator", "aligner", "detector", "context"]
TOLERANCE = 1e-4
PLACE_TOLERANCE = 1e-3
"""The detector's answers are px of pictures hundreds of px wide."""
PICTURE_PX = 192
"""A size at which the detector is tried."""
SCORE_SIGMA_PX = 1.5


class ExportedEstimator(Exported):
    """What ships as ONNX: bytes in; joints in crop px, probabilities, angles and metres out."""

    NAMES = (
        "joints",
        "joint_scores",
        "bone_depths",
        "mask",
        "right",
        "theta",
        "beta",
        "R",
        "T",
        "f",
        "projected",
        "joints_3d",
        "vertices",
    )

    def __init__(self, network: HandNetwork, *, mirror_prob: float = 0.5) -> None:
        """`mirror_prob` is the share of training crops that were mirrored the wrong way: the head's answers have that
        prior, the graph's have none.
        """
        super().__init__()
        self.network = network
        self.extra = [name for name in network.config.heads if name != "right"]
        self.NAMES = (*self.NAMES, *(HEADS[name].exported for name in self.extra))
        self.prior = math.log((1 - mirror_prob) / mirror_prob)

    def forward(self, crop: UInt8[Tensor, "n s s 3"]) -> tuple[Tensor, ...]:
        """The outputs named in NAMES; the camera is a pinhole at the crop's centre with focal length f in px."""
        last = self.network(crop).last
        assert last.mesh is not None and last.joints_2d is not None and last.heatmaps is not None
        assert last.mask is not None and last.pof is not None
        mesh, size = last.mesh, last.heatmaps.shape[-1]
        read = crop_to_map(last.joints_2d, crop.shape[1], size)
        scores = heatmap_confidence(last.heatmaps, read, SCORE_SIGMA_PX, self.network.config.coordinates)
        on_field = crop_to_map(last.joints_2d, crop.shape[1], last.pof.shape[-1])
        right = torch.ones_like(mesh.focal) if last.right is None else (last.right - self.prior).sigmoid()
        return (
            last.joints_2d,
            scores,
            bone_depths(last.pof, on_field),
            last.mask.sigmoid(),
            right,
            rotation_vectors(mesh.theta),
            mesh.beta,
            mesh.R,
            mesh.T,
            mesh.focal * crop.shape[1],
            mesh.joints_2d,
            mesh.joints_3d,
            mesh.vertices,
            *(HEADS[name].read(last.heads[name]) for name in self.extra),
        )


def rotation_vectors(matrix: Float[Tensor, "n 15 3 3"]) -> Float[Tensor, "n 15 3"]:
    """Axis-angle of finger rotations, without branches, for ONNX; exact below half a turn (no finger turns that
    far).
    """
    entries = matrix.flatten(-2)
    skew = entries[..., [7, 2, 3]] - entries[..., [5, 6, 1]]
    sine = (skew.square().sum(-1, keepdim=True) / 4 + 1e-14).sqrt()
    cosine = ((entries[..., [0, 4, 8]].sum(-1, keepdim=True) - 1) / 2).clamp(-0.999, 1.0)
    return skew * torch.atan(sine / (1 + cosine)) / sine  # the angle is twice the arc tangent of its half


def exported(run: Run) -> tuple[nn.Module, Exported]:
    """An untrained network of a run's configuration, and the form of it that ships; both hold the same weights."""
    if isinstance(run, EstimatorRun):
        if set(run.network.tasks) != set(MAPS) or not run.network.mesh:
            found = ", ".join([*run.network.tasks, *(["mesh"] if run.network.mesh else [])])
            raise HandscopeError(f"the runtime needs {', '.join(MAPS)} and mesh; this network has {found}")
        network = build(run.network, hand_model=run.hand_model)
        shares = {"mirror_prob": run.crop.mirror_prob} if 0 < run.crop.mirror_prob < 1 else {}
        return network, ExportedEstimator(network, **shares)
    if isinstance(run, AlignerRun):
        aligner = HandAligner(run.network)
        return aligner, ExportedAligner(aligner)
    if isinstance(run, DetectorRun):
        detector = HandDetector(run.network)
        return detector, ExportedDetector(detector)
    if isinstance(run, ContextRun):
        context = HandContext()
        return context, ExportedContext(context)
    raise HandscopeError(f"a {run.kind} is for comparison: the runtime has no use for it")


def load_network(kind: Kind, path: Path) -> tuple[Exported, Run, dict[str, JsonValue]]:
    """The averaged network of a checkpoint, ready to export; its run and the checkpoint's header."""
    checkpoint = load(path)
    run = from_dict(checkpoint.header["config"], kind)
    if run.kind != kind:
        raise HandscopeError(f"{path}: not a checkpoint of the {kind} but of the {run.kind}")
    network, wrapped = exported(run)
    try:
        network.load_state_dict(checkpoint.groups["average"])
    except RuntimeError as problem:
        reason = str(problem).splitlines()[0]
        raise HandscopeError(f"{path}: not a checkpoint of the {kind} ({reason})") from problem
    fold(network.eval())
    with torch.no_grad():
        for parameter in network.parameters():  # stored as float16, so checked as such
            parameter.copy_(parameter.half().float())
    return wrapped.eval(), run, checkpoint.header


def fold(network: nn.Module) -> None:
    """In place: every batch norm into the convolution before it, every sub-pixel convolution into a `Transposed`, every
    PReLU into a `Bend`.
    """
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.PReLU):
                setattr(module, name, Bend(child))
        if not isinstance(module, nn.Sequential) or len(module) < 2:
            continue
        first, second = module[0], module[1]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(first, second), nn.Identity()
        elif isinstance(first, nn.Conv2d) and isinstance(second, nn.PixelShuffle):
            module[0], module[1] = Transposed(first, int(second.upscale_factor)), nn.Identity()


class Bend(nn.Module):
    """A PReLU as two depthwise 1x1 convolutions: ONNX Runtime's own leaves the blocked layout of its convolutions, and
    takes 17 ms for the palm network where this takes 10.
    """

    def __init__(self, original: nn.PReLU) -> None:
        super().__init__()
        slopes = original.weight.detach()
        channels = len(slopes)
        self.straight = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.above = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.straight.weight = nn.Parameter(slopes.view(-1, 1, 1, 1).clone())
        self.above.weight = nn.Parameter((1 - slopes).view(-1, 1, 1, 1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Slope times x, and the rest of x where it is positive."""
        return self.straight(x) + self.above(x.relu())


class Transposed(nn.Module):
    """A 1x1 convolution and the pixel shuffle after it as one transposed convolution: ONNX Runtime shuffles slowly."""

    def __init__(self, convolution: nn.Conv2d, factor: int) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.factor = factor
        weight = convolution.weight.detach()[:, :, 0, 0].unflatten(0, (-1, factor, factor))  # (out, f, f, in)
        self.weight = nn.Parameter(weight.permute(3, 0, 1, 2).contiguous())
        self.bias = nn.Parameter(convolution.bias.detach().view(-1, factor, factor))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d u v"]:
        """Maps of `factor` times the sides."""
        return F.conv_transpose2d(x, self.weight, stride=self.factor) + self.bias.repeat(1, *x.shape[2:])


def export(kind: Kind, checkpoint: Path, out: Path, notes: Mapping[str, JsonValue]) -> Path:
    """Write `out`/{kind}.onnx and its card; `notes` (data, licence, metrics) goes into the card.

    Raises HandscopeError if ONNX Runtime and torch disagree by more than 1e-4 (the detector: 1e-3) anywhere.
    """
    network, run, header = load_network(kind, checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{kind}.onnx"
    if isinstance(run, DetectorRun):
        digest, worst = write_checked(network, PICTURE_PX, "image", path, tolerance=PLACE_TOLERANCE, any_size=True)
    else:
        size = CROP_PX if isinstance(run, ContextRun) else run.network.crop
        digest, worst = write_checked(network, size, "crop", path, tolerance=TOLERANCE)
    card = {
        "name": kind,
        "sha256": digest,
        "date": datetime.date.today().isoformat(),
        "commit": header["commit"],
        "steps": header["step"],
        **({"averaged": header["averaged"]} if "averaged" in header else {}),
        "config": header["config"],
        **({"crop": crop_noise(run.crop)} if isinstance(run, EstimatorRun) else {}),
        "onnx_against_torch": worst,
        **notes,
    }
    write_file(out / f"{kind}.json", json.dumps(card, indent=1) + "\n")
    return path


def crop_noise(crop: CropConfig) -> dict[str, float]:
    """How far training crops were from the upright one, for inference, which asks for no other crop within it: standard
    deviations of rotation (degrees), translation (crop extents) and scale (log of the extent).
    """
    return {"rotation_deg": crop.rotation_deg, "translation": crop.translation, "scale": crop.scale}


def write_checked(
    network: Exported, size: int, name: str, path: Path, *, tolerance: float, any_size: bool = False
) -> tuple[str, dict[str, float]]:
    """Write the ONNX file if it does what the network does; its SHA-256 and the largest difference of each output.

    Raises HandscopeError if ONNX Runtime and torch disagree by more than `tolerance` anywhere.
    """
    with NewFile(path) as beside:
        write_graph(network, size, name, beside, any_size=any_size)
        worst = largest_difference(network, size, beside)
        if max(worst.values()) > tolerance:
            raise HandscopeError(f"{path}: ONNX Runtime and torch differ by {worst}, at most {tolerance} is allowed")
        digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    return digest, {output: float(f"{value:.2g}") for output, value in worst.items()}


def write_graph(network: Exported, size: int, name: str, path: Path, *, any_size: bool = False) -> None:
    """The ONNX file: one uint8 input (n, size, size, 3), any n; with `any_size` of any sides that 32 divides."""
    width = 2 * size if any_size else size  # another one, lest the exporter takes the sides for equal
    example = torch.randint(0, 256, (2, size, width, 3), dtype=torch.uint8)
    axes: dict[int, Any] = {0: torch.export.Dim("n", min=1, max=64)}
    if any_size:
        axes |= {axis: 32 * torch.export.Dim(f"cells_{axis}", min=1, max=128) for axis in (1, 2)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the exporter's own insides
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[name],
            output_names=list(network.NAMES),
            dynamic_shapes=(axes,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    halve(path)


def halve(path: Path) -> None:
    """Store every constant that float16 holds exactly as float16, cast back when the file is opened.

    Those are the weights (`load_network` rounds them), most of the file.
    """
    model = onnx.load(path)
    kept, casts = [], []
    for constant in model.graph.initializer:
        value = onnx.numpy_helper.to_array(constant)
        half = value.astype(np.float16) if value.dtype == np.float32 and value.size > 64 else None
        if half is None or not np.array_equal(half.astype(np.float32), value):
            kept.append(constant)
            continue
        kept.append(onnx.numpy_helper.from_array(half, f"{constant.name}.half"))
        casts.append(onnx.helper.make_node("Cast", [kept[-1].name], [constant.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def largest_difference(network: Exported, size: int, path: Path) -> dict[str, float]:
    """Per output, the largest difference of ONNX Runtime from torch; relative where a value exceeds 1."""
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (3, size, size, 3), np.uint8)
    crops[1] = np.array([180, 140, 120], np.uint8)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(network.NAMES), {session.get_inputs()[0].name: crops})
    with torch.no_grad():
        expected = network(torch.from_numpy(crops))
    pairs = zip(network.NAMES, found, expected, strict=True)
    gap = lambda f, e: float((np.abs(f - e) / np.maximum(1, np.abs(e))).max())  # noqa: E731
    return {name: gap(f, e.numpy()) for name, f, e in pairs}
