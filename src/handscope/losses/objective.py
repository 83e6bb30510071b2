"""The total loss: what each term weighs, block by block (paper, section 3.3). Only here are samples averaged, each term
over those of which it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from handscope.geometry.camera_torch import project_centred
from handscope.geometry.heatmaps import crop_to_map
from handscope.losses import supervised as term
from handscope.losses.consistency import heatmap_confidence, outline_consistency, projection_consistency
from handscope.losses.terms import Term, known_sample
from handscope.render.silhouette import soft_silhouette
from handscope.types import AuxiliaryPrediction, Batch, BlockPrediction, Prediction

PROJECTION_WEIGHT = 10.0
"""What the joints count in the consistency against the outline (ours; the paper leaves it unsaid): joints that
are 0.02 crop widths off cost as much as an outline whose IoU is 0.8."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Weights of the terms (zero switches a term off) and the sizes they are computed at.

    The paper leaves the weights unsaid. `consistency` ramps up linearly over `ramp` steps. `silhouette_sigma` (squared
    px of the `silhouette_px`) is how soft the rendered outline is; without it `render.silhouette.usual_sigma`.
    """

    heatmap_form: Literal["softmax", "mean"] = "softmax"
    sigma_px: float = 1.5
    heatmap: float = 1.0
    coordinates: float = 20.0
    pof: float = 2.0
    mask: float = 2.0
    bones: float = 2.0
    joints_3d: float = 4.0
    theta: float = 4.0
    orientation: float = 4.0
    beta: float = 0.02
    beta_prior: float = 0.003
    joints_2d: float = 20.0
    focal: float = 0.05
    silhouette: float = 0.3
    right: float = 2.0
    auxiliary: float = 10.0
    auxiliary_right: float = 1.0
    consistency: float = 0.0
    ramp: int = 2000
    earlier_blocks: float = 0.5
    silhouette_px: int = 32
    silhouette_sigma: float | None = None

    def __post_init__(self) -> None:
        if self.sigma_px <= 0:
            raise ValueError(f"sigma_px must be positive, got {self.sigma_px}")


def objective(
    prediction: Prediction,
    batch: Batch,
    silhouette_faces: Int[Tensor, "f 3"],
    config: ObjectiveConfig,
    step: int,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """The loss to descend and the last block's terms, unweighted means over what is known in the batch, for the log."""
    total = torch.zeros((), device=batch.mask.device)
    terms: dict[str, Term] = {}
    for i, block in enumerate(prediction.blocks):
        last = i == len(prediction.blocks) - 1
        terms = block_terms(block, batch, silhouette_faces if last else None, config)
        weight = 1.0 if last else config.earlier_blocks
        for name, value in terms.items():
            scale = min(1.0, step / max(config.ramp, 1)) if name == "consistency" else 1.0
            total = total + weight * scale * getattr(config, name) * value.mean()
    if prediction.auxiliary is not None:
        told = auxiliary_terms(prediction.auxiliary, batch)
        total = total + sum(getattr(config, name) * value.mean() for name, value in told.items())
        terms |= told
    return total, {name: value.mean().detach() for name, value in terms.items()}


def block_terms(
    block: BlockPrediction, batch: Batch, faces: Int[Tensor, "f 3"] | None, config: ObjectiveConfig
) -> dict[str, Term]:
    """Every term of one block, named as its weight; terms that render the outline only if `faces` is
    given.
    """
    crop, mesh = batch.image.shape[1], block.mesh
    as_right = shown_as_right(block, batch)
    seen = batch.joints_2d_known & as_right[:, None]
    everything = torch.ones_like(as_right)
    heatmap = term.heatmap_cross_entropy if config.heatmap_form == "softmax" else term.heatmap_squared_error
    terms = {
        "heatmap": heatmap(block.heatmaps, batch.joints_2d, batch.joints_2d_known, crop, config.sigma_px),
        "coordinates": term.joint_l1(
            block.joints_2d, batch.joints_2d, batch.joints_2d_known & term.inside(batch.joints_2d, crop), crop
        ),
        "pof": term.pof_l1(
            block.pof, batch.joints_2d, batch.joints_2d_known, batch.joints_3d, batch.joints_3d_known, crop
        ),
        "mask": term.mask_cross_entropy(block.mask, batch.mask, batch.mask_known),
        "bones": term.bone_cosine(mesh.joints_3d, batch.joints_3d, batch.joints_3d_known),
        "joints_3d": term.joint_distance(mesh.joints_3d, batch.joints_3d, batch.joints_3d_known),
        "joints_2d": term.joint_l1(mesh.joints_2d, batch.joints_2d, seen, crop),
        "theta": term.rotation_distance(mesh.theta, batch.theta, batch.model_known),
        "orientation": term.rotation_distance(mesh.R[:, None], batch.R[:, None], batch.model_known),
        "beta": known_sample((mesh.beta - batch.beta).square().mean(1), batch.model_known),
        "beta_prior": known_sample(mesh.beta.square().mean(1), everything),
        "focal": known_sample((mesh.focal.log() - batch.focal.clamp(min=1e-3).log()).abs(), batch.focal_known),
    }
    terms |= {name: HEAD_TERMS[name](told, batch) for name, told in block.heads.items()}
    if faces is not None and (config.silhouette or config.consistency):
        terms |= outline_terms(block, batch, faces, config, as_right)
    return terms


def shown_as_right(block: BlockPrediction, batch: Batch) -> Bool[Tensor, " b"]:
    """Where the hand model, a right hand, may learn: the crop shows a right hand by its label or the guess that it was
    cropped by, or, if nobody knows the side, by the network's own head.
    """
    if block.right is None:
        return batch.as_right
    return batch.as_right | (~batch.right_known & (block.right.detach() > 0))


def auxiliary_terms(auxiliary: AuxiliaryPrediction, batch: Batch) -> dict[str, Term]:
    """The terms of the auxiliary head's joints and side (ours)."""
    crop = batch.image.shape[1]
    return {
        "auxiliary": term.joint_l1(auxiliary.joints_2d, batch.joints_2d, batch.joints_2d_known, crop),
        "auxiliary_right": side_error(auxiliary.right[:, None], batch),
    }


def side_error(logit: Float[Tensor, "b 1"], batch: Batch) -> Term:
    """Cross-entropy of the logit of a right hand, where the side is known."""
    error = F.binary_cross_entropy_with_logits(logit[:, 0], batch.right, reduction="none")
    return known_sample(error, batch.right_known)


HEAD_TERMS: dict[str, Callable[[Tensor, Batch], Term]] = {"right": side_error}
"""What teaches each of `nn.heads.HEADS`: of its answer (b, n) and the batch, a term. The weight is the
field of `ObjectiveConfig` of the same name."""


def outline_terms(
    block: BlockPrediction, batch: Batch, faces: Int[Tensor, "f 3"], config: ObjectiveConfig, as_right: Tensor
) -> dict[str, Term]:
    """L_mask against known masks, and the self-supervised consistency."""
    crop, size, mesh = batch.image.shape[1], config.silhouette_px, block.mesh
    points = project_centred(mesh.vertices, mesh.focal * crop, crop)
    outline = soft_silhouette(crop_to_map(points, crop, size), faces, size, config.silhouette_sigma)
    shrink = lambda m: F.interpolate(m[:, None], size=(size, size), mode="area")[:, 0]  # noqa: E731
    terms = {"silhouette": term.silhouette_iou(outline, shrink(batch.mask), batch.mask_known & as_right)}
    if config.consistency:
        maps = block.heatmaps.shape[-1]
        confidence = heatmap_confidence(
            block.heatmaps, crop_to_map(block.joints_2d, crop, maps).detach(), config.sigma_px
        )
        distance = projection_consistency(mesh.joints_2d, block.joints_2d, confidence, crop, as_right)
        outlines = outline_consistency(outline, shrink(block.mask), as_right)
        terms["consistency"] = Term(PROJECTION_WEIGHT * distance.value + outlines.value, as_right)
    return terms
