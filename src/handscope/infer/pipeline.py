"""A picture in, hands out: inputs, detection, refinement, assembly, one after the other.

`handscope.load()` gives a `Pipeline`. The detector's rough crop (or, for a box from the user, the best of eight) is
made upright by the aligner, read by the estimator, refined by further passes if there is something left to correct,
and told in the terms of the picture and its camera.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast, overload

from numpy.typing import ArrayLike

from handscope.errors import HandscopeError
from handscope.infer import detection
from handscope.infer.cameras import CameraLike, one_camera_each
from handscope.infer.duplicates import drop_repeated
from handscope.infer.estimator import Estimate
from handscope.infer.images import Source
from handscope.infer.inputs import PictureInput, one_each, prepare
from handscope.infer.limits import DecodingLimits
from handscope.infer.models import Models, open_models
from handscope.infer.refinement import refine
from handscope.infer.results import Hands
from handscope.infer.streaming import Failure, Task, stream
from handscope.infer.tracking import TrackingConfig
from handscope.infer.two_hands import kept_apart
from handscope.infer.video import CameraReader, FrameFolder, VideoFrame, VideoReader, track
from handscope.infer.weights import Card
from handscope.types import JointConvention

WORKERS = 2
"""Processes that decode."""
MANY_FILES = 24
"""From so many on a list's files are decoded in processes, which take half a second to start."""


class Pipeline:
    """Call it with a picture for its hands, best first; with a list of pictures for a list of such answers."""

    def __init__(self, models: Models) -> None:
        self._models = models

    @property
    def models(self) -> Models:
        """The networks and hand models it works with."""
        return self._models

    @property
    def cards(self) -> dict[str, Card]:
        """The cards of the networks, by their names."""
        return self.models.cards

    @overload
    def __call__(
        self,
        image: list[Source] | tuple[Source, ...],
        K: CameraLike | Sequence[CameraLike] = None,
        boxes: Sequence[ArrayLike | None] | None = None,
        *,
        strict: bool = False,
    ) -> list[Hands]: ...
    @overload
    def __call__(self, image: Source, K: CameraLike = None, boxes: ArrayLike | None = None) -> Hands: ...
    def __call__(
        self,
        image: Source | list[Source] | tuple[Source, ...],
        K: CameraLike | Sequence[CameraLike] = None,
        boxes: ArrayLike | Sequence[ArrayLike | None] | None = None,
        *,
        strict: bool = False,
    ) -> Hands | list[Hands]:
        """Hands in `image`: RGB (H, W, 3) uint8, a PIL image or a path; or a list of these, which share the
        networks' batches.

        `K` is the camera if known: a `Camera`, its intrinsics (3, 3) px, a focal length in px, or "exif" (for a list:
        one for all, or a list). A `Camera` with a size is turned as EXIF turns the picture, and scaled with it; a plain
        K is the upright picture's. `boxes` (n, 4) as x0, y0, x1, y1 px, tight around a hand each, replace the detector
        (for a list: a list, None where it shall search).
        Raises HandscopeError for what is not as it should be; in a list such a picture keeps its place, and its
        answer's `problem` says what is wrong, unless `strict` asks for the error. `stream` is for more pictures than
        answers fit into memory.
        """
        if isinstance(image, list | tuple):
            cameras = one_camera_each(cast(CameraLike, K), len(image))
            given = one_each(cast(Sequence[ArrayLike | None] | None, boxes), len(image), "boxes")
            tasks = [Task(*one) for one in zip(image, cameras, given, strict=True)]
            files = sum(isinstance(source, str | Path) for source in image)
            answers = stream(self.answer, tasks, workers=WORKERS * (files >= MANY_FILES), batch=self.batch)
            return [_in_a_list(answer, strict) for answer in answers]
        return self.answer([prepare(image, cast(CameraLike, K), cast(ArrayLike | None, boxes))])[0]

    def stream(
        self,
        sources: Iterable[Source],
        *,
        K: CameraLike = None,
        workers: int = WORKERS,
        batch: int | None = None,
        limits: DecodingLimits | None = None,
    ) -> Generator[Hands | Failure, None, None]:
        """The hands of each picture of `sources` (paths, PIL images, arrays; an iterator will do, and may be endless),
        or a `Failure` that says why there are none, in order. Memory does not grow with their number.

        Files are decoded ahead by `workers` processes within `limits` (by default the environment's; docs/inputs.md),
        with 0 in this one. `batch` pictures go through the networks together (by default as many as suit the device):
        1 for answers as soon as may be. `K` is the camera of all. End it before its end with `close()`: processes end
        with it.
        """
        batch = self.batch if batch is None else batch
        if workers < 0 or batch < 1:
            raise HandscopeError(f"workers must be 0 or more and batch 1 or more, got {workers} and {batch}")
        return stream(self.answer, (Task(one, K) for one in sources), workers=workers, batch=batch, limits=limits)

    def video(
        self,
        source: str | Path | int | VideoReader | FrameFolder | CameraReader | Iterable[Any],
        *,
        K: CameraLike = None,
        config: TrackingConfig | None = None,
        fps: float | None = None,
    ) -> Iterator[VideoFrame]:
        """Frames of `source` with tracked hands: a video's path, a camera's number, or pairs (seconds, picture); with
        `fps` a folder of frames, or any pictures, that are so many a second.

        `K` is the camera if known, as for a picture; `config` is a `TrackingConfig`.
        Files need the extra [video].
        """
        return track(self.models, source, K=K, config=config, fps=fps)

    @property
    def batch(self) -> int:
        """How many pictures go through the networks together."""
        return self.models.device.pictures

    @property
    def joint_convention(self) -> JointConvention:
        """Whose joints its hands have (docs/joints.md)."""
        return self.models.assembler.told_convention

    def answer(self, inputs: Sequence[PictureInput]) -> list[Hands]:
        """The hands of pictures that are ready to be read (`inputs.prepare`)."""
        answers = []
        for given, estimates in zip(inputs, read(self.models, inputs), strict=True):
            assembler = self.models.assembler
            found = drop_repeated([assembler(estimate, score, given.camera) for estimate, score in estimates])
            hands = [given.told(assembler.told(hand)) for hand in kept_apart(found)]
            width, height = given.size
            about = {"source": given.source, "notes": given.notes + self.models.notes}
            answers.append(Hands(hands, width=width, height=height, **about))
        return answers


def _in_a_list(answer: Hands | Failure, strict: bool) -> Hands:
    """An answer of a list; a failure leaves its place to a sentence, or is raised."""
    if isinstance(answer, Hands):
        return answer
    if strict:
        raise HandscopeError(answer.message)
    name = str(answer.source) if isinstance(answer.source, str | Path) else None
    return Hands(width=0, height=0, source=name, notes=(answer.message,), problem=answer.message)


def read(models: Models, inputs: Sequence[PictureInput]) -> list[list[tuple[Estimate, float]]]:
    """Settled estimates with their scores, picture by picture; hands that the detector found need `min_score`."""
    candidates: list[list[detection.Candidate]] = [[] for _ in inputs]
    searched = [i for i, given in enumerate(inputs) if given.boxes is None and given.is_large_enough]
    for i, found in zip(searched, detection.search(models, [inputs[i].image for i in searched]), strict=True):
        candidates[i] = found
    for i, given in enumerate(inputs):
        if given.boxes is not None and given.is_large_enough:
            candidates[i] = detection.from_boxes(models, given.image, given.boxes)
    flat = [(i, candidate) for i, of_picture in enumerate(candidates) for candidate in of_picture]
    pictures = [inputs[i].image for i, _ in flat]
    refined = refine(models.estimator, pictures, [candidate.first for _, candidate in flat], models.effort)
    refined = [candidate.kept(estimate) for (_, candidate), estimate in zip(flat, refined, strict=True)]
    scores = detection.scores_of(models, pictures, [candidate for _, candidate in flat], refined)
    answers: list[list[tuple[Estimate, float]]] = [[] for _ in inputs]
    for (i, candidate), estimate, score in zip(flat, refined, scores, strict=True):
        if candidate.detected is None or score >= models.min_score:
            answers[i].append((estimate, score))
    return answers


def load(
    weights: str | Path | None = None,
    hand_model: str | Path | None = None,
    threads: int | None = None,
    *,
    min_score: float | None = None,
    tiles: int = 1,
    joint_convention: str | None = None,
    device: str = "cpu",
    effort: str = "full",
) -> Pipeline:
    """The networks, checked and opened, ready to be called with pictures.

    `weights` is a folder with estimator.onnx, aligner.onnx, detector.onnx, presence.onnx, context.onnx or some of them
    (the rest is shipped); `hand_model` is an official MANO file, in whose vertices and parameters hands are then told,
    or the hand model that `weights` were trained with, if not the shipped one; `threads` of a network (1);
    `min_score` is the least score of a hand (by default `models.MIN_SCORE`); `tiles` above 1 searches large pictures
    for small hands too (slower). `joint_convention` is whose joints hands have: "anatomical" by default (with a MANO
    file MANO's), or a data set's or other tool's (docs/joints.md). `device` is where the networks run: "cpu", "cuda",
    "coreml", "directml" or "migraphx", as far as the installed ONNX Runtime has them (docs/devices.md). `effort` is
    "full", or "quick" for millions of pictures: fewer looks, fewer hands found (docs/batch.md).
    Raises AssetError for files that are missing or not what their cards say, HandscopeError for a convention, a device
    or an effort that there is not.
    """
    return Pipeline(
        open_models(
            weights,
            hand_model,
            threads,
            min_score=min_score,
            tiles=tiles,
            joint_convention=joint_convention,
            device=device,
            effort=effort,
        )
    )
