import pytest
import torch
from safetensors.torch import save_file

from handscope.nn.aligner import AlignerConfig, ExportedAligner, HandAligner


def test_joints_are_told_in_crop_px_side_and_presence_as_probabilities() -> None:
    network = HandAligner(AlignerConfig(present=True)).eval()
    places = torch.linspace(0.1, 0.9, 42)
    with torch.no_grad():
        layers = (network.auxiliary.joints, network.auxiliary.right, network.present)
        for layer, bias in zip(layers, (places, torch.tensor([-2.0]), torch.tensor([3.0])), strict=True):
            layer.weight.zero_()
            layer.bias.copy_(bias)
        joints, right, presence = ExportedAligner(network)(torch.zeros(3, 96, 96, 3, dtype=torch.uint8))
    torch.testing.assert_close(joints, places.view(21, 2).expand(3, 21, 2) * 96 - 0.5)
    torch.testing.assert_close(right, torch.full((3,), 0.1192), atol=1e-4, rtol=0)
    torch.testing.assert_close(presence, torch.full((3,), 0.9526), atol=1e-4, rtol=0)


def test_it_starts_from_a_landmark_model(tmp_path) -> None:
    torch.manual_seed(0)
    given, network = (HandAligner(AlignerConfig(present=True)) for _ in range(2))
    layers = {f"auxiliary.{name}": value for name, value in given.auxiliary.state_dict().items()}
    layers |= {f"present.{name}": value for name, value in given.present.state_dict().items()}
    save_file(given.backbone.state_dict() | layers, tmp_path / "backbone.safetensors")
    network.load(tmp_path / "backbone.safetensors")
    crops = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(network(crops).joints_2d, given(crops).joints_2d)
        torch.testing.assert_close(network(crops).present, given(crops).present)


@pytest.mark.parametrize("size", [0, 100])
def test_a_crop_that_the_backbone_cannot_halve_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        AlignerConfig(crop=size)
