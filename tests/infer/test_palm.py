"""The palm network's answers as detections, with a stand-in network that sees one white square."""

from types import SimpleNamespace

import numpy as np
import pytest

from handscope.infer.palm import ADVANCE, HAND_PALMS, MOST, MULTIPLE, PalmDetector, shrunk
from handscope.infer.presence import Presence, crop_of


class SquareSeer:
    """Its palm is the box of the white pixels, pointing to the right; `guesses` of falling score all say so."""

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
    (found,) = PalmDetector(SquareSeer(), sizes=(192, 256))(picture(width, height, 96, 128, 64))
    np.testing.assert_allclose(found.up, [1, 0])
    assert found.extent == pytest.approx(HAND_PALMS * 64, rel=0.1)
    np.testing.assert_allclose(found.centre, [127.5 + ADVANCE * 64, 159.5], atol=3)
    assert found.score == pytest.approx(0.9) and found.right == 0.5


def test_pictures_are_not_enlarged_beyond_the_smallest_size() -> None:
    network = SquareSeer()
    PalmDetector(network, sizes=(192, 384))(picture(256, 256, 96, 96, 64))
    PalmDetector(network, sizes=(192, 384))(picture(100, 50, 20, 20, 20))
    assert network.shapes == [(1, 192, 192, 3), (1, 128, 192, 3)]


def test_shrinking_keeps_pixel_edges_and_fills_with_black() -> None:
    small, scale = shrunk(np.full((200, 400, 3), 200, np.uint8), 100)
    assert small.shape == (MULTIPLE, 2 * MULTIPLE, 3) and scale.tolist() == [0.25, 0.25]
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
    network = SimpleNamespace(output_shapes={name: [] for name in out}, card={}, run=lambda batch: out)
    found = PalmDetector(network)(np.zeros((192, 192, 3), np.uint8))
    assert len(found) == MOST and found[0].score == 1.0


def test_no_palm_no_detection() -> None:
    (found,) = PalmDetector(SquareSeer(), threshold=0.95).search([picture(192, 192, 50, 50, 50)])
    assert found == []


def test_presence_is_asked_of_the_crop_that_the_joints_ask_for() -> None:
    """An upright hand 100 px high: the crop is 200 px, 10 px towards the fingers, and turns with the hand."""
    joints = np.full((21, 2), [50.0, 50.0])
    joints[0], joints[9], joints[12], joints[4], joints[20] = (50, 100), (50, 50), (50, 0), (80, 50), (20, 50)
    crop = crop_of(joints, 224)
    assert crop.extent == pytest.approx(200) and not crop.mirrored
    np.testing.assert_allclose(crop.centre, [50, 40], atol=1e-9)
    turned = crop_of(joints[:, ::-1] * [-1, 1], 224, mirrored=True)
    np.testing.assert_allclose(turned.centre, [-40, 50], atol=1e-9)
    assert turned.mirrored


def test_presence_answers_for_every_hand() -> None:
    network = SimpleNamespace(
        output_shapes={"presence": []},
        input_size=8,
        run=lambda batch: {"presence": batch.mean((1, 2, 3)).astype(np.float32) / 255},
    )
    joints = np.random.default_rng(0).uniform(20, 80, (21, 2))
    pictures = [np.full((100, 100, 3), value, np.uint8) for value in (0, 255)]
    assert Presence(network)([(image, joints, False) for image in pictures]).tolist() == [0, 1]
    assert Presence(network)([]).shape == (0,)
