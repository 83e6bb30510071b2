import numpy as np
import pytest
import torch

from handscope.geometry.heatmaps import (
    crop_to_map,
    gaussian_maps,
    map_to_crop,
    mean_along_bones,
    mean_coordinates,
    orientation_fields,
    soft_argmax,
)
from handscope.skeleton import BONES
from handscope.tasks.heatmap import READ

DOUBLE = torch.float64


def test_crop_and_map_cover_the_same_square():
    edges = torch.tensor([[-0.5, -0.5], [127.5, 127.5]], dtype=DOUBLE)
    torch.testing.assert_close(crop_to_map(edges, 128, 32), torch.tensor([[-0.5, -0.5], [31.5, 31.5]], dtype=DOUBLE))
    points = torch.rand(5, 2, dtype=DOUBLE) * 128
    torch.testing.assert_close(map_to_crop(crop_to_map(points, 128, 64), 128, 64), points)


def test_gaussian_map_is_the_formula_of_the_paper():
    maps = gaussian_maps(torch.tensor([[[3.25, 7.5]]], dtype=DOUBLE), 16, 1.7)[0, 0]
    for y in (0, 7, 12):
        for x in (1, 3, 9):
            expected = np.exp(-((x - 3.25) ** 2 + (y - 7.5) ** 2) / (2 * 1.7**2))
            np.testing.assert_allclose(maps[y, x], expected, rtol=1e-12)


def test_equation_1_recovers_the_place_of_a_gaussian():
    places = torch.tensor([[[20.3, 31.8], [40.0, 25.25]]], dtype=DOUBLE)
    maps = gaussian_maps(places, 64, 2.0)
    torch.testing.assert_close(mean_coordinates(maps), places, atol=1e-4, rtol=0)
    torch.testing.assert_close(soft_argmax(maps.clamp(min=1e-30).log()), places, atol=1e-4, rtol=0)


def test_equation_1_has_the_right_gradient():
    maps = torch.rand(1, 2, 5, 6, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(mean_coordinates, maps)
    assert torch.autograd.gradcheck(soft_argmax, maps)


@pytest.mark.parametrize("name", READ)
def test_an_empty_map_gives_the_centre(name):
    torch.testing.assert_close(READ[name](torch.zeros(1, 21, 8, 8)), torch.full((1, 21, 2), 3.5))


def test_a_far_ground_pulls_eq_1_as_printed_and_neither_of_the_other_read_outs():
    """A joint at the left of a map that is nowhere quite zero: the paper's argmax and the mean above half the peak find
    it, the mean of all pixels is near the middle.
    """
    places = torch.tensor([[[8.0, 20.0]]], dtype=DOUBLE)
    maps = gaussian_maps(places, 64, 2.0) + 0.02
    for name in ("argmax", "half-peak"):
        torch.testing.assert_close(READ[name](maps), places, atol=0.05, rtol=0)
    assert READ["mean"](maps)[0, 0, 0] > 20


def test_the_mean_above_half_the_peak_has_a_gradient_and_argmax_none():
    maps = gaussian_maps(torch.tensor([[[8.2, 20.0]]], dtype=DOUBLE), 32, 2.0).requires_grad_()
    READ["half-peak"](maps).sum().backward()
    assert maps.grad is not None and maps.grad.abs().sum() > 0 and not READ["argmax"](maps).requires_grad


def hand(seed: int = 0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.uniform(4, 28, (1, 21, 2))), torch.tensor(rng.normal(0, 0.05, (1, 21, 3)))


def test_orientation_fields_against_the_definition_pixel_by_pixel():
    """Eq. 2 by brute force: distance from a pixel to a segment in plain numpy."""
    joints_2d, joints_3d = hand()
    fields, on_bone = orientation_fields(joints_2d, joints_3d, 32, half_width_px=1.0)
    flat, solid = joints_2d[0].numpy(), joints_3d[0].numpy()
    for k, (p, c) in enumerate(BONES):
        a, b = flat[p], flat[c]
        unit = (b - a) / np.linalg.norm(b - a)
        depth = (solid[c] - solid[p])[2] / np.linalg.norm(solid[c] - solid[p])
        for y, x in np.random.default_rng(k).integers(0, 32, (40, 2)):
            t = np.clip((np.array([x, y]) - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            near = np.linalg.norm(np.array([x, y]) - (a + t * (b - a))) <= 1.0
            assert bool(on_bone[0, k, y, x]) == near
            expected = [*unit, depth] if near else [0, 0, 0]
            np.testing.assert_allclose(fields[0, k, :, y, x], expected, atol=1e-9)


def test_a_bone_seen_end_on_has_no_direction_in_the_picture_but_a_depth():
    joints_2d, joints_3d = hand()
    joints_2d[0, 1] = joints_2d[0, 0]
    joints_3d[0, 1] = joints_3d[0, 0] + torch.tensor([0.0, 0.0, 0.03])
    fields, on_bone = orientation_fields(joints_2d, joints_3d, 32)
    y, x = on_bone[0, 0].nonzero()[0]
    torch.testing.assert_close(fields[0, 0, :, y, x], torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE))
    assert torch.isfinite(fields).all()


def test_a_field_read_along_its_bones_gives_what_was_drawn():
    """Wide bones, so that every sample lies inside: the depths of Eq. 2 come back."""
    joints_2d, joints_3d = hand(1)
    fields, _ = orientation_fields(joints_2d, joints_3d, 32, half_width_px=2.5)
    bones = joints_3d[:, [c for _, c in BONES]] - joints_3d[:, [p for p, _ in BONES]]
    expected = bones[..., 2] / bones.norm(dim=-1)
    assert torch.allclose(mean_along_bones(fields[:, :, 2], joints_2d), expected, atol=1e-4)
