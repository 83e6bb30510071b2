"""The detector's two kinds of answers as detections, with a stand-in network that sees one white square."""

import numpy as np
import pytest

from handscope.geometry.crops import FILL
from handscope.geometry.looks import MULTIPLE, shrunk
from handscope.infer.detector import ADVANCE, ALONE, HAND_PALMS, MAX_PROPOSALS, Detection, Detector, merged
from handscope.infer.devices import CPU
from handscope.infer.weights import Network
from stand_ins import stand_in

NOTHING = {
    "scores": np.zeros((1, 1), np.float32),
    "boxes": np.zeros((1, 1, 4), np.float32),
    "up": np.zeros((1, 1, 2), np.float32),
    "crops": np.zeros((1, 1, 3), np.float32),
    "right": np.zeros((1, 1), np.float32),
    "palm_scores": np.zeros((1, 1), np.float32),
    "palm_boxes": np.zeros((1, 1, 4), np.float32),
    "palm_points": np.zeros((1, 1, 7, 2), np.float32),
}


class SquareSeer:
    """White pixels are a palm that points to the right, or with `own` a hand; `guesses` of falling score all say so."""

    __class__ = Network  # stands in for one where types are checked

    def __init__(self, guesses: int = 3, *, own: bool = False) -> None:
        self.output_shapes = {key: [] for key in NOTHING}
        self.card: dict[str, object] = {}
        self.device = CPU
        self.guesses, self.own = guesses, own
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.shapes.append(batch.shape)
        y, x = np.nonzero(batch[0, :, :, 0] > 127)
        box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], np.float32) - 0.5
        centre = (box[:2] + box[2:]) / 2
        repeated = lambda value: np.repeat(np.float32(value)[None, None], self.guesses, 1)  # noqa: E731
        scores = np.linspace(0.9, 0.5, self.guesses, dtype=np.float32)[None]
        if self.own:
            crop = [*centre, (box[2] - box[0]) / FILL]
            told = {"scores": scores, "boxes": repeated(box), "up": repeated([0, -1]), "crops": repeated(crop)}
            return NOTHING | told | {"right": repeated(0.8)}
        points = np.repeat(centre[None], 7, 0)
        points[0, 0] -= 5  # the wrist lies to the left
        return NOTHING | {"palm_scores": scores, "palm_boxes": repeated(box), "palm_points": repeated(points)}


def picture(width: int, height: int, x0: int, y0: int, side: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[y0 : y0 + side, x0 : x0 + side] = 255
    return image


@pytest.mark.parametrize(("width", "height"), [(640, 480), (300, 700)])
def test_a_palm_is_found_where_it_is_at_every_size(width: int, height: int) -> None:
    """Once, although both sizes see it; its crop is 2.6 palms, half a palm further along the fingers."""
    (found,) = Detector(SquareSeer(), 0.3, (192, 256))(picture(width, height, 96, 128, 64))
    np.testing.assert_allclose(found.up, [1, 0])
    assert found.extent == pytest.approx(HAND_PALMS * 64, rel=0.1)
    np.testing.assert_allclose(found.centre, [127.5 + ADVANCE * 64, 159.5], atol=3)
    assert found.score == pytest.approx(0.9) and found.right == 0.5


@pytest.mark.parametrize(("width", "height"), [(640, 480), (300, 700)])
def test_a_hand_is_found_where_it_is_at_every_size(width: int, height: int) -> None:
    (found,) = Detector(SquareSeer(own=True), 0.3, (192, 256))(picture(width, height, 96, 128, 64))
    np.testing.assert_allclose(found.box, [95.5, 127.5, 159.5, 191.5], atol=3)
    np.testing.assert_allclose(found.centre, [127.5, 159.5], atol=3)
    assert found.extent == pytest.approx(64 / FILL, rel=0.1)
    assert found.up.tolist() == [0, -1] and found.right == pytest.approx(0.8)


def test_pictures_are_hardly_enlarged_beyond_the_smallest_size() -> None:
    network = SquareSeer()
    for side in (100, 256, 300):
        Detector(network, 0.3, (192, 384))(picture(side, side // 2, side // 4, side // 4, side // 4))
    assert network.shapes == [(1, 96, 192, 3), (1, 96, 192, 3), (1, 96, 192, 3), (1, 192, 384, 3)]


def test_shrinking_keeps_pixel_edges_and_fills_with_black() -> None:
    small, scale = shrunk(np.full((200, 400, 3), 200, np.uint8), 100)
    assert small.shape == (2 * MULTIPLE, 4 * MULTIPLE, 3) and scale.tolist() == [0.25, 0.25]
    assert (small[:50, :100] == 200).all() and (small[50:] == 0).all() and (small[:, 100:] == 0).all()


def test_proposals_are_bounded() -> None:
    """A network that sees a hand everywhere."""
    count = 500
    places = np.random.default_rng(0).uniform(0, 5000, (count, 2)).astype(np.float32)
    out = NOTHING | {
        "palm_scores": np.linspace(1, 0.5, count, dtype=np.float32)[None],
        "palm_boxes": np.concatenate([places, places + 20], 1)[None],
        "palm_points": np.repeat(places[:, None] + 10, 7, 1)[None] + np.arange(7, dtype=np.float32)[:, None],
    }
    network = stand_in(Network, output_shapes={key: [] for key in out}, card={}, run=lambda batch: out, device=CPU)
    found = Detector(network, 0.3)(np.zeros((192, 192, 3), np.uint8))
    assert len(found) == MAX_PROPOSALS and found[0].score == 1.0


def test_no_hand_no_detection() -> None:
    assert Detector(SquareSeer(), 0.95).search([picture(192, 192, 50, 50, 50)]) == [[]]


def answers(*places):
    """Detections of 100 px whose centres lie at x, with scores."""
    return [
        Detection(
            box=np.array([x - 50.0, 0, x + 50.0, 100]),
            up=np.array([0.0, -1.0]),
            centre=np.array([x, 50.0]),
            extent=100 / FILL,
            right=0.5,
            score=score,
        )
        for x, score in places
    ]


def told(own, palms):
    return [(float(d.centre[0]), round(d.score, 4)) for d in merged(answers(*own), answers(*palms))]


def test_both_kinds_of_answers_of_one_place_are_one_and_surer():
    assert told([(100, 0.8)], [(110, 0.5), (400, 0.4)]) == [(100, 0.9), (400, 0.4)]


@pytest.mark.parametrize(("score", "beside"), [(ALONE - 0.05, True), (ALONE + 0.05, False)])
def test_a_weak_answer_beside_a_sure_hand_is_told_as_such(score, beside):
    """It lies where a palm does that yields to the hand, but not where the hand does."""
    found = merged(answers((100, 0.9), (160, score), (300, score)), answers((130, 0.8)))
    assert {float(d.centre[0]): d.beside for d in found} == {100: False, 160: beside, 300: False}
