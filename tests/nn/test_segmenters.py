"""The networks of Table 1: masks of crops, and that they learn."""

import pytest
import torch

from handscope.nn.segmenters import Segmenter, SegmenterConfig
from handscope.tasks.mask import mask_cross_entropy


@pytest.mark.parametrize("name", ["fast-scnn", "deeplab-v3"])
def test_a_segmenter_learns_two_squares_by_heart(name):
    torch.manual_seed(0)
    network = Segmenter(SegmenterConfig(name=name, width=8, crop=64))
    image = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    image[0, 8:40, 8:40], image[1, 24:56, 16:48] = 200, 200
    mask = (image[..., 0] > 0).float()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    known = torch.ones(2, dtype=torch.bool)
    losses = []
    for _ in range(25):
        logits = network(image).last.mask
        loss = mask_cross_entropy(logits, mask, known).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert logits.shape == (2, 32, 32) and losses[-1] < 0.4 * losses[0]


def test_a_crop_that_does_not_halve_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        SegmenterConfig(crop=100)
