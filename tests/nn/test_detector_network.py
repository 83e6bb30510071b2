"""The detector's grid, its exported form, and that it can learn one picture."""

from pathlib import Path

import pytest
import torch

from handscope.losses.detection import HandTable, detection_terms
from handscope.nn.detector import (
    CHANNELS,
    DetectorConfig,
    ExportedDetector,
    HandDetector,
    cell_centres,
    read_cells,
)
from handscope.nn.palm import PalmNetwork

WEIGHTS = Path(__file__).parents[2] / "recipes" / "weights" / "palm-0.10.21.safetensors"


def table(size: float = 128.0) -> HandTable:
    """Two pictures: a right hand known in full, and nothing."""
    hand = torch.tensor([[1.0], [0.0]])
    known = torch.tensor([[True], [False]])
    box = torch.tensor([0.3, 0.3, 0.7, 0.8]) * size
    return HandTable(
        present=known,
        ignored=~known & known,
        boxes=hand[..., None] * box,
        up=hand[..., None] * torch.tensor([0.6, -0.8]),
        crops=hand[..., None] * torch.tensor([0.5, 0.55, 0.75]) * size,
        right=hand,
        box_known=known,
        frame_known=known,
        right_known=known,
    )


def test_cells_are_at_the_middle_of_their_eight_pixels() -> None:
    cells = cell_centres(torch.zeros(1, 1, 2, 3))
    assert cells.tolist() == [[3.5, 3.5], [11.5, 3.5], [19.5, 3.5], [3.5, 11.5], [11.5, 11.5], [19.5, 11.5]]


def test_zero_channels_are_a_unit_box_around_the_cell() -> None:
    found = read_cells(torch.zeros(1, CHANNELS, 2, 2))
    assert found.crops[0, 0].tolist() == [3.5, 3.5, 64.0]
    assert found.boxes[0, 0].tolist() == [3.5 - 32, 3.5 - 32, 3.5 + 32, 3.5 + 32]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 64)])
def test_one_answer_for_each_stride_8_cell(height: int, width: int) -> None:
    found = HandDetector().eval()(torch.rand(2, 3, height, width))
    cells = height * width // 64
    assert found.boxes.shape == (2, cells, 4) and found.score.shape == (2, cells)


def test_exported_form_gives_probabilities_and_unit_directions() -> None:
    torch.manual_seed(0)
    exported = ExportedDetector(HandDetector().eval())
    image = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        scores, boxes, up, crops, right, palm_scores, palm_boxes, palm_points = exported(image)
    for probability in (scores, right, palm_scores):
        assert ((probability >= 0) & (probability <= 1)).all()
    long = exported.network(image.permute(0, 3, 1, 2).float() / 255).up.norm(dim=-1) > 0.05
    torch.testing.assert_close(up.norm(dim=-1)[long], torch.ones(int(long.sum())))
    assert (up.norm(dim=-1) < 1.001).all()
    assert (crops[..., 2] > 0).all() and (boxes[..., 2:] > boxes[..., :2]).all()
    assert palm_boxes.shape[1] == palm_points.shape[1] == palm_scores.shape[1] == 8 * 8 * 2 + 4 * 4 * 6


def test_the_palm_network_stays_as_it_is() -> None:
    """Its answers are the original's, whatever is learnt; the copies of its later stages begin as they are."""
    network = HandDetector()
    network.load(WEIGHTS)
    original = PalmNetwork.load(WEIGHTS)
    image = torch.rand(1, 3, 64, 64)
    learn(network, torch.cat([image, image]), table(64.0), steps=2)
    with torch.no_grad():
        _, palms = network.eval().with_palms(image)
        for one, other in zip(palms, original(image), strict=True):
            torch.testing.assert_close(one, other)
    assert not any(p.requires_grad for p in network.palms.parameters())


def test_its_own_features_begin_as_the_palm_networks() -> None:
    network = HandDetector()
    network.load(WEIGHTS)
    pairs = ((network.up_16, network.palms.up_16), (network.up_8, network.palms.up_8))
    for own, palm in (*pairs, *zip(network.stages, network.palms.stages[3:], strict=True)):
        for one, other in zip(own.parameters(), palm.parameters(), strict=True):
            assert torch.equal(one, other) and one.requires_grad


def test_fewer_shared_stages_than_reach_stride_8_are_refused() -> None:
    with pytest.raises(ValueError, match="stride 8"):
        DetectorConfig(shared=2)


def learn(network: HandDetector, image: torch.Tensor, hands: HandTable, steps: int) -> None:
    cells = cell_centres(image[..., ::8, ::8])
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(steps):
        terms = detection_terms(*network(image), cells, hands)
        optimiser.zero_grad()
        torch.stack([term.sum() for term in terms.values()]).sum().backward()
        optimiser.step()


def test_it_learns_one_picture() -> None:
    torch.manual_seed(0)
    network, hands = HandDetector(DetectorConfig(width=32, blocks=1)), table()
    network.load(WEIGHTS)
    image = torch.rand(2, 3, 128, 128)
    learn(network, image, hands, steps=60)
    found = network(image)
    best = int(found.score[0].argmax())
    assert (found.boxes[0, best] - hands.boxes[0, 0]).abs().max() < 10
    assert float(found.score[0].detach().max()) > 0 > float(found.score[1].detach().max())
