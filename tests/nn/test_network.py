import dataclasses

import pytest
import torch

from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.nn.attention import Concatenation, TaskAttention
from handscope.nn.blocks import Residual
from handscope.nn.network import HandNetwork, NetworkConfig
from toy_configs import TINY


@pytest.fixture(scope="module")
def hand():
    return HandLayer(load_asset())


def crops(n: int, size: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
def test_attention_shares_out_every_channel_among_the_tasks(tasks):
    module = TaskAttention(6, tasks)
    features = [torch.randn(2, 6, 4, 4) for _ in range(tasks)]
    weights = module.attention(features)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 6))
    same = [features[0]] * tasks
    torch.testing.assert_close(module(same), features[0])  # a mean of equals is the same, whatever the weights


def test_concatenation_hears_every_task_and_does_not_mind_where_the_hand_is():
    """Table 5's baseline: moved features give moved maps, away from the edges; without a task they are others."""
    module = Concatenation(4, 3).eval()
    features = [torch.randn(2, 4, 9, 9) for _ in range(3)]
    mixed = module(features)
    assert mixed.shape == (2, 4, 9, 9)
    moved = module([f.roll(2, 3) for f in features])
    torch.testing.assert_close(moved[..., 1:-1, 3:-1], mixed.roll(2, 3)[..., 1:-1, 3:-1])
    for task in range(3):
        silent = [torch.zeros_like(f) if i == task else f for i, f in enumerate(features)]
        assert (module(silent) - mixed).abs().max() > 1e-3


def test_a_cascade_may_concatenate_instead(hand):
    """The same answers in shape, other weights; its gradient reaches every decoder of the first block."""
    network = HandNetwork(dataclasses.replace(TINY, aggregate="concatenation"), hand)
    last = network(crops(2, 64)).last
    assert last.heatmaps.shape == (2, 21, 32, 32) and isinstance(network.blocks[0].aggregate, Concatenation)
    last.heatmaps.square().mean().backward()
    for decoder in (network.blocks[0].heatmap, network.blocks[0].mask, network.blocks[0].pof):
        assert decoder.body[0][0].weight.grad.abs().sum() > 0


def test_attention_is_moved_by_what_the_tasks_say_not_by_where():
    """Global average pooling: shuffling the pixels of a map leaves the weights alone."""
    module = TaskAttention(4, 2)
    a, b = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3)
    shuffled = a.flatten(2)[..., torch.randperm(9)].view_as(a)
    torch.testing.assert_close(module.attention([a, b]), module.attention([shuffled, b]))


@pytest.mark.parametrize("stacks", [1, 2, 4])
def test_every_block_answers_everything(hand, stacks):
    network = HandNetwork(dataclasses.replace(TINY, stacks=stacks), hand).eval()
    prediction = network(crops(2, 64))
    assert len(prediction.blocks) == stacks
    for block in prediction.blocks:
        assert block.heatmaps.shape == (2, 21, 32, 32) and block.mask.shape == (2, 32, 32)
        assert block.pof.shape == (2, 20, 3, 16, 16) and block.joints_2d.shape == (2, 21, 2)
        assert block.mesh.vertices.shape == (2, 1609, 3) and block.right.shape == (2,)


def test_blocks_share_one_set_of_regressor_heads(hand):
    count = lambda stacks: sum(  # noqa: E731
        p.numel() for p in HandNetwork(dataclasses.replace(TINY, stacks=stacks), hand).heads.parameters()
    )
    assert count(1) == count(4)


def test_the_second_block_hears_the_first(hand):
    network = HandNetwork(TINY, hand).eval()
    before = network(crops(1, 64)).blocks[1].heatmaps
    with torch.no_grad():
        network.blocks[0].mask.body[0][1].bias.add_(1.0)
    assert (network(crops(1, 64)).blocks[1].heatmaps - before).abs().max() > 1e-6


def test_rotations_are_rotations_and_the_mesh_projects_to_its_joints(hand):
    network = HandNetwork(TINY, hand).eval()
    with torch.no_grad():
        for layer in (network.heads.theta, network.heads.orientation, network.heads.camera):
            torch.nn.init.normal_(layer.weight, std=0.3)
    mesh = network(crops(3, 64)).last.mesh
    for matrix in (mesh.theta.reshape(-1, 3, 3), mesh.R):
        torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3).expand_as(matrix), atol=1e-4, rtol=0)
        torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(len(matrix)), atol=1e-4, rtol=0)
    wrist = mesh.joints_3d[:, 0]
    torch.testing.assert_close(wrist, mesh.T, atol=1e-5, rtol=0)
    seen = wrist[:, :2] / wrist[:, 2:] * mesh.focal[:, None] * 64 + 31.5
    torch.testing.assert_close(mesh.joints_2d[:, 0], seen, atol=1e-3, rtol=1e-4)


AUXILIARY = dataclasses.replace(TINY, crop=224, stride=8, backbone="landmark", auxiliary=True)


def test_a_cascade_at_stride_8_answers_at_an_eighth_of_the_crop(hand):
    """Also where halving leaves odd sides: 28, 14, 7, 4."""
    last = HandNetwork(AUXILIARY, hand).eval()(crops(1, 224)).last
    assert last.heatmaps.shape == (1, 21, 56, 56) and last.mask.shape == (1, 56, 56)
    assert last.pof.shape == (1, 20, 3, 28, 28)


def test_the_auxiliary_head_tells_joints_as_shares_of_the_crop_and_the_side(hand):
    """Shares 0 and 1 are the crop's edges; pixel centres are integers."""
    network = HandNetwork(AUXILIARY, hand).eval()
    head = network.first_encoder.auxiliary
    places = torch.linspace(0.1, 0.9, 42)
    with torch.no_grad():
        for layer, bias in ((head.joints, places), (head.right, torch.tensor([1.5]))):
            layer.weight.zero_()
            layer.bias.copy_(bias)
        told = network(crops(2, 224)).auxiliary
    torch.testing.assert_close(told.joints_2d, places.view(21, 2).expand(2, 21, 2) * 224 - 0.5)
    torch.testing.assert_close(told.right, torch.full((2,), 1.5))


def test_heat_maps_and_heads_hear_the_auxiliary_head(hand):
    network = HandNetwork(AUXILIARY, hand).eval()
    with torch.no_grad():
        network.heads.theta.weight.normal_(std=0.1)
        before = network(crops(1, 224)).last
        network.first_encoder.auxiliary.joints.bias.add_(0.3)
        moved = network(crops(1, 224)).last
        network.heads.features[0].weight[:, -network.first_encoder.pooled :] *= 2
        heard = network(crops(1, 224)).last
    assert (moved.heatmaps - before.heatmaps).abs().max() > 1e-6
    torch.testing.assert_close(heard.heatmaps, moved.heatmaps)
    assert (heard.mesh.theta - moved.mesh.theta).abs().max() > 1e-6


IMPOSSIBLE = [
    {"stacks": 0},
    {"crop": 100},
    {"auxiliary": True, "backbone": "pyramid"},
    {"auxiliary": True, "backbone": "lite"},
    {"stride": 8, "backbone": "pyramid"},
]


@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_impossible_configurations_are_refused(field):
    with pytest.raises(ValueError):
        NetworkConfig(**field)


def test_the_paper_form_reads_rectified_maps(hand):
    """Eq. 1 as printed: negative values count as nothing."""
    network = HandNetwork(dataclasses.replace(TINY, coordinates="mean"), hand)
    maps = torch.full((1, 21, 32, 32), -5.0)
    maps[:, :, 10, 20] = 2.0
    torch.testing.assert_close(network.read(maps), torch.tensor([41.0 - 0.5 + 0.0, 21.0 - 0.5]).expand(1, 21, 2))


def test_a_small_start_tells_nearly_nothing_and_adds_nothing(hand):
    """Whatever goes in, residual blocks give their shortcuts, and maps are as good as empty; both learn on."""
    config = dataclasses.replace(TINY, stacks=3, backbone="pyramid", small_start=True)
    network = HandNetwork(config, hand).train()
    crops = torch.randint(0, 256, (2, config.crop, config.crop, 3), dtype=torch.uint8)
    for block in network(crops).blocks:
        assert all(maps.abs().max() < 0.1 for maps in block.maps.values())
    added = [module.body(torch.rand(2, module.body[0][0].in_channels, 8, 8)) for module in network.modules()
             if isinstance(module, Residual)]  # fmt: skip
    assert added and all(not values.any() for values in added)
    usual = HandNetwork(dataclasses.replace(config, small_start=False), hand).train()
    sizes = {}
    for name, one in (("small", network), ("usual", usual)):
        sum(maps.square().sum() for block in one(crops).blocks for maps in block.maps.values()).backward()
        grads = [p.grad.norm() for key, p in one.named_parameters() if p.grad is not None and "blocks" in key]
        sizes[name] = torch.stack(grads).norm()
    assert 0 < sizes["small"] < 0.1 * sizes["usual"]
