"""Encoders: shapes, strides, TensorFlow's padding, equality with the original where it is at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from handscope.errors import AssetError
from handscope.nn.backbones import BACKBONES, LandmarkBackbone, LiteBackbone, SameConv

INIT = Path(__file__).parents[2] / "runs" / "init"


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_keeps_the_protocol(name: str, tmp_path: Path) -> None:
    """Channels and strides are those of its features, a file fills it, and frozen parts do not learn."""
    torch.manual_seed(0)
    given, backbone = BACKBONES[name](), BACKBONES[name]()
    save_file({key: value.half() for key, value in given.state_dict().items()}, tmp_path / "x.safetensors")
    backbone.load(tmp_path / "x.safetensors")
    for found, wanted in zip(backbone.parameters(), given.parameters(), strict=True):
        torch.testing.assert_close(found, wanted.half().float())
    backbone.freeze(4)
    features = backbone.train()(torch.rand(2, 3, 64, 96))
    shapes = zip(backbone.channels, backbone.strides, strict=True)
    assert [tuple(f.shape) for f in features] == [(2, c, 64 // s, 96 // s) for c, s in shapes]
    learns = [p.requires_grad for p in backbone.parameters()]
    assert not learns[0] and learns[-1] and learns == sorted(learns)  # the frozen ones come first
    features[-1].mean().backward()
    assert all((p.grad is not None) == p.requires_grad for p in backbone.parameters())


def test_the_lite_backbone_takes_pictures_as_its_original_did() -> None:
    """Bytes minus 127 over 128: with a stem that copies a pixel, byte 127 is nothing and byte 255 is one."""
    backbone = LiteBackbone()
    with torch.no_grad():
        backbone.stem.weight.zero_()
        backbone.stem.weight[:, :, 0, 0] = 1 / 3
        grey = torch.tensor([127.0, 255.0]).view(2, 1, 1, 1).expand(2, 3, 32, 32) / 255
        stem = backbone.stem((grey - backbone.mean) / backbone.std)
    torch.testing.assert_close(stem[:, 0, 0, 0], torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_lite_is_wider_at_the_start_and_narrows_at_the_end() -> None:
    """EfficientNet-Lite0's published widths; the landmark model ends unnarrowed, for its own linear layers."""
    lite, landmark = LiteBackbone(), LandmarkBackbone()
    assert lite.channels == (24, 40, 112, 320) and landmark.channels == (24, 40, 112, 1152)
    assert lite.blocks[-1].narrow is not None and landmark.blocks[-1].narrow is None
    count = sum(p.numel() for p in lite.parameters()) / 1e6
    assert count == pytest.approx(2.94, abs=0.01)


def test_random_weights_keep_the_signal_alive() -> None:
    torch.manual_seed(0)
    backbone = LandmarkBackbone()
    features = backbone(torch.rand(2, 3, 64, 64))
    features[-1].mean().backward()
    assert all(0.01 < float(f.detach().std()) < 100 for f in features)
    assert float(backbone.stem.weight.grad.abs().sum()) > 0


def test_a_frozen_backbone_gives_the_same_in_parts() -> None:
    torch.manual_seed(0)
    backbone = LandmarkBackbone().requires_grad_(False)
    image = torch.rand(5, 3, 64, 64)
    for part, whole in zip(backbone.train()(image), backbone.eval()(image), strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-4)
        assert not part.requires_grad


def test_the_first_blocks_may_be_frozen_alone() -> None:
    """Same features and, for the blocks that learn, same gradients as of a backbone that goes through in one piece."""
    torch.manual_seed(0)
    backbone = LandmarkBackbone().train()
    image = torch.rand(5, 3, 64, 64)
    whole = backbone(image)
    whole[-1].mean().backward()
    wanted = backbone.blocks[12].widen.weight.grad.clone()
    backbone.zero_grad()
    for module in (backbone.stem, *backbone.blocks[:11]):
        module.requires_grad_(False)
    found = backbone(image)
    found[-1].mean().backward()
    for one, other in zip(found, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert [f.requires_grad for f in found] == [False, False, False, True]
    assert backbone.stem.weight.grad is None and backbone.blocks[10].widen.weight.grad is None
    torch.testing.assert_close(backbone.blocks[12].widen.weight.grad, wanted, rtol=1e-3, atol=1e-7)


def test_channels_last_gives_the_same_features() -> None:
    torch.manual_seed(0)
    backbone = LandmarkBackbone().eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain = backbone(image)[-1]
        other = backbone.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))[-1]
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
    with pytest.raises(AssetError, match="convert_landmark_backbone"):
        LandmarkBackbone().load(tmp_path / "none.safetensors")


@pytest.mark.skipif(not (INIT / "landmark_reference.npz").exists(), reason="no weights in runs/init")
def test_features_equal_the_original_at_224_px() -> None:
    backbone = LandmarkBackbone().eval()
    backbone.load(INIT / "landmark_backbone.safetensors")
    reference = np.load(INIT / "landmark_reference.npz")
    with torch.no_grad():
        features = backbone(torch.from_numpy(reference["image"]))
    for stride, feature in zip((4, 8, 16, 32), features, strict=True):
        wanted = torch.from_numpy(reference[f"stride_{stride}"])
        torch.testing.assert_close(feature, wanted, rtol=0, atol=1e-4)
