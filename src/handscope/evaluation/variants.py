"""Every published way of scoring, under its own name: what is compared, how it is aligned, over which thresholds.

Numbers of different variants are not comparable, which is why each has a name; docs/protocols explains them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from handscope.evaluation import alignment as rules
from handscope.evaluation.curves import Thresholds
from handscope.skeleton import MIDDLE_MCP, TIPS

Quantity = Literal["joints_3d", "joints_2d", "vertices", "f_score", "surface", "mask"]
Unit = Literal[
    "mm", "px", "px of the 320 px crop", "px of the 256 px crop", "box sides", "labelled box sides", "0.7 head sizes",
    "share",
]  # fmt: skip
Which = Literal["all", "dominant", "most visible", "dominant_v0"]
"""Hands that count: all that are labelled; hand3d's one of a picture, by mask pixels; Minimal-Hand's, by visible
joints; `dominant_v0`, as until 0.6.0: where masks lack, the picture's first label stands for the dominant hand."""
TO_PALM = "palm, half-way to the middle knuckle"
ZEROTH = {"wrist": None, TO_PALM: 9, "palm, half-way to the ring knuckle": 13}
"""What joint 0 stands for, and the joint half-way to which it is moved from the wrist (RHD's palm, STB's palm)."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way of scoring. `root` and `aligned` say in words what `align` does; `origin` says whose way it is."""

    name: str
    quantity: Quantity
    origin: str
    unit: Unit = "mm"
    root: str = "none"
    aligned: str = "nothing"
    align: Callable[..., rules.Points] = field(default=rules.unaligned, repr=False)
    at: Thresholds | None = None
    joints: tuple[int, ...] = tuple(range(21))
    zeroth: str = "wrist"
    visible_only: bool = False
    hands: Which = "all"
    from_mesh: bool = False
    """2D joints are the 3D ones projected, masks the mesh's (the paper's columns with a dagger)."""
    whole_px: bool = False
    """True joints are cut to whole pixels first (hand3d casts uv to int)."""
    least_known: int = 1
    """Hands with fewer known joints among `joints` are left out."""
    limit_m: float = 0.0
    """The F-score's distance; 0 for another quantity."""


FREIHAND = "lmb-freiburg/freihand eval.py"
HAMER = "geopavlakos/hamer utils/pose_utils.py"
HAND3D = "lmb-freiburg/hand3d eval_full.py, utils/general.py"
HAND3D_2D = "lmb-freiburg/hand3d eval2d_gt_cropped.py, data/BinaryDbReader.py"
MINIMAL = "MengHao666/Minimal-Hand-pytorch utils/align.py, train_detnet.py"
BOUKHAYMA = "Boukhayma et al., CVPR 2019"
BOUKHAYMA_CROP = "boukhayma/3dhand crop.py, PCK/mpii+nzsl"
V0 = "handscope 0.1 to 0.6; replaced by "
TO_50 = Thresholds(low=0, high=50, steps=100)
HAND3D_50 = Thresholds(low=0, high=50, steps=20)
HAND3D_20_50 = Thresholds(low=0, high=50, steps=20, skip=8)
MM_20_50 = Thresholds(low=20, high=50, steps=31)
STEPS_15 = Thresholds(low=20, high=50, steps=15)
PX_30 = Thresholds(low=0, high=30, steps=20)
EVERY_PX_30 = Thresholds(low=0, high=30, steps=31)

OFFICIAL = {"align": rules.align_w_scale, "aligned": "similarity, reflections allowed (official)", "root": "centroid"}
DAGGER = {"from_mesh": True}
CORRECTED = {"align": rules.align_similarity, "aligned": "similarity, no reflection", "root": "centroid"}


def _freihand() -> list[Variant]:
    variants = []
    for ending, origin, how in (("", FREIHAND, {}), ("_al", FREIHAND, OFFICIAL), ("_pa", HAMER, CORRECTED)):
        variants += [
            Variant(name=f"freihand_xyz{ending}", quantity="joints_3d", origin=origin, at=TO_50, **how),
            Variant(name=f"freihand_mesh{ending}", quantity="vertices", origin=origin, at=TO_50, **how),
        ]
        for mm in (5, 15):
            name = f"freihand_f{mm}{ending}"
            variants.append(
                Variant(name=name, quantity="f_score", origin=origin, unit="share", limit_m=mm / 1000, **how)
            )
    surface = {**CORRECTED, "aligned": "similarity of the joints, no reflection"}
    variants.append(Variant(name="freihand_surface_pa", quantity="surface", origin="this project", **surface))
    for mm in (5, 15):
        name = f"freihand_surface_f{mm}_pa"
        how = {"unit": "share", "limit_m": mm / 1000, "origin": "this project"} | surface
        variants.append(Variant(name=name, quantity="surface", **how))
    return variants


def _hand3d_like(dataset: str, palm: str) -> list[Variant]:
    """The 3D variants that the field has used on RHD and STB."""
    palm_bone = {
        "align": rules.align_root_and_bone(0, (9, 10)),
        "aligned": "root; scale by the bone middle MCP-PIP",
        "root": "palm",
        "zeroth": palm,
    }
    knuckle_bone = {
        "align": rules.align_root_and_bone(MIDDLE_MCP, (0, MIDDLE_MCP)),
        "aligned": "root; scale by the bone wrist-middle MCP",
        "root": "middle MCP",
    }
    one_seen, most_seen = ({"visible_only": True, "hands": "dominant"}, {"hands": "most visible"})
    if dataset != "rhd":  # one hand a picture, all of it labelled
        one_seen, most_seen = {}, {}
    rows = [
        ("hand3d", HAND3D, HAND3D_20_50, palm_bone | one_seen),
        ("hand3d_full", HAND3D, HAND3D_50, palm_bone | one_seen),
        ("1mm", BOUKHAYMA + " (axis; root and scale as hand3d)", MM_20_50, palm_bone),
        ("1mm_root", "1-mm axis, root only", MM_20_50,
         {"align": rules.align_root(0), "aligned": "root", "root": "palm", "zeroth": palm}),
        ("15steps", MINIMAL, STEPS_15, knuckle_bone | most_seen),
    ]  # fmt: skip
    if dataset == "rhd":
        rows.append(("15steps_v0", V0 + "rhd_15steps", STEPS_15, knuckle_bone))
    return [
        Variant(name=f"{dataset}_{name}", quantity="joints_3d", origin=origin, at=at, **how)
        for name, origin, at, how in rows
    ]


def _dexter_object() -> list[Variant]:
    rows = [
        ("minimal_hand", MINIMAL, STEPS_15, rules.align_centroid_and_radius,
         "valid tips' centroid; scale by their mean radius", "tips' centroid", 2),
        ("root_depth", "Mueller et al. 2018, Iqbal et al. 2018; tips' mean depth for the unlabelled root",
         Thresholds(low=0, high=100, steps=101), rules.align_depth, "true depth given, pixels kept",
         "tips' mean depth", 1),
        ("1mm", BOUKHAYMA + " (axis)", MM_20_50, rules.align_centroid, "valid tips' centroid", "tips' centroid", 1),
    ]  # fmt: skip
    return [
        Variant(name=f"dexter_object_{name}", quantity="joints_3d", origin=origin, at=at, align=align, aligned=aligned,
                root=root, least_known=least, joints=TIPS)
        for name, origin, at, align, aligned, root, least in rows
    ]  # fmt: skip


def _flat() -> list[Variant]:
    def picked(low: float, high: float, steps: int, *, inclusive: bool) -> Thresholds:
        return Thresholds(low=low, high=high, steps=steps, inclusive=inclusive, area="mean")

    mmpose_auc = Thresholds(low=0, high=28.5, steps=20, inclusive=False, area="left sum")
    mmpose_pck = picked(0, 0.2, 3, inclusive=False)
    seen = {"visible_only": True, "hands": "dominant", "zeroth": TO_PALM, "whole_px": True}
    seen_v0 = {"visible_only": True, "hands": "dominant_v0"}
    rows: list[tuple[str, str, Unit, Thresholds, dict[str, Any]]] = [
        ("2d_hand3d", HAND3D_2D, "px", PX_30, seen),
        ("2d_box", "this project's default: AUC from 0 to 0.2", "box sides", Thresholds(low=0, high=0.2, steps=101),
         {}),
        ("cmu_px", BOUKHAYMA_CROP, "px of the 320 px crop", EVERY_PX_30, {}),
        ("cmu_pckh", "Simon et al., CVPR 2017: PCKh", "0.7 head sizes", Thresholds(low=0, high=1, steps=101), {}),
        ("cmu_mmpose_pck", "mmpose PCKAccuracy, norm bbox: 0.2 is the last threshold", "labelled box sides",
         mmpose_pck, {}),
        ("cmu_mmpose_auc", "mmpose AUC, norm_factor 30, 20 thresholds", "px", mmpose_auc, {}),
        ("cmu_nsrm", "NSRMhand: mean PCK at 0.04, 0.06, 0.08, 0.10, 0.12", "box sides",
         picked(0.04, 0.12, 5, inclusive=False), {}),
        ("cmu_hint", "HaMeR EvaluatorPCK on HInt: PCK at 0.05, 0.10, 0.15", "box sides",
         picked(0.05, 0.15, 3, inclusive=True), {}),
        ("2d_hand3d_mesh", HAND3D_2D, "px", PX_30, seen | DAGGER),
        ("2d_box_mesh", "this project's default, as 2d_box", "box sides", Thresholds(low=0, high=0.2, steps=101),
         DAGGER),
        ("cmu_px_mesh", BOUKHAYMA_CROP, "px of the 320 px crop", EVERY_PX_30, DAGGER),
        ("2d_hand3d_v0", V0 + "2d_hand3d", "px of the 256 px crop", PX_30, seen_v0),
        ("cmu_px_v0", V0 + "cmu_px", "px", PX_30, {}),
        ("cmu_mmpose_pck_v0", V0 + "cmu_mmpose_pck", "box sides", mmpose_pck, {}),
        ("cmu_nsrm_v0", V0 + "cmu_nsrm", "box sides", picked(0.04, 0.12, 5, inclusive=True), {}),
        ("cmu_hint_v0", V0 + "cmu_hint", "box sides", picked(0.05, 0.15, 3, inclusive=False), {}),
    ]  # fmt: skip
    return [
        Variant(name=name, quantity="joints_2d", origin=origin, unit=unit, at=at, **how)
        for name, origin, unit, at, how in rows
    ]


def _masks() -> list[Variant]:
    at = Thresholds(low=0, high=1, steps=101)
    origin = "this project; the paper's Figure 8 gives no definition"
    return [
        Variant(name=name, quantity="mask", origin=origin, unit="share", at=at, from_mesh=from_mesh)
        for name, from_mesh in (("mask_iou", False), ("mask_iou_mesh", True))
    ]


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        *_freihand(),
        *_hand3d_like("rhd", TO_PALM),
        *_hand3d_like("stb", "palm, half-way to the ring knuckle"),
        *_dexter_object(),
        *_flat(),
        *_masks(),
    )
}
FLAT = ("2d_hand3d", "2d_hand3d_mesh", "2d_box", "2d_box_mesh")
MASKS = ("mask_iou", "mask_iou_mesh")


def _named(beginning: str) -> tuple[str, ...]:
    """The present variants of a dataset, those that replaced others only."""
    return tuple(name for name in VARIANTS if name.startswith(beginning) and not name.endswith("_v0"))


PROTOCOLS: dict[str, tuple[str, ...]] = {
    "freihand": (*_named("freihand"), *FLAT, *MASKS),
    "rhd": (*_named("rhd"), *FLAT, *MASKS),
    "stb": (*_named("stb"), *FLAT),
    "dexter_object": _named("dexter_object"),
    "cmu": (*_named("cmu"), *FLAT),
    "hiu": (*FLAT, *MASKS),
    "2d": FLAT,
    "mask": MASKS,
    "v0": tuple(name for name in VARIANTS if name.endswith("_v0")),
    "all": tuple(VARIANTS),
}
"""Groups of variants by the dataset they belong to; those for which a truth or a prediction lacks are refused. `v0` are
the definitions of earlier releases that later ones corrected, kept for one release so that scores can be compared."""
