"""The total loss: what each term weighs, block by block (paper, section 3.3). Only here are samples averaged, each term
over those of which it is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from handscope.geometry.camera_torch import project_centred
from handscope.geometry.heatmaps import crop_to_map
from handscope.losses import supervised as term
from handscope.losses.consistency import outline_consistency, projection_consistency
from handscope.render.silhouette import soft_silhouette
from handscope.tasks.conventions import as_labelled, as_modelled
from handscope.tasks.heatmap import heatmap_confidence, inside
from handscope.tasks.presence import presence_error
from handscope.tasks.side import side_error
from handscope.tasks.table import HEADS, MAPS
from handscope.tasks.task import MapForm, MapTarget
from handscope.tasks.terms import Term, known_sample
from handscope.types import AuxiliaryPrediction, Batch, BlockPrediction, MeshPrediction, Prediction, Reach


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Weights of the terms (zero switches a term off) and the sizes they are computed at.

    The paper leaves the weights unsaid. `heads` weighs heads otherwise than `tasks.table.HEADS` does. `consistency`
    ramps up linearly over `ramp` steps and multiplies its parts: joints that are 0.02 crop widths off cost as much as
    an outline whose IoU is 0.8. `consistency_reach` is where its gradient stops: at the regressor heads' features
    ("heads"), at the TAM's ("tam"), or nowhere; only then do the decoders' features, and with them the teachers, move
    with the mesh. `heatmap_form`, `sigma_px` and `heatmap_peak` are `tasks.task.MapTarget`. `silhouette_sigma` (squared
    px of the `silhouette_px`) is how soft the rendered outline is; without it `render.silhouette.usual_sigma`.
    """

    heatmap_form: MapForm = "softmax"
    sigma_px: float = 1.5
    heatmap_peak: float = 0.0
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
    heads: dict[str, float] = field(default_factory=dict)
    consistency: float = 0.0
    consistency_joints: float = 10.0
    consistency_mask: float = 1.0
    consistency_reach: Reach = "everything"
    ramp: int = 2000
    earlier_blocks: float = 0.5
    silhouette_px: int = 32
    silhouette_sigma: float | None = None

    def __post_init__(self) -> None:
        if self.sigma_px <= 0:
            raise ValueError(f"sigma_px must be positive, got {self.sigma_px}")
        if unknown := set(self.heads) - set(HEADS):
            raise ValueError(f"heads must be of {', '.join(HEADS)}, got {', '.join(sorted(unknown))}")

    def weight(self, name: str) -> float:
        """Of the term `name`."""
        if name in ("consistency_joints", "consistency_mask"):
            return self.consistency * getattr(self, name)
        if name in HEADS and name != "right":
            return self.heads.get(name, HEADS[name].weight)
        return getattr(self, name)


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
    ramped = min(1.0, step / max(config.ramp, 1))
    for i, block in enumerate(prediction.blocks):
        terms = block_terms(block, batch, silhouette_faces, config)
        weight = 1.0 if i == len(prediction.blocks) - 1 else config.earlier_blocks
        for name, value in terms.items():
            scale = ramped if name.startswith("consistency") else 1.0
            total = total + weight * scale * config.weight(name) * value.mean()
    if prediction.auxiliary is not None:
        told = auxiliary_terms(prediction.auxiliary, batch)
        for name, value in told.items():
            total = total + config.weight(name) * value.mean()
        terms |= told
    return total, {name: value.mean().detach() for name, value in terms.items()}


def block_terms(
    block: BlockPrediction, batch: Batch, faces: Int[Tensor, "f 3"], config: ObjectiveConfig
) -> dict[str, Term]:
    """Every term of what one block says, named as its weight."""
    crop, target = (
        batch.image.shape[1],
        MapTarget(form=config.heatmap_form, sigma_px=config.sigma_px, peak=config.heatmap_peak),
    )
    as_right = shown_as_right(block, batch)
    maps, modelled = block.maps, as_modelled(batch)
    terms = {name: MAPS[name].term(answer, modelled, target) for name, answer in maps.items()}
    if block.joints_2d is not None:
        known = modelled.joints_2d_known & inside(modelled.joints_2d, crop)
        terms["coordinates"] = term.joint_l1(block.joints_2d, modelled.joints_2d, known, crop)
    terms |= {name: HEADS[name].term(told, batch) for name, told in block.heads.items()}
    if block.mesh is None:
        return terms
    terms |= mesh_terms(as_labelled(block.mesh, batch), batch, as_right)
    if config.silhouette:
        outline = rendered_outline(block.mesh, faces, crop, config)
        known = batch.mask_known & as_right
        terms["silhouette"] = term.silhouette_iou(outline, shrunk(batch.mask, config.silhouette_px), known)
    if config.consistency:
        terms |= consistency_terms(block, faces, crop, config, as_right)
    return terms


def mesh_terms(mesh: MeshPrediction, batch: Batch, as_right: Bool[Tensor, " b"]) -> dict[str, Term]:
    """What labels say of the hand model's joints, which are those of the labels' convention, parameters and camera."""
    crop, hands = batch.image.shape[1], batch.present > 0
    seen = batch.joints_2d_known & as_right[:, None]
    return {
        "bones": term.bone_cosine(mesh.joints_3d, batch.joints_3d, batch.joints_3d_known),
        "joints_3d": term.joint_distance(mesh.joints_3d, batch.joints_3d, batch.joints_3d_known),
        "joints_2d": term.joint_l1(mesh.joints_2d, batch.joints_2d, seen, crop),
        "theta": term.rotation_distance(mesh.theta, batch.theta, batch.model_known),
        "orientation": term.rotation_distance(mesh.R[:, None], batch.R[:, None], batch.model_known),
        "beta": known_sample((mesh.beta - batch.beta).square().mean(1), batch.model_known),
        "beta_prior": known_sample(mesh.beta.square().mean(1), hands),
        "focal": known_sample((mesh.focal.log() - batch.focal.clamp(min=1e-3).log()).abs(), batch.focal_known),
    }


def shown_as_right(block: BlockPrediction, batch: Batch) -> Bool[Tensor, " b"]:
    """Where the hand model, a right hand, may learn: the crop shows a right hand by its label or the guess that it was
    cropped by, or, if nobody knows the side, by the network's own head; and nobody knows that it shows none.
    """
    if block.right is None:
        return batch.as_right
    may_be = ~batch.right_known & (batch.present > 0)
    return batch.as_right | (may_be & (block.right.detach() > 0))


def auxiliary_terms(auxiliary: AuxiliaryPrediction, batch: Batch) -> dict[str, Term]:
    """The terms of joints, side and presence as heads on pooled features say them (ours)."""
    crop, batch = batch.image.shape[1], as_modelled(batch)
    terms = {
        "auxiliary": term.joint_l1(auxiliary.joints_2d, batch.joints_2d, batch.joints_2d_known, crop),
        "auxiliary_right": side_error(auxiliary.right[:, None], batch),
    }
    if auxiliary.present is not None:
        terms["present"] = presence_error(auxiliary.present[:, None], batch)
    return terms


def rendered_outline(
    mesh: MeshPrediction, faces: Int[Tensor, "f 3"], crop: int, config: ObjectiveConfig
) -> Float[Tensor, "b s s"]:
    """The mesh's soft silhouette over the crop, at `silhouette_px`."""
    size = config.silhouette_px
    points = project_centred(mesh.vertices, mesh.focal * crop, crop)
    return soft_silhouette(crop_to_map(points, crop, size), faces, size, config.silhouette_sigma)


def shrunk(maps: Float[Tensor, "b m m"], size: int) -> Float[Tensor, "b s s"]:
    """Maps at `size`, each cell a mean."""
    return F.interpolate(maps[:, None], size=(size, size), mode="area")[:, 0]


def consistency_terms(
    block: BlockPrediction, faces: Int[Tensor, "f 3"], crop: int, config: ObjectiveConfig, as_right: Bool[Tensor, " b"]
) -> dict[str, Term]:
    """The self-supervised parts: the mesh's joints against the heat-maps', its outline against the mask."""
    mesh = block.taught_mesh or block.mesh
    terms: dict[str, Term] = {}
    if mesh is not None and block.heatmaps is not None and block.joints_2d is not None:
        read = crop_to_map(block.joints_2d, crop, block.heatmaps.shape[-1]).detach()
        form = "softmax" if config.heatmap_form == "softmax" else "mean"
        confidence = heatmap_confidence(block.heatmaps, read, config.sigma_px, form)
        terms["consistency_joints"] = projection_consistency(
            mesh.joints_2d, block.joints_2d, confidence, crop, as_right
        )
    if mesh is not None and block.mask is not None:
        outline = rendered_outline(mesh, faces, crop, config)
        terms["consistency_mask"] = outline_consistency(outline, shrunk(block.mask, config.silhouette_px), as_right)
    return terms
