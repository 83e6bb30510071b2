"""A picture in, hands out: detection, two looks at every hand, lifting to the picture's camera.

`handscope.load()` gives a `Pipeline`. The first look uses the detector's upright crop (or, for a box from
the user, the best of eight: four angles, both sides); the second is centred and turned by the joints of the
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.errors import HandscopeError
from handscope.geometry.camera import default_intrinsics
from handscope.geometry.crops import FILL, Crop, crop_around
from handscope.hand.assets import HandAsset, load_asset
from handscope.infer.detector import Detector, box_iou
from handscope.infer.estimator import Estimate, Estimator
from handscope.infer.fitting import fit
from handscope.infer.images import to_rgb_array
from handscope.infer.lifting import lift, settle
from handscope.infer.weights import open_network
from handscope.types import Hand

SMALLEST_PX = 16
"""Pictures with a shorter side than this show no hand that could be read."""


class Pipeline:
    """Call it with a picture for its hands, best first."""

    def __init__(self, estimator: Estimator, detector: Detector, asset: HandAsset) -> None:
        self.estimator = estimator
        self.detector = detector
        self.asset = asset
        self.faces = np.asarray(asset.faces)

    def __call__(
        self, image: object, K: ArrayLike | None = None, boxes: ArrayLike | None = None
    ) -> list[Hand]:
        """Hands in `image`: RGB (H, W, 3) uint8, a PIL image or a path.

        `K` (3, 3) px are the camera's intrinsics if known. `boxes` (n, 4) as x0, y0, x1, y1 px, tight
        around a hand each, replace the detector.
        """
        picture = to_rgb_array(image)
        height, width = picture.shape[:2]
        intrinsics = default_intrinsics(width, height) if K is None else check_intrinsics(K)
        checked = None if boxes is None else check_boxes(boxes, width, height)
        if min(height, width) < SMALLEST_PX:
            return []
        found = self._from_detector(picture) if checked is None else self._from_boxes(picture, checked)
        hands = [self.to_hand(estimate, score, intrinsics, height, width) for estimate, score in found]
        return drop_repeated(hands)

    def _from_detector(self, image: NDArray[np.uint8]) -> list[tuple[Estimate, float]]:
        """Estimates with scores; a score is the geometric mean of the detector's and of the joints' mean."""
        detections = self.detector(image)
        crops = [
            crop_around(d.centre, d.side, d.up, size=self.estimator.size, mirrored=d.right < 0.5)
            for d in detections
        ]
        refined = [self.estimator.refine(image, first) for first in self.estimator(image, crops)]
        return [(e, float(np.sqrt(d.score * e.trust))) for e, d in zip(refined, detections, strict=True)]

    def _from_boxes(
        self, image: NDArray[np.uint8], boxes: NDArray[np.floating]
    ) -> list[tuple[Estimate, float]]:
        found = []
        for box in boxes:
            best = max(
                self.estimator(image, crops_of_box(box, self.estimator.size)), key=lambda e: e.plausibility
            )
            estimate = self.estimator.refine(image, self.estimator.refine(image, best))
            found.append((estimate, estimate.trust))
        return found

    def to_hand(
        self, estimate: Estimate, score: float, K: NDArray[np.floating], height: int, width: int
    ) -> Hand:
        """What the network says of a crop, fitted and lifted to the camera `K` of a picture `height` x `width`."""
        crop = estimate.crop
        joints = estimate.joints_2d
        fitted = fit(
            self.asset,
            estimate.beta,
            estimate.theta,
            estimate.hand,
            estimate.focal,
            estimate.joints,
            estimate.joint_scores,
            crop.size,
        )
        lifted = lift(fitted.hand, estimate.focal, crop, K, width)
        lifted = settle(lifted, joints, estimate.joint_scores, K, mirrored=crop.mirrored)
        return Hand(
            handedness="left" if crop.mirrored else "right",
            score=score,
            box=box_of(joints, estimate.mask, crop).clip(0, [width - 1, height - 1, width - 1, height - 1]),
            joints_2d=joints,
            joint_scores=estimate.joint_scores,
            mask=paste_mask(estimate.mask, crop, height, width),
            joints_3d=lifted.joints_3d,
            vertices=lifted.vertices,
            faces=self.faces[:, ::-1] if crop.mirrored else self.faces,
            theta=fitted.theta,
            beta=estimate.beta,
            R=lifted.R,
            T=lifted.T,
            K=K,
            extras={"right": 1 - estimate.right if crop.mirrored else estimate.right},
        )


def load(
    weights: str | Path | None = None,
    hand_model: str | Path | None = None,
    threads: int | None = None,
    *,
    min_score: float | None = None,
    tiles: int = 1,
) -> Pipeline:
    """The networks, checked and opened, ready to be called with pictures.

    `weights` is a folder with estimator.onnx and detector.onnx (the shipped ones by default), `hand_model`
    the hand model the estimator was trained with, if not the shipped one; `threads` limits the CPU's
    threads; `min_score` is the detector's threshold; `tiles` above 1 searches large pictures for small
    hands too (slower).
    """
    estimator = Estimator(open_network("estimator", weights, threads))
    detector = Detector(open_network("detector", weights, threads), threshold=min_score, tiles=tiles)
    asset = load_asset(hand_model)
    count = estimator.network.output_shapes["vertices"][1]
    if isinstance(count, int) and count != len(asset.template):
        raise HandscopeError(
            f"{estimator.network.path}: gives {count} vertices, but the hand model {asset.name} has "
            f"{len(asset.template)}; pass the hand model it was trained with"
        )
    return Pipeline(estimator, detector, asset)


def check_intrinsics(K: ArrayLike) -> NDArray[np.float64]:
    """`K` as float64 (3, 3), or one sentence on what is wrong with it."""
    matrix = np.asarray(K, np.float64)
    ok = matrix.shape == (3, 3) and np.isfinite(matrix).all() and (np.diag(matrix) > 0).all()
    if not ok or not np.allclose(matrix[2], [0, 0, 1]) or matrix[1, 0] != 0:
        raise HandscopeError(
            "K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels with positive fx and fy; "
            f"got {matrix.tolist()}"
        )
    return matrix


def check_boxes(boxes: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
    """`boxes` as float64 (n, 4), or one sentence on what is wrong with them."""
    array = np.asarray(boxes, np.float64)
    array = array.reshape(-1, 4) if array.size % 4 == 0 and array.ndim <= 2 else array
    if array.ndim != 2 or not np.isfinite(array).all():
        raise HandscopeError(f"boxes must be (n, 4) numbers x0, y0, x1, y1; got shape {np.shape(boxes)}")
    for x0, y0, x1, y1 in array:
        text = f"box {x0:g},{y0:g},{x1:g},{y1:g}"
        if x1 - x0 < 4 or y1 - y0 < 4:
            raise HandscopeError(f"{text}: must be x0,y0,x1,y1 with x1 > x0 and y1 > y0, 4 px at least")
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise HandscopeError(f"{text}: lies outside the picture of {width} x {height} px")
    return array


def crops_of_box(box: NDArray[np.floating], size: int) -> list[Crop]:
    """Eight ways to look at a box: wrist to knuckle up, right, down, left; as it is and mirrored."""
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()) / FILL
    return [
        crop_around(centre, side, up, size=size, mirrored=mirrored)
        for up in ((0, -1), (1, 0), (0, 1), (-1, 0))
        for mirrored in (False, True)
    ]


def paste_mask(mask: NDArray[np.floating], crop: Crop, height: int, width: int) -> NDArray[np.bool_]:
    """The crop's mask (m, m) in the picture, bool (height, width); computed around the crop only."""
    corners = crop.invert([(-1, -1), (crop.size, -1), (-1, crop.size), (crop.size, crop.size)])
    x0, y0 = np.floor(corners.min(0)).astype(int).clip(0, (width, height))
    x1, y1 = np.ceil(corners.max(0)).astype(int).clip(0, (width, height))
    full = np.zeros((height, width), np.bool_)
    if x1 > x0 and y1 > y0:
        shift = crop.matrix[:, :2] @ (x0, y0) + crop.matrix[:, 2]
        window = Crop(np.column_stack([crop.matrix[:, :2], shift]), crop.size)
        full[y0:y1, x0:x1] = window.paste(mask.astype(np.float32), int(y1 - y0), int(x1 - x0)) > 0.5
    return full


def box_of(joints: NDArray[np.floating], mask: NDArray[np.floating], crop: Crop) -> NDArray[np.float64]:
    """Box (4,) px around what is seen of a hand: joints (21, 2) px and the largest piece of the crop's mask (m, m)."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    points = np.asarray(joints, np.float64)
    if len(stats) > 1:
        rows, columns = np.nonzero(pieces == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        cell = crop.size / len(mask)
        centres = crop.invert((np.column_stack([columns, rows]) + 0.5) * cell - 0.5)
        half = cell / 2 / crop.scale
        points = np.concatenate([points, centres - half, centres + half])
    return np.concatenate([points.min(0), points.max(0)])


def drop_repeated(hands: Sequence[Hand], *, iou: float = 0.6, closeness: float = 0.15) -> list[Hand]:
    """Best first; a hand is dropped if its joints lie on those of a better one of the same place.

    That is: mean joint distance under `closeness` of the larger box side, or box IoU above `iou` with the
    middle of the joints nearer than `closeness`.
    """
    kept: list[Hand] = []
    for hand in sorted(hands, key=lambda h: -h.score):
        if not any(_same(hand, other, iou, closeness) for other in kept):
            kept.append(hand)
    return kept


def _same(one: Hand, two: Hand, iou: float, closeness: float) -> bool:
    limit = closeness * max(float((hand.box[2:] - hand.box[:2]).max()) for hand in (one, two))
    apart = np.linalg.norm(one.joints_2d - two.joints_2d, axis=1).mean()
    middles = np.hypot(*(one.joints_2d.mean(0) - two.joints_2d.mean(0)))
    return bool(apart < limit or (middles < limit and box_iou(one.box, two.box) > iou))
