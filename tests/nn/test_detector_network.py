"""The detector's grid, its exported form, and that it can learn one picture."""

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
    cells = cell_centres(2, 3, torch.zeros(1))
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
        scores, boxes, up, crops, right = exported(image)
    assert ((scores >= 0) & (scores <= 1)).all() and ((right >= 0) & (right <= 1)).all()
    long = exported.network(image.permute(0, 3, 1, 2).float() / 255).up.norm(dim=-1) > 0.05
    torch.testing.assert_close(up.norm(dim=-1)[long], torch.ones(int(long.sum())))
    assert (up.norm(dim=-1) < 1.001).all()
    assert (crops[..., 2] > 0).all() and (boxes[..., 2:] > boxes[..., :2]).all()


def test_frozen_blocks_take_no_gradient() -> None:
    network = HandDetector(DetectorConfig(frozen=3))
    network(torch.rand(1, 3, 64, 64)).score.sum().backward()
    assert network.backbone.stem.weight.grad is None
    assert network.backbone.blocks[3].filter.weight.grad is not None


def test_a_backbone_that_ends_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="stride 16"):
        DetectorConfig(backbone_depth=12)


def test_it_learns_one_picture() -> None:
    torch.manual_seed(0)
    network, hands = HandDetector(DetectorConfig(frozen=0, context=32, width=32)), table()
    image = torch.rand(2, 3, 128, 128)
    cells = cell_centres(16, 16, image)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(100):
        terms = detection_terms(*network(image), cells, hands)
        optimiser.zero_grad()
        torch.stack([term.sum() for term in terms.values()]).sum().backward()
        optimiser.step()
    found = network(image)
    best = int(found.score[0].argmax())
    assert (found.boxes[0, best] - hands.boxes[0, 0]).abs().max() < 10
    assert float(found.score[0].detach().max()) > 0 > float(found.score[1].detach().max())
