"""What is measured on each set of real photographs, and how, given what a model says of each picture.

A model is any function from a picture, RGB uint8 (H, W, 3), to its hands. Predictions are made once; these
functions only score them.

- A hand is FOUND if some predicted hand's joints' box overlaps the box of the true joints at IoU >= 0.3; of
several the one of highest IoU is scored. Errors are means over the hands found; PCK counts a missed hand's
joints as wrong.
- 2D errors are in pixels of a picture whose longer side is 256 px.
- Photographs have boxes of the whole hand, which reach further than the joints: a predicted hand's `box`, which
its mask widens, is compared with those. A model without masks gets its joints' box enlarged by `HAND_MARGIN` of
the larger side: the margin at which the teacher's joints meet most of the train split's boxes (99.8 % at IoU 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.data.photos import INDEX_TIP, THUMB_TIP
from handscope.evaluation import metrics
from handscope.evaluation.masks import mesh_mask
from handscope.evaluation.matching import FOUND_IOU
from handscope.geometry.boxes import HAND_MARGIN, box_iou, longer_side, tight_box
from handscope.geometry.camera import project
from handscope.geometry.regions import before_wrist
from handscope.types import Hand, HandLabel, Sample

Scores = dict[str, float]

PHOTO_IOU = 0.5
FALSE_IOU = 0.1
MASK_MARGIN = 0.1
REFERENCE_PX = 256


def whole_box(hand: Hand) -> NDArray[np.floating]:
    """Box (4,) of the whole hand, flesh included, to compare with boxes that people drew."""
    return np.asarray(hand.box, np.float64) if hand.cropped_mask.area() else tight_box(hand.joints_2d, HAND_MARGIN)


def best_match(hands: Sequence[Hand], box: ArrayLike, *, iou: float, whole: bool = False) -> Hand | None:
    """The hand whose joints' box (or `whole` box) overlaps `box` most, if by `iou` at least."""
    overlaps = [float(box_iou(whole_box(hand) if whole else tight_box(hand.joints_2d), box)) for hand in hands]
    best = int(np.argmax(overlaps)) if overlaps else -1
    return hands[best] if overlaps and overlaps[best] >= iou else None


def score_joints(samples: Sequence[Sample], predictions: Sequence[Sequence[Hand]]) -> Scores:
    """joints-dev: share found, 2D errors (of 2D joints and of 3D joints projected), PA error, handedness, and how
    far the mesh's silhouette and the estimated mask agree (`self_iou`).
    """
    errors, projected, aligned, handedness, agreement, sizes, all_sizes = [], [], [], [], [], [], []
    for sample, hands in zip(samples, predictions, strict=True):
        (true,) = sample.hands
        assert true.joints_2d is not None and true.joints_3d is not None
        to_reference = REFERENCE_PX / max(sample.image.shape[:2])
        all_sizes.append(to_reference * longer_side(tight_box(true.joints_2d)))
        hand = best_match(hands, tight_box(true.joints_2d), iou=FOUND_IOU)
        if hand is None:
            continue
        sizes.append(all_sizes[-1])
        errors.append(to_reference * metrics.joint_errors(hand.joints_2d, true.joints_2d))
        seen = project(hand.joints_3d, hand.K)
        projected.append(to_reference * metrics.joint_errors(seen, true.joints_2d))
        aligned.append(1000 * metrics.pa_mpjpe(hand.joints_3d, true.joints_3d))
        handedness.append(hand.handedness == true.handedness)
        agreement.append(self_iou(hand))
    share = len(errors) / max(len(all_sizes), 1)
    scores = {"pictures": float(len(all_sizes)), "found": share}
    if errors:
        scores |= {
            "error_px256_mean": float(np.mean(errors)),
            "error_px256_median": float(np.median(errors)),
            "projected_error_px256_mean": float(np.mean(projected)),
            "pck_0.1": share * metrics.pck(errors, sizes, 0.1),
            "pck_0.2": share * metrics.pck(errors, sizes, 0.2),
            "pa_error_mm_mean": float(np.mean(aligned)),
            "handedness": float(np.mean(handedness)),
            "mesh_mask_iou": float(np.mean(agreement)),
        }
    return scores


def self_iou(hand: Hand) -> float:
    """IoU of the rendered mesh and the estimated mask, in front of the wrist only (`compared_region` without box).

    Both end at the wrist, but at slightly different cuts, and a cut is no outline of the hand: pixels behind the
    wrist line are left out of both. Anything else in the mask, anywhere in the picture, counts.
    """
    height, width = hand.cropped_mask.shape
    region = compared_region(hand.joints_2d, height, width, box=False)
    return metrics.mask_iou(hand.mask & region, mesh_mask(hand, height, width) & region)


def compared_region(joints: ArrayLike, height: int, width: int, *, box: bool) -> NDArray[np.bool_]:
    """Where a hand's mask is compared with skin (height, width): before the wrist, inside the joints' box.

    The forearm is left out by a line through the wrist joint at right angles to wrist -> middle knuckle: only
    pixels on the knuckles' side count. With `box`, pixels outside the joints' box enlarged by
    `MASK_MARGIN` are left out too.
    """
    joints = np.asarray(joints, np.float64)
    region = before_wrist(joints, height, width)
    if box:
        x, y = np.arange(width), np.arange(height)[:, None]
        x0, y0, x1, y1 = tight_box(joints, MASK_MARGIN)
        region &= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    return region


def score_masks(samples: Sequence[Sample], predictions: Sequence[Sequence[Hand]]) -> Scores:
    """masks-dev: mean IoU of hand mask and skin inside `compared_region`; a picture without a hand counts 0.

    There are no joints to go by, so the region is that of the predicted joints. A model that predicts too
    small a hand would gain by it; "iou_in_front" compares everything in front of the wrist instead, box or
    not (other skin in the picture counts against it). The hand of highest score is taken.
    """
    inside, in_front, found = [], [], 0
    for sample, hands in zip(samples, predictions, strict=True):
        skin = sample.hands[0].mask
        assert skin is not None
        if not hands:
            inside.append(0.0)
            in_front.append(0.0)
            continue
        found += 1
        hand = max(hands, key=lambda hand: hand.score)
        for values, box in ((inside, True), (in_front, False)):
            region = compared_region(hand.joints_2d, *skin.shape, box=box)
            values.append(metrics.mask_iou(hand.mask & region, (skin > 127) & region))
    count = max(len(inside), 1)
    return {
        "pictures": float(len(inside)),
        "found": found / count,
        "iou_mean": float(np.mean(inside)),
        "iou_median": float(np.median(inside)),
        "iou_in_front_mean": float(np.mean(in_front)),
        "iou_at_least_0.5": float(np.mean(np.array(inside) >= 0.5)),
    }


def score_photos(samples: Sequence[Sample], predictions: Sequence[Sequence[Hand]]) -> Scores:
    """Held-out photographs: labelled hands found, false alarms a picture, fingertips people marked.

    A labelled hand is found at IoU 0.5; a predicted hand that overlaps no label by 0.1 is a false alarm.
    Fingertip errors are shares of the larger side of the labelled box.
    """
    labelled, found, alarms, tips, pictures = 0, 0, 0, [], 0
    for sample, hands in zip(samples, predictions, strict=True):
        boxes = [label.box for label in sample.hands if label.box is not None]
        if not boxes:
            continue
        pictures += 1
        for label in sample.hands:
            if label.box is None:
                continue
            labelled += 1
            hand = best_match(hands, label.box, iou=PHOTO_IOU, whole=True)
            found += hand is not None
            if hand is not None and sample.source == "photos/ti1k" and label.joints_2d is not None:
                side = longer_side(label.box)
                pair = [THUMB_TIP, INDEX_TIP]
                tips.append(metrics.joint_errors(hand.joints_2d[pair], label.joints_2d[pair]) / side)
        alarms += _false_alarms(hands, [_extent(label) for label in sample.hands])
    scores = {
        "pictures": float(pictures),
        "hands": float(labelled),
        "found": found / max(labelled, 1),
        "false_alarms_per_picture": alarms / max(pictures, 1),
    }
    if tips:
        scores |= {
            "thumb_tip_error": float(np.mean(tips, 0)[0]),
            "index_tip_error": float(np.mean(tips, 0)[1]),
        }
    return scores


def _extent(label: HandLabel) -> NDArray[np.floating]:
    """A label's box, or that of the teacher's joints if nobody drew one."""
    if label.box is not None:
        return label.box
    assert label.joints_2d is not None
    return tight_box(np.asarray(label.joints_2d, np.float64), HAND_MARGIN)


def _false_alarms(hands: Sequence[Hand], boxes: Sequence[ArrayLike]) -> int:
    """How many hands overlap none of the boxes."""
    return sum(all(box_iou(whole_box(hand), box) < FALSE_IOU for box in boxes) for hand in hands)
