"""Encoders: shapes, strides, TensorFlow's padding, equality with the original where it is at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handscope.errors import AssetError
from handscope.nn.trunks import LandmarkTrunk, LiteTrunk, SameConv, Trunk

INIT = Path(__file__).parents[2] / "runs" / "init"


@pytest.mark.parametrize("kind", [LandmarkTrunk, LiteTrunk])
def test_features_have_strides_4_to_32_and_the_promised_channels(kind: type[Trunk]) -> None:
    trunk = kind().eval()
    with torch.no_grad():
        features = trunk(torch.rand(2, 3, 64, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(trunk.channels, (4, 8, 16, 32), strict=True)
    ]


def test_random_weights_keep_the_signal_alive() -> None:
    torch.manual_seed(0)
    trunk = LandmarkTrunk()
    features = trunk(torch.rand(2, 3, 64, 64))
    features[-1].mean().backward()
    assert all(0.01 < float(f.detach().std()) < 100 for f in features)
    assert float(trunk.stem.weight.grad.abs().sum()) > 0


def test_a_frozen_trunk_gives_the_same_in_parts() -> None:
    torch.manual_seed(0)
    trunk = LandmarkTrunk().requires_grad_(False)
    image = torch.rand(5, 3, 64, 64)
    for part, whole in zip(trunk.train()(image), trunk.eval()(image), strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-4)
        assert not part.requires_grad


def test_the_first_blocks_may_be_frozen_alone() -> None:
    """Same features and, for the blocks that learn, same gradients as of a trunk that goes through in one piece."""
    torch.manual_seed(0)
    trunk = LandmarkTrunk().train()
    image = torch.rand(5, 3, 64, 64)
    whole = trunk(image)
    whole[-1].mean().backward()
    wanted = trunk.blocks[12].widen.weight.grad.clone()
    trunk.zero_grad()
    for module in (trunk.stem, *trunk.blocks[:11]):
        module.requires_grad_(False)
    found = trunk(image)
    found[-1].mean().backward()
    for one, other in zip(found, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert [f.requires_grad for f in found] == [False, False, False, True]
    assert trunk.stem.weight.grad is None and trunk.blocks[10].widen.weight.grad is None
    torch.testing.assert_close(trunk.blocks[12].widen.weight.grad, wanted, rtol=1e-3, atol=1e-7)


def test_channels_last_gives_the_same_features() -> None:
    torch.manual_seed(0)
    trunk = LandmarkTrunk().eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain = trunk(image)[-1]
        other = trunk.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))[-1]
    torch.testing.assert_close(plain, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [3, 5])
def test_stride_2_pads_one_pixel_more_below_and_right(kernel: int) -> None:
    conv = SameConv(1, 1, kernel, stride=2).double()
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    less = (kernel - 2) // 2
    padded = F.pad(x, (less, less + 1, less, less + 1))
    torch.testing.assert_close(conv(x), F.conv2d(padded, conv.weight, conv.bias, stride=2))
    assert conv(x).shape[-1] == 4


def test_missing_weights_are_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="convert_landmark_trunk"):
        LandmarkTrunk.load(tmp_path / "none.safetensors")


@pytest.mark.skipif(not (INIT / "landmark_reference.npz").exists(), reason="no weights in runs/init")
def test_features_equal_the_original_at_224_px() -> None:
    trunk = LandmarkTrunk.load(INIT / "landmark_trunk.safetensors").eval()
    reference = np.load(INIT / "landmark_reference.npz")
    with torch.no_grad():
        features = trunk(torch.from_numpy(reference["image"]))
    for stride, feature in zip((4, 8, 16, 32), features, strict=True):
        wanted = torch.from_numpy(reference[f"stride_{stride}"])
        torch.testing.assert_close(feature, wanted, rtol=0, atol=1e-4)
