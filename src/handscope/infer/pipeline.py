"""A picture in, hands out: detection, alignment, one to four looks at every hand, lifting to the picture's camera.

`handscope.load()` gives a `Pipeline`. The aligner makes the detector's rough crop upright (or, for a box from the
user, the best of eight: four angles, both sides) and mirrors left hands; the estimator looks at it, and on, centred
and turned by its own joints, if there is something left to correct (`looks.is_settled`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from handscope.errors import HandscopeError
from handscope.geometry.boxes import best_of_each, box_centre, box_iou, longer_side, pixel_window, tight_box
from handscope.geometry.camera import default_intrinsics
from handscope.geometry.crops import FILL, Crop, crop_around
from handscope.hand.assets import HandAsset, load_asset
from handscope.infer.aligner import Aligner
from handscope.infer.calibration import Calibration
from handscope.infer.detector import Detection, Detector
from handscope.infer.estimator import Estimate, Estimator
from handscope.infer.fitting import fit
from handscope.infer.images import read_picture, to_rgb_array
from handscope.infer.lifting import PosedHand, lift, seen_in_crop, settle
from handscope.infer.mano import refit
from handscope.infer.results import FoundHand, Hands
from handscope.infer.silhouette_refinement import refine_silhouette
from handscope.infer.weights import open_network
from handscope.skeleton import TIPS
from handscope.types import Hand

if TYPE_CHECKING:
    from handscope.infer.tracking import TrackingConfig
    from handscope.infer.video import VideoFrame

AnyHand = TypeVar("AnyHand", bound=Hand)
MIN_SCORE = 0.4
"""Hands of a lower score are left out: on photographs, nearly all false ones lie below and true ones above."""
BOX_MARGIN = 0.015
"""How much further a box reaches than what is seen of a hand, in its larger sides: as people draw them (so the mean IoU
with their boxes is greatest, over the three sources of the training photographs)."""
SPECK = 0.04
"""Pieces of a mask below this share of the largest one are no part of the hand."""
SMALLEST_PX = 16
"""Pictures with a shorter side than this show no hand that could be read."""


class Pipeline:
    """Call it with a picture for its hands, best first; with a list of pictures for a list of such answers."""

    def __init__(
        self,
        estimator: Estimator,
        detector: Detector,
        asset: HandAsset,
        target: HandAsset | None = None,
        *,
        aligner: Aligner | None = None,
        min_score: float = MIN_SCORE,
    ) -> None:
        self.estimator = estimator
        self.detector = detector
        self.aligner = aligner
        """Looks before the estimator does, if given."""
        self.asset = asset
        """The hand model that the estimator was trained with."""
        self.target = target
        """The hand model that hands are told in, if another one (MANO)."""
        self.min_score = min_score
        self.faces = np.asarray(asset.faces)
        self.calibration = Calibration.of(estimator.network.card)

    @property
    def cards(self) -> dict[str, dict[str, Any]]:
        """The cards of the networks, by their names."""
        aligner = {} if self.aligner is None else {"aligner": self.aligner.network.card}
        return {"estimator": self.estimator.network.card, **aligner, "detector": self.detector.network.card}

    @overload
    def __call__(
        self, image: list[Any] | tuple[Any, ...], K: object = None, boxes: Sequence[ArrayLike | None] | None = None
    ) -> list[Hands]: ...
    @overload
    def __call__(
        self,
        image: str | Path | Image.Image | NDArray[Any],
        K: ArrayLike | None = None,
        boxes: ArrayLike | None = None,
    ) -> Hands: ...
    def __call__(self, image: Any, K: Any = None, boxes: Any = None) -> Hands | list[Hands]:
        """Hands in `image`: RGB (H, W, 3) uint8, a PIL image or a path; or a list of these, which share the
        networks' batches.

        `K` (3, 3) px are the camera's intrinsics if known (for a list: one for all, or a list). `boxes` (n, 4) as x0,
        y0, x1, y1 px, tight around a hand each, replace the detector (for a list: a list, None where it shall look).
        """
        if isinstance(image, list | tuple):
            return self._answer(list(image), _each(K, len(image), "K"), _each(boxes, len(image), "boxes"))
        return self._answer([image], [K], [boxes])[0]

    def video(
        self, source: Any, *, K: ArrayLike | float | None = None, config: TrackingConfig | None = None
    ) -> Iterator[VideoFrame]:
        """Frames of `source` with tracked hands: a video's path, a camera's number, or pairs (seconds, picture).

        `K` are the camera's intrinsics (3, 3) or its focal length, px, if known; `config` is a `TrackingConfig`.
        Needs `pip install 'handscope[video]'` for files.
        """
        from handscope.infer.video import track

        return track(self, source, K=K, config=config)

    def _answer(self, images: list[Any], Ks: list[Any], boxes: list[Any]) -> list[Hands]:
        read = [read_image(image) for image in images]
        pictures = [picture for picture, _, _ in read]
        cameras = [_camera(picture, K) for picture, K in zip(pictures, Ks, strict=True)]
        checked = [
            None if b is None else check_boxes(b, picture.shape[1], picture.shape[0])
            for picture, b in zip(pictures, boxes, strict=True)
        ]
        answers = []
        for (picture, source, notes), K, found in zip(read, cameras, self._find(pictures, checked), strict=True):
            height, width = picture.shape[:2]
            hands = drop_repeated([self.to_hand(estimate, score, K, height, width) for estimate, score in found])
            answers.append(Hands(hands, width=width, height=height, source=source, notes=notes))
        return answers

    def _find(
        self, pictures: Sequence[NDArray[np.uint8]], boxes: Sequence[NDArray[np.floating] | None]
    ) -> list[list[tuple[Estimate, float]]]:
        """Estimates with scores, picture by picture."""
        large = [min(picture.shape[:2]) >= SMALLEST_PX for picture in pictures]
        searched = [i for i, b in enumerate(boxes) if b is None and large[i]]
        found: list[list[tuple[Estimate, float]]] = [[] for _ in pictures]
        for i, estimates in zip(searched, self._from_detector([pictures[i] for i in searched]), strict=True):
            found[i] = estimates
        for i, b in enumerate(boxes):
            if b is not None and large[i]:
                found[i] = self._from_boxes(pictures[i], b)
        return found

    def _from_detector(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[tuple[Estimate, float]]]:
        """Estimates with scores; a score is the geometric mean of the detector's and of the joints' mean.

        What the first look takes for no hand, or for one found already, gets no second.
        """
        found = [(i, d) for i, detections in enumerate(self.detector.search(pictures)) for d in detections]
        views = [
            (pictures[i], crop_around(d.centre, d.extent, d.up, size=self.estimator.size, mirrored=d.right < 0.5))
            for i, d in found
        ]
        if self.aligner is not None:
            views = self.aligner.align(views, self.estimator.size)
        firsts = self.estimator.look(views)
        scores = [_joint_score(d, first) for (_, d), first in zip(found, firsts, strict=True)]
        chosen = []
        for picture in range(len(pictures)):
            own = [k for k, (i, _) in enumerate(found) if i == picture and scores[k] >= self.min_score / 2]
            chosen += [own[k] for k in distinct([firsts[k].joints_2d for k in own], [scores[k] for k in own])]
        refined = self.estimator.refine_all([(views[k][0], firsts[k]) for k in chosen])
        answers: list[list[tuple[Estimate, float]]] = [[] for _ in pictures]
        for k, estimate in zip(chosen, refined, strict=True):
            i, detection = found[k]
            if (score := _joint_score(detection, estimate)) >= self.min_score:
                answers[i].append((estimate, score))
        return answers

    def _from_boxes(self, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> list[tuple[Estimate, float]]:
        found = []
        for box in boxes:
            crops = crops_of_box(box, self.estimator.size)
            if self.aligner is not None:
                best = max(self.aligner(image, crops), key=lambda look: look.fitness)
                views = self.aligner.follow([(image, best.crop)], [best], self.estimator.size)
                crops = [crop for _, crop in views]
            first = max(self.estimator(image, crops), key=lambda e: e.plausibility)
            estimate = self.estimator.refine(image, first)
            found.append((estimate, estimate.trust))
        return found

    def to_hand(self, estimate: Estimate, score: float, K: NDArray[np.floating], height: int, width: int) -> FoundHand:
        """What the network says of a crop, fitted and lifted to the camera `K` of a picture `height` x `width`."""
        crop = estimate.crop
        seen = without_specks(estimate.mask)
        fitted = fit(
            self.asset,
            estimate.beta,
            estimate.theta,
            estimate.hand,
            estimate.focal,
            estimate.joints,
            estimate.joint_scores,
            estimate.bone_depths,
            crop.size,
        )
        fitted = refine_silhouette(self.asset, fitted, estimate.joints, seen, estimate.focal, crop.size)
        joints = crop.invert(blended(estimate, fitted.hand))
        lifted = lift(fitted.hand, estimate.focal, crop, K, width)
        lifted = settle(lifted, joints, estimate.joint_scores, K, mirrored=crop.mirrored)
        hand = FoundHand(
            handedness="left" if crop.mirrored else "right",
            score=score,
            box=box_of(joints, seen, crop).clip(0, [width - 1, height - 1, width - 1, height - 1]),
            joints_2d=joints,
            joint_scores=self.calibration(estimate.joint_scores),
            mask=paste_mask(seen, crop, height, width),
            joints_3d=lifted.joints_3d,
            vertices=lifted.vertices,
            faces=self.faces[:, ::-1] if crop.mirrored else self.faces,
            theta=fitted.theta,
            beta=fitted.beta,
            R=lifted.R,
            T=lifted.T,
            K=K,
            extras={"right": 1 - estimate.right if crop.mirrored else estimate.right},
            asset=self.asset,
        )
        return hand if self.target is None else refit(hand, self.target)


def load(
    weights: str | Path | None = None,
    hand_model: str | Path | None = None,
    threads: int | None = None,
    *,
    min_score: float | None = None,
    tiles: int = 1,
) -> Pipeline:
    """The networks, checked and opened, ready to be called with pictures.

    `weights` is a folder with estimator.onnx, aligner.onnx, detector.onnx or some of them (the rest is shipped);
    `hand_model` is an official MANO file, in whose vertices and parameters hands are then told, or the hand model that
    `weights` were trained with, if not the shipped one; `threads` limits the CPU's threads; `min_score` is the least
    score of a hand (by default `MIN_SCORE`); `tiles` above 1 searches large pictures for small hands too (slower).
    """
    estimator = Estimator(open_network("estimator", weights, threads))
    aligner = Aligner(open_network("aligner", weights, threads))
    detector = Detector(open_network("detector", weights, threads), tiles=tiles)
    least = MIN_SCORE if min_score is None else min_score
    detector.threshold = min(detector.threshold, least)
    asset = load_asset(hand_model)
    count = estimator.network.output_shapes["vertices"][1]
    if not isinstance(count, int) or count == len(asset.template):
        return Pipeline(estimator, detector, asset, aligner=aligner, min_score=least)
    own = load_asset()
    if asset.name == "MANO" and count == len(own.template):
        return Pipeline(estimator, detector, own, target=asset, aligner=aligner, min_score=least)
    raise HandscopeError(
        f"{estimator.network.path}: gives {count} vertices, but the hand model {asset.name} has "
        f"{len(asset.template)}; pass the hand model it was trained with"
    )


def read_image(image: object) -> tuple[NDArray[np.uint8], str | None, tuple[str, ...]]:
    """RGB uint8 (H, W, 3) of an array, a PIL image or a path, with the path and the reader's remarks."""
    if isinstance(image, str | Path):
        picture = read_picture(image)
        return picture.image, str(image), picture.notes
    return to_rgb_array(image), None, ()


def _each(value: Any, count: int, name: str) -> list[Any]:
    """`value` for each of `count` pictures: None and one K are for all, a list has one for each."""
    if value is None or (name == "K" and np.size(value[0]) == 3):
        return [value] * count
    if len(value) != count:
        raise HandscopeError(f"{name}: {len(value)} given for {count} pictures; give one for each")
    return list(value)


def _camera(picture: NDArray[np.uint8], K: Any) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    return default_intrinsics(width, height) if K is None else check_intrinsics(K)


def check_intrinsics(K: ArrayLike) -> NDArray[np.float64]:
    """`K` as float64 (3, 3), or one sentence on what is wrong with it."""
    matrix = np.asarray(K, np.float64)
    ok = matrix.shape == (3, 3) and np.isfinite(matrix).all() and (np.diag(matrix) > 0).all()
    if not ok or not np.allclose(matrix[2], [0, 0, 1]) or matrix[1, 0] != 0:
        raise HandscopeError(
            f"K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels with positive fx and fy; got {matrix.tolist()}"
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
    centre, extent = box_centre(box), float(longer_side(box)) / FILL
    return [
        crop_around(centre, extent, up, size=size, mirrored=mirrored)
        for up in ((0, -1), (1, 0), (0, 1), (-1, 0))
        for mirrored in (False, True)
    ]


def paste_mask(mask: NDArray[np.floating], crop: Crop, height: int, width: int) -> NDArray[np.bool_]:
    """The crop's mask (m, m) in the picture, bool (height, width); computed around the crop only."""
    corners = crop.invert([(-1, -1), (crop.size, -1), (-1, crop.size), (crop.size, crop.size)])
    x0, y0, x1, y1 = pixel_window(corners, height, width)
    full = np.zeros((height, width), np.bool_)
    if x1 > x0 and y1 > y0:
        shift = crop.matrix[:, :2] @ (x0, y0) + crop.matrix[:, 2]
        window = Crop(np.column_stack([crop.matrix[:, :2], shift]), crop.size)
        full[y0:y1, x0:x1] = window.paste(mask.astype(np.float32), y1 - y0, x1 - x0) > 0.5
    return full


def blended(estimate: Estimate, fitted: PosedHand) -> NDArray[np.float64]:
    """Joints (21, 2) crop px: those of the heat-maps where they are sure, else those of the fitted mesh.

    The heat-maps' share is the square of a joint's score; all of it at fingertips, whose place people mark as the
    heat-maps do.
    """
    projected = seen_in_crop(fitted.joints_3d, estimate.focal, estimate.crop.size)
    share = np.square(np.clip(estimate.joint_scores, 0, 1))[:, None]
    share[list(TIPS)] = 1.0
    return share * estimate.joints + (1 - share) * projected


def without_specks(mask: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mask (m, m) without pieces smaller than `SPECK` of the largest: fingers behind an object stay."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    specks = 1 + np.flatnonzero(areas < SPECK * areas.max())
    return np.where(np.isin(pieces, specks), np.float32(0), mask)


def box_of(joints: NDArray[np.floating], mask: NDArray[np.floating], crop: Crop) -> NDArray[np.float64]:
    """Box (4,) px around what is seen of a hand, its joints (21, 2) px and the crop's mask (m, m), and `BOX_MARGIN`."""
    points = np.asarray(joints, np.float64)
    rows, columns = np.nonzero(mask > 0.5)
    if len(rows):
        cell = crop.size / len(mask)
        centres = crop.invert((np.column_stack([columns, rows]) + 0.5) * cell - 0.5)
        half = cell / 2 / crop.scale
        points = np.concatenate([points, centres - half, centres + half])
    return tight_box(points, BOX_MARGIN)


def drop_repeated(hands: Sequence[AnyHand]) -> list[AnyHand]:
    """Best first, without those `distinct` leaves out."""
    return [hands[i] for i in distinct([hand.joints_2d for hand in hands], [hand.score for hand in hands])]


def distinct(
    joints: Sequence[NDArray[np.floating]], scores: Sequence[float], *, iou: float = 0.6, closeness: float = 0.15
) -> list[int]:
    """Which of several hands' joints, (21, 2) px each, show hands of their own, best first.

    A hand yields to a better one if their mean joint distance is under `closeness` of the larger box side, or if
    their boxes overlap by more than `iou` with the middles of their joints nearer than that.
    """
    if len(joints) == 0:
        return []
    points = np.stack(joints)
    boxes = tight_box(points)
    limit = closeness * np.maximum(longer_side(boxes)[:, None], longer_side(boxes))
    apart = np.linalg.norm(points[:, None] - points, axis=-1).mean(-1)
    middles = np.linalg.norm(points.mean(1)[:, None] - points.mean(1), axis=-1)
    same = (apart < limit) | ((middles < limit) & (box_iou(boxes[:, None], boxes) > iou))
    return best_of_each(scores, same)


def _joint_score(detection: Detection, estimate: Estimate) -> float:
    return float(np.sqrt(detection.score * estimate.trust))
