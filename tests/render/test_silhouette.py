import cv2
import numpy as np
import pytest
import torch

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.losses.supervised import silhouette_iou
from handscope.render.silhouette import soft_silhouette, soft_silhouette_reference

TRIANGLE = torch.tensor([[0, 1, 2]])


@pytest.fixture(scope="module")
def hands():
    """Three hands seen from the back, in pixels of a 32 x 32 picture, and the coarse faces."""
    asset, rng = load_asset(), np.random.default_rng(0)
    vertices = pose_hand(asset, rng.normal(size=(3, 10)), rng.normal(0, 0.3, (3, 15, 3))).vertices[..., [0, 2]]
    points = (vertices - vertices.mean(1, keepdims=True)) / 0.2 * 22 + 16
    return torch.tensor(points), torch.tensor(asset.silhouette_faces, dtype=torch.int64)


def test_the_kernel_equals_its_readable_twin(hands):
    points, faces = hands
    found, expected = points.clone().requires_grad_(), points.clone().requires_grad_()
    a, b = soft_silhouette(found, faces, 32, 0.5), soft_silhouette_reference(expected, faces, 32, 0.5)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    weight = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1))
    (a * weight).sum().backward()
    (b * weight).sum().backward()
    assert (found.grad - expected.grad).norm() < 1e-4 * expected.grad.norm()


def test_gradients_equal_finite_differences():
    points = torch.tensor([[[2.1, 1.3], [8.7, 3.2], [4.4, 9.6]]], dtype=torch.float64, requires_grad=True)
    render = lambda p: soft_silhouette_reference(p, TRIANGLE, 11, 1.0)  # noqa: E731
    assert torch.autograd.gradcheck(render, points, eps=1e-6, atol=1e-5)


def test_deep_inside_is_one_far_outside_is_zero_and_an_edge_is_half():
    points = torch.tensor([[[-20.0, -20.0], [60.0, -20.0], [8.0, 40.0]]])
    assert soft_silhouette(points, TRIANGLE, 16)[0, 8, 8] > 0.999
    edge = torch.tensor([[[5.0, -50.0], [5.0, 50.0], [-60.0, 0.0]]])  # the right edge runs through x = 5
    image = soft_silhouette(edge, TRIANGLE, 16)[0]
    assert abs(image[8, 5] - 0.5) < 1e-4 and image[8, 12] < 1e-6


def test_which_way_a_face_turns_does_not_matter(hands):
    points, faces = hands
    turned = faces.flip(1)
    torch.testing.assert_close(soft_silhouette(points, faces, 32), soft_silhouette(points, turned, 32))


def test_faces_outside_the_picture_and_faces_without_area_do_no_harm():
    points = torch.tensor([[[100.0, 100.0], [110.0, 100.0], [100.0, 110.0]]], requires_grad=True)
    image = soft_silhouette(points, TRIANGLE, 16)
    image.sum().backward()
    assert image.abs().max() == 0 and torch.isfinite(points.grad).all()
    flat = torch.full((1, 3, 2), 8.0, requires_grad=True)
    soft_silhouette(flat, TRIANGLE, 16).sum().backward()
    assert torch.isfinite(flat.grad).all()


def test_the_coarse_faces_have_the_outline_of_the_fine_ones(hands):
    points, faces = hands
    fine = torch.tensor(load_asset().faces, dtype=torch.int64)
    a, b = (soft_silhouette(points * 4, f, 128) > 0.5 for f in (faces, fine))
    assert (a & b).sum() / (a | b).sum() > 0.93


POSES = 20


@pytest.fixture(scope="module")
def posed():
    """Twenty poses seen from anywhere, in shares of the picture (0 is its middle), and the coarse faces."""
    asset, rng = load_asset(), np.random.default_rng(0)
    beta, theta = rng.normal(size=(POSES, 10)), rng.normal(0, 0.35, (POSES, 15, 3))
    R = axis_angle_to_matrix(rng.normal(0, 1.2, (POSES, 3)))
    flat = pose_hand(asset, beta, theta, R).vertices[..., :2]
    low, high = flat.min(1, keepdims=True), flat.max(1, keepdims=True)
    shares = (flat - (low + high) / 2) / (high - low).max(2, keepdims=True) * 0.75
    return torch.tensor(shares, dtype=torch.float32), torch.tensor(asset.silhouette_faces, dtype=torch.int64)


def in_px(shares, size):
    return (shares + 0.5) * size - 0.5


def hard_masks(shares, faces, size, fold=16):
    """The same faces' coverage, counted at sixteen times the resolution by another rasteriser."""
    masks = []
    for points in in_px(shares, size * fold).numpy():
        fine = np.zeros((size * fold, size * fold), np.uint8)
        for triangle in np.round(points[faces.numpy()] * 16).astype(np.int32):
            cv2.fillConvexPoly(fine, triangle, 1, shift=4)
        masks.append(fine.reshape(size, fold, size, fold).mean((1, 3), dtype=np.float32))
    return torch.tensor(np.stack(masks))


@pytest.mark.parametrize(("size", "tolerance"), [(32, 0.03), (64, 0.02), (128, 0.02)])
def test_a_true_hand_is_as_large_as_its_mask_and_costs_least_at_its_own_size(posed, size, tolerance):
    shares, faces = posed
    mask = hard_masks(shares, faces, size)
    area = soft_silhouette(in_px(shares, size), faces, size).sum((1, 2)) / mask.sum((1, 2))
    assert area.mean().item() == pytest.approx(1, abs=tolerance)
    everyone, scales = torch.ones(POSES, dtype=torch.bool), np.arange(0.95, 1.055, 0.01)
    costs = [
        silhouette_iou(soft_silhouette(in_px(shares * scale, size), faces, size), mask, everyone).mean().item()
        for scale in scales
    ]
    assert scales[int(np.argmin(costs))] == pytest.approx(1, abs=0.011)


def test_a_shifted_hand_finds_its_mask(posed):
    """A vanishing sigma would train nothing: from 3 px of 64 aside, a hundred steps end within 0.3 px."""
    shares, faces = posed
    mask, everyone = hard_masks(shares, faces, 64), torch.ones(POSES, dtype=torch.bool)
    angle = torch.linspace(0, 2 * np.pi, POSES)
    shift = (3 * torch.stack([angle.cos(), angle.sin()], 1)).requires_grad_()
    optimiser = torch.optim.Adam([shift], lr=0.1)
    for step in range(100):
        outline = soft_silhouette(in_px(shares, 64) + shift[:, None], faces, 64)
        optimiser.zero_grad()
        silhouette_iou(outline, mask, everyone).value.sum().backward()
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 110)
        optimiser.step()
    assert shift.norm(dim=1).max() < 0.3
