import numpy as np
import pytest
import torch

from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
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
    a, b = soft_silhouette(found, faces, 32), soft_silhouette_reference(expected, faces, 32)
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
