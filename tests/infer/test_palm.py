"""The palm network's answers as detections, with a stand-in network that sees one white square."""

import numpy as np
import pytest

from handscope.geometry.crops import upright_crop
from handscope.infer.detector import Detection, Detector
from handscope.infer.palm import ADVANCE, HAND_PALMS, MAX_PROPOSALS, MULTIPLE, PalmDetector, Proposals, shrunk
from handscope.infer.presence import Presence, asked_crop
from handscope.infer.weights import Network
from stand_ins import stand_in


class SquareSeer:
    """Its palm is the box of the white pixels, pointing to the right; `guesses` of falling score all say so."""

    __class__ = Network  # stands in for one where types are checked

    def __init__(self, guesses: int = 3) -> None:
        self.output_shapes = {"scores": [], "boxes": [], "points": []}
        self.card: dict[str, object] = {}
        self.guesses = guesses
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.shapes.append(batch.shape)
        y, x = np.nonzero(batch[0, :, :, 0] > 127)
        box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], np.float32) - 0.5
        points = np.repeat((box[:2] + box[2:])[None] / 2, 7, 0)
        points[0, 0] -= 5  # the wrist lies to the left
        return {
            "scores": np.linspace(0.9, 0.5, self.guesses, dtype=np.float32)[None],
            "boxes": np.repeat(box[None, None], self.guesses, 1),
            "points": np.repeat(points[None, None], self.guesses, 1),
        }


def picture(width: int, height: int, x0: int, y0: int, side: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[y0 : y0 + side, x0 : x0 + side] = 255
    return image


@pytest.mark.parametrize(("width", "height"), [(640, 480), (300, 700)])
def test_a_palm_is_found_where_it_is_at_every_size(width: int, height: int) -> None:
    """Once, although both sizes see it; its crop is 2.6 palms, half a palm further along the fingers."""
    (found,) = PalmDetector(SquareSeer(), 0.3, (192, 256))(picture(width, height, 96, 128, 64))
    np.testing.assert_allclose(found.up, [1, 0])
    assert found.extent == pytest.approx(HAND_PALMS * 64, rel=0.1)
    np.testing.assert_allclose(found.centre, [127.5 + ADVANCE * 64, 159.5], atol=3)
    assert found.score == pytest.approx(0.9) and found.right == 0.5


def test_pictures_are_hardly_enlarged_beyond_the_smallest_size() -> None:
    network = SquareSeer()
    for side in (100, 256, 300):
        PalmDetector(network, 0.3, (192, 384))(picture(side, side // 2, side // 4, side // 4, side // 4))
    assert network.shapes == [(1, 96, 192, 3), (1, 96, 192, 3), (1, 96, 192, 3), (1, 192, 384, 3)]


def test_shrinking_keeps_pixel_edges_and_fills_with_black() -> None:
    small, scale = shrunk(np.full((200, 400, 3), 200, np.uint8), 100)
    assert small.shape == (2 * MULTIPLE, 4 * MULTIPLE, 3) and scale.tolist() == [0.25, 0.25]
    assert (small[:50, :100] == 200).all() and (small[50:] == 0).all() and (small[:, 100:] == 0).all()


def test_proposals_are_bounded() -> None:
    """A network that sees a hand everywhere."""
    count = 500
    places = np.random.default_rng(0).uniform(0, 5000, (count, 2)).astype(np.float32)
    out = {
        "scores": np.linspace(1, 0.5, count, dtype=np.float32)[None],
        "boxes": np.concatenate([places, places + 20], 1)[None],
        "points": np.repeat(places[:, None] + 10, 7, 1)[None] + np.arange(7, dtype=np.float32)[:, None],
    }
    network = stand_in(Network, output_shapes={name: [] for name in out}, card={}, run=lambda batch: out)
    found = PalmDetector(network, 0.3)(np.zeros((192, 192, 3), np.uint8))
    assert len(found) == MAX_PROPOSALS and found[0].score == 1.0


def test_no_palm_no_detection() -> None:
    (found,) = PalmDetector(SquareSeer(), 0.95).search([picture(192, 192, 50, 50, 50)])
    assert found == []


def test_presence_is_asked_of_the_crop_that_the_joints_ask_for() -> None:
    """An upright hand 100 px high: the crop is 200 px, 10 px towards the fingers, and turns with the hand."""
    joints = np.full((21, 2), [50.0, 50.0])
    joints[0], joints[9], joints[12], joints[4], joints[20] = (50, 100), (50, 50), (50, 0), (80, 50), (20, 50)
    crop = asked_crop(upright_crop(joints, size=96), 224)
    assert crop.extent == pytest.approx(200) and not crop.mirrored
    np.testing.assert_allclose(crop.centre, [50, 40], atol=1e-9)
    turned = asked_crop(upright_crop(joints[:, ::-1] * [-1, 1], size=96, mirrored=True), 224)
    np.testing.assert_allclose(turned.centre, [-40, 50], atol=1e-9)
    assert turned.mirrored


def test_presence_answers_for_every_hand() -> None:
    network = stand_in(
        Network,
        output_shapes={"presence": []},
        input_size=8,
        run=lambda batch: {"presence": batch.max((1, 2, 3)).astype(np.float32) / 255},
    )
    crop = upright_crop(np.random.default_rng(0).uniform(20, 80, (21, 2)), size=96)
    pictures = [np.full((100, 100, 3), value, np.uint8) for value in (0, 255)]
    assert Presence(network)([(image, crop) for image in pictures]).tolist() == [0, 1]
    assert Presence(network)([]).shape == (0,)


def test_both_detectors_propose_and_a_hand_that_both_see_is_one() -> None:
    def seer(kind, *places):
        return stand_in(kind, search=lambda images: [[hand_at(*place) for place in places] for _ in images])

    both = Proposals(seer(Detector, (10, 0.5), (200, 0.9)), seer(PalmDetector, (12, 0.8), (400, 0.6)))
    found = both(np.zeros((9, 9, 3), np.uint8))
    assert [(d.centre[0], d.score) for d in found] == [(200, 0.9), (12, 0.8), (400, 0.6)]


def hand_at(x: float, score: float) -> Detection:
    centre = np.array([x, 50.0])
    box = np.concatenate([centre - 20, centre + 20])
    return Detection(box=box, up=np.array([0, -1.0]), centre=centre, extent=60.0, right=0.5, score=score)
