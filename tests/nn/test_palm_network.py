"""The palm network: equal to the original at strides 8 and 16, any picture size, one picture's answers its own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from handscope.nn.palm import GUESSES, PalmNetwork, read_guesses

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def network() -> PalmNetwork:
    return PalmNetwork.load(ROOT / "recipes" / "weights" / "palm-0.10.21.safetensors").eval()


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """What the original computes, by scripts/convert_palm_network.py."""
    return dict(np.load(Path(__file__).with_name("palm_reference.npz")))


def noise(seed: int) -> np.ndarray:
    """The picture of the reference."""
    return np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def pictures(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def test_features_equal_the_originals(network: PalmNetwork, reference: dict[str, np.ndarray]) -> None:
    """The reference is stored as float16: its last bit at 16 is 0.008."""
    with torch.no_grad():
        fine, middle = network.features(pictures(noise(int(reference["seed"]))[None]))
    np.testing.assert_allclose(fine, reference["stride_8"], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(middle, reference["stride_16"], rtol=1e-3, atol=1e-3)


def test_heads_equal_the_originals(network: PalmNetwork, reference: dict[str, np.ndarray]) -> None:
    """Cell by cell, guess by guess in the original's order; its numbers are px from the cell's centre."""
    with torch.no_grad():
        scores, boxes, points = network(pictures(noise(int(reference["seed"]))[None]))
    np.testing.assert_allclose(scores[0], reference["logits"], rtol=1e-3, atol=1e-3)
    cells = np.concatenate(
        [
            (np.stack(np.meshgrid(*[np.arange(192 // stride)] * 2), -1).reshape(-1, 2).repeat(count, 0) + 0.5) * stride
            for stride, count in GUESSES.items()
        ]
    )
    numbers = reference["numbers"]
    centres = cells - 0.5 + numbers[:, :2]
    expected = np.concatenate([centres - numbers[:, 2:4] / 2, centres + numbers[:, 2:4] / 2], 1)
    np.testing.assert_allclose(boxes[0], expected, atol=1e-3)
    np.testing.assert_allclose(points[0], (cells - 0.5)[:, None] + numbers[:, 4:].reshape(-1, 7, 2), atol=1e-3)


def test_pictures_of_any_size_and_number(network: PalmNetwork) -> None:
    rng = np.random.default_rng(1)
    image = pictures(rng.integers(0, 256, (2, 128, 64, 3)).astype(np.uint8))
    with torch.no_grad():
        both, alone = network(image), network(image[1:])
    assert [tuple(part.shape) for part in both] == [(2, 448), (2, 448, 4), (2, 448, 7, 2)]
    for one, other in zip(both, alone, strict=True):
        torch.testing.assert_close(one[1:], other, rtol=1e-3, atol=1e-3)


def test_guesses_are_read_row_by_row_around_their_cells() -> None:
    scores = torch.arange(2.0 * 2 * 3).view(1, 2, 2, 3)  # two guesses in 2 x 3 cells
    places = torch.zeros(1, 36, 2, 3)
    places[0, 18 + 2 : 18 + 4] = 10.0  # the second guess's square
    found = read_guesses(scores, places, 8)
    assert found.scores[0, :4].tolist() == [0, 6, 1, 7]
    assert found.boxes[0, 0].tolist() == [3.5, 3.5, 3.5, 3.5]
    assert found.boxes[0, -1].tolist() == [14.5, 6.5, 24.5, 16.5]
    assert found.points[0, -2].tolist() == [[19.5, 11.5]] * 7
