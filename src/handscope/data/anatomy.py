"""What labels of hands obey whoever's hands they are: bone lengths, the order of fingers, the side, the camera.

Each law is a number for a whole set of hands and the range in which it lies if joint order, unit, hand side and camera
are read as they should be. The ranges are wide: children, other definitions of the wrist and of the thumb's base, and
any pose must pass; a swapped finger, a factor of ten or a mirrored hand must not. Lengths are measured against those of
the open hand, whose own come from published ones (docs/hand-model.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import longer_side, tight_box
from handscope.geometry.camera import project
from handscope.hand.bones import bone_lengths, reference_bones
from handscope.skeleton import BONES, JOINT_NAMES, MCPS, TIPS
from handscope.types import HandLabel, Sample

Array = NDArray[np.floating]
Seen = Sequence[tuple[Sample, HandLabel]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One law: `value` over `count` hands, and the range [`low`, `high`] in which it should lie."""

    name: str
    value: float
    low: float
    high: float
    count: int
    hint: str
    """What is likely wrong if it does not."""

    @property
    def ok(self) -> bool:
        """Whether the value is in its range."""
        return self.low <= self.value <= self.high


def findings(samples: Iterable[Sample]) -> list[Finding]:
    """Every law that can be judged from what the hands of `samples` have."""
    seen = [(sample, hand) for sample in samples for hand in sample.hands]
    found: list[Finding] = []
    spatial = (_size, _bones_3d, _order_3d, _side, _depth)
    for law in (*spatial, _bones_2d, _order_2d, _camera, _reprojection, _inside, _mask):
        found += law(seen)
    return found


def palm_side(joints: Array) -> Array:
    """How far (n,) metres the fingertips of RIGHT hands (n, 21, 3) are on the palm's side; for left hands, minus that.

    The palm's plane holds wrist, index and little knuckle; the mean of fingers and thumb.
    """
    index, little = joints[:, 5] - joints[:, 0], joints[:, 17] - joints[:, 0]
    normal = np.cross(index, little)  # out of the palm of a right hand, x right, y down, z forward
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    return np.einsum("nfc,nc->n", joints[:, list(TIPS)] - joints[:, [0]], normal) / len(TIPS)


def knuckles_in_line(joints: Array) -> NDArray[np.bool_]:
    """Whether (n,) the middle and ring knuckles of joints (n, 21, c) lie in order between the outer ones."""
    first, last = joints[:, MCPS[0]], joints[:, MCPS[3]]
    across = last - first
    middle, ring = (((joints[:, j] - first) * across).sum(1) for j in MCPS[1:3])
    return (middle > 0) & (ring > middle) & (ring < (across**2).sum(1))


def thumb_beside_index(joints: Array) -> NDArray[np.bool_]:
    """Whether (n,) the thumb's knuckle of joints (n, 21, c) is nearer to the index than to the little finger's."""
    apart = np.linalg.norm(joints[:, [2]] - joints[:, [MCPS[0], MCPS[3]]], axis=-1)
    return apart[:, 0] < apart[:, 1]


def tapering(joints: Array) -> NDArray[np.bool_]:
    """Whether (n,) the fingers' first bones are together longer than their last ones; fingers with NaN do not count."""
    length = bone_lengths(joints)[:, 4:].reshape(-1, 4, 4)  # fingers, then wrist to knuckle and three bones
    return np.nansum(length[:, :, 1] - length[:, :, 3], axis=1) > 0


ORDER_LAWS: tuple[tuple[str, Callable[[Array], NDArray[np.bool_]], tuple[int, ...], str], ...] = (
    ("knuckles in line", knuckles_in_line, MCPS, "joint order: index, middle, ring, little finger"),
    ("thumb beside the index finger", thumb_beside_index, (2, 5, 17), "joint order: thumb first, then index finger"),
    ("fingers taper", tapering, (9, 12), "joint order: each finger goes from its base to its tip"),
)
"""Name, law, the joints it needs, and what is wrong if it does not hold."""


def _stack(seen: Seen, *, spatial: bool, needs: Sequence[int], side: bool = False) -> tuple[Array, list[HandLabel]]:
    """Joints (n, 21, c) of the hands that have all `needs` (and a side), NaN where unknown; and the hands."""
    key, size = ("joints_3d", 3) if spatial else ("joints_2d", 2)
    hands, stack = [], []
    for _, hand in seen:
        joints, known = getattr(hand, key), getattr(hand, f"{key}_known")
        if joints is not None and known[list(needs)].all() and (hand.handedness or not side):
            hands.append(hand)
            stack.append(np.where(known[:, None], joints, np.nan))
    return np.array(stack, np.float64).reshape(-1, 21, size), hands


def _size(seen: Seen) -> list[Finding]:
    joints, _ = _stack(seen, spatial=True, needs=(0, *MCPS))
    if not len(joints):
        return []
    length = bone_lengths(joints)
    usual = np.where(np.isnan(length), np.nan, reference_bones())
    total = np.nansum(length, 1) / np.nansum(usual, 1)
    low, high = (float(v) for v in np.percentile(total, [2, 98]))  # a few mistaken labels are no wrong unit
    worst = high if high > 1 / max(low, 1e-12) else low
    hint = "unit: 3D joints are metres here; 1000 times too large means millimetres, 10 to 100 centimetres"
    return [_finding("size of the oddest hands, of a usual one's (2 %)", worst, 0.45, 1.7, len(joints), hint)]


def _bones(seen: Seen, spatial: bool, low: float, high: float) -> list[Finding]:
    joints, _ = _stack(seen, spatial=spatial, needs=(0, *MCPS))
    if not len(joints):
        return []
    length = bone_lengths(joints)
    usual = np.where(np.isnan(length), np.nan, reference_bones())
    share = length / (np.nansum(length, 1, keepdims=True) + 1e-12) / (usual / np.nansum(usual, 1, keepdims=True))
    measured = ~np.isnan(share).all(0)
    ratio = np.ones(len(BONES))
    ratio[measured] = np.nanmedian(share[:, measured], axis=0)
    worst = int(np.argmax(np.abs(np.log(ratio + 1e-12))))
    name = " to ".join(JOINT_NAMES[j] for j in BONES[worst])
    where = "3D" if spatial else "2D"
    hint = f"joint order: {name} is out of proportion (or another definition of a joint)"
    return [_finding(f"oddest bone in {where}, of its usual share", float(ratio[worst]), low, high, len(joints), hint)]


def _bones_3d(seen: Seen) -> list[Finding]:
    return _bones(seen, True, 0.5, 1.8)


def _bones_2d(seen: Seen) -> list[Finding]:
    return _bones(seen, False, 0.1, 2.5)


def _order(seen: Seen, spatial: bool, least: float) -> list[Finding]:
    where, found = "3D" if spatial else "2D", []
    for name, law, needs, hint in ORDER_LAWS:
        joints, _ = _stack(seen, spatial=spatial, needs=needs)
        if len(joints):
            share = float(law(joints).mean())
            low = least if spatial else least - 0.6 / len(joints) ** 0.5  # a few hands seen edge-on prove nothing
            found.append(_finding(f"{name} in {where}, share of hands", share, low, 1.0, len(joints), hint))
    return found


def _order_3d(seen: Seen) -> list[Finding]:
    return _order(seen, True, 0.9)


def _order_2d(seen: Seen) -> list[Finding]:
    return _order(seen, False, 0.6)


def _side(seen: Seen) -> list[Finding]:
    joints, hands = _stack(seen, spatial=True, needs=(0, 5, 17, *TIPS), side=True)
    if not hands:
        return []
    sign = np.array([-1.0 if hand.handedness == "left" else 1.0 for hand in hands])
    bent = sign * palm_side(joints)
    value = float(bent.sum() / (np.abs(bent).sum() + 1e-12))
    hint = "hand side: fingers bend to the back of the hand; left and right are swapped, or an axis is mirrored"
    return [_finding("fingers bend to the palm, -1 to 1", value, 0.3, 1.0, len(hands), hint)]


def _depth(seen: Seen) -> list[Finding]:
    chosen = [
        hand.joints_3d[hand.joints_3d_known, 2]
        for sample, hand in seen
        if hand.joints_3d is not None and sample.K is not None
    ]
    if not chosen:
        return []
    value = float(np.median(np.concatenate(chosen)))
    hint = "camera frame: z points away from the camera, in metres (negative: an OpenGL frame)"
    return [_finding("distance from the camera, m (median)", value, 0.1, 5.0, len(chosen), hint)]


def _camera(seen: Seen) -> list[Finding]:
    cameras = {id(sample): (sample.K, sample.image.shape[:2]) for sample, _ in seen if sample.K is not None}
    if not cameras:
        return []
    focal, ratio, off = [], [], []
    for K, (height, width) in cameras.values():
        focal.append(K[0, 0] / max(width, height))
        ratio.append(K[0, 0] / K[1, 1] if K[1, 1] else 0.0)
        off.append(float(np.abs(K[:2, 2] / [width, height] - 0.5).max()))
    hint = "camera: K is [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels of the picture as stored"
    return [
        _finding("focal length, of the longer side (median)", float(np.median(focal)), 0.4, 12.0, len(focal), hint),
        _finding("fx / fy (median)", float(np.median(ratio)), 0.85, 1.2, len(ratio), hint),
        _finding("principal point off the middle, of a side (median)", float(np.median(off)), 0.0, 0.5, len(off), hint),
    ]


def _reprojection(seen: Seen) -> list[Finding]:
    errors = []
    for sample, hand in seen:
        if hand.joints_3d is None or hand.joints_2d is None or sample.K is None:
            continue
        both = hand.joints_2d_known & hand.joints_3d_known & (np.abs(hand.joints_3d[:, 2]) > 1e-6)  # type: ignore[operator]
        if both.any():
            apart = np.linalg.norm(project(hand.joints_3d[both], sample.K) - hand.joints_2d[both], axis=1)
            errors.append(float(np.median(apart)) / _extent(hand))
    if not errors:
        return []
    hint = "camera: 3D joints do not fall on the 2D ones; K, the camera frame or a mirrored picture"
    value = float(np.median(errors))
    return [_finding("3D projected to 2D, of a hand's size (median)", value, 0.0, 0.05, len(errors), hint)]


def _inside(seen: Seen) -> list[Finding]:
    shares = []
    for sample, hand in seen:
        if hand.joints_2d is not None:
            height, width = sample.image.shape[:2]
            places = hand.joints_2d[hand.joints_2d_known]
            shares.append(float(((places > -0.5) & (places < [width - 0.5, height - 0.5])).all(1).mean()))
    if not shares:
        return []
    hint = "camera or unit: joints fall outside the picture"
    return [_finding("joints inside the picture (mean share)", float(np.mean(shares)), 0.75, 1.0, len(shares), hint)]


def _mask(seen: Seen) -> list[Finding]:
    shares, areas = [], []
    for sample, hand in seen:
        if hand.mask is None or hand.joints_2d is None:
            continue
        height, width = sample.image.shape[:2]
        judged = hand.joints_2d_known & (True if hand.visible is None else hand.visible)  # type: ignore[operator]
        places = np.round(hand.joints_2d[judged]).astype(int)
        places = places[((places >= 0) & (places < [width, height])).all(1)]
        if len(places) < 5 or not (hand.mask > 127).any():
            continue
        reach = 2 * max(1, round(0.03 * _extent(hand))) + 1
        near = cv2.dilate(hand.mask, np.ones((reach, reach), np.uint8)) > 127
        shares.append(float(near[places[:, 1], places[:, 0]].mean()))
        areas.append(float((hand.mask > 127).sum()) / _extent(hand) ** 2)
    if not shares:
        return []
    hint = "joints and mask do not belong together: mirrored, of the other hand, or another camera"
    return [
        _finding("joints on the mask (mean share)", float(np.mean(shares)), 0.75, 1.0, len(shares), hint),
        _finding("mask's area, of a hand's size squared (median)", float(np.median(areas)), 0.1, 1.2, len(areas), hint),
    ]


def _extent(hand: HandLabel) -> float:
    """The larger side of the box of the known joints, px; 1 at least."""
    assert hand.joints_2d is not None
    return max(float(longer_side(tight_box(hand.joints_2d[hand.joints_2d_known]))), 1.0)


def _finding(name: str, value: float, low: float, high: float, count: int, hint: str) -> Finding:
    return Finding(name=name, value=value, low=low, high=high, count=count, hint=hint)
