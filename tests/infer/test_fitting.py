import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.infer.fitting import _Chain, fit
from handscope.infer.full_camera import PosedHand
from handscope.skeleton import BONES

FOCAL, SIZE = 260.0, 128
UPRIGHT = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])  # fingers up, back to the camera


@pytest.fixture(scope="module")
def asset():
    return load_asset()


def hand(asset, seed: int, noise: float = 0.0):
    """A relaxed hand; with `noise` its joints and orientation are off by so many radians (one sd)."""
    rng = np.random.default_rng(seed)
    beta = rng.normal(0, 0.7, 10)
    theta = asset.axes[:, 0] * rng.uniform(0.1, 0.6, (15, 1))
    off = np.random.default_rng(seed + 100)
    theta = theta + asset.axes[:, 0] * off.normal(0, noise, (15, 1))
    R = Rotation.from_rotvec(off.normal(0, noise / 3, 3)).as_matrix() @ UPRIGHT
    T = np.array([0.0, 0.06, 0.55])
    posed = pose_hand(asset, beta[None], theta[None], R[None], T[None])
    return beta, theta, PosedHand(R=R, T=T, joints_3d=posed.joints[0], vertices=posed.vertices[0])


def seen(joints):
    return joints[:, :2] / joints[:, 2:] * FOCAL + (SIZE - 1) / 2


def error(a, b):
    return np.linalg.norm(a - b, axis=-1).mean()


@pytest.mark.parametrize("seed", range(4))
def test_the_mesh_follows_the_joints(asset, seed):
    """A hand estimated 15 degrees wrong at every joint, the true places in the picture: nearer in 2D and in 3D."""
    _, _, true = hand(asset, seed)
    beta, theta, wrong = hand(asset, seed, noise=0.25)
    target = seen(true.joints_3d)
    fitted = fit(asset, beta, theta, wrong, FOCAL, target, np.ones(21), None, SIZE)
    assert error(seen(fitted.hand.joints_3d), target) < 0.25 * error(seen(wrong.joints_3d), target)
    assert error(fitted.hand.joints_3d, true.joints_3d) < 0.9 * error(wrong.joints_3d, true.joints_3d)


def depths(joints):
    parents, children = np.array(BONES).T
    bones = joints[children] - joints[parents]
    return bones[:, 2] / np.linalg.norm(bones, axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_bones_depths_tell_what_the_picture_cannot(asset, seed):
    """The same 2D joints: with the true z of the bones the mesh comes nearer to the hand than without."""
    _, _, true = hand(asset, seed)
    beta, theta, wrong = hand(asset, seed, noise=0.25)
    both = [
        fit(asset, beta, theta, wrong, FOCAL, seen(true.joints_3d), np.ones(21), z, SIZE).hand.joints_3d
        for z in (None, depths(true.joints_3d))
    ]
    flat, deep = (error(j - j[0], true.joints_3d - true.joints_3d[0]) for j in both)
    assert deep < 0.8 * flat


def test_depths_that_the_hand_has_move_nothing(asset):
    beta, theta, posed = hand(asset, 2)
    z = depths(posed.joints_3d)
    fitted = fit(asset, beta, theta, posed, FOCAL, seen(posed.joints_3d), np.ones(21), z, SIZE)
    np.testing.assert_allclose(fitted.hand.joints_3d, posed.joints_3d, atol=1e-5)


def test_theta_and_the_posed_hand_belong_together(asset):
    beta, theta, wrong = hand(asset, 1, noise=0.25)
    fitted = fit(asset, beta, theta, wrong, FOCAL, seen(hand(asset, 1)[2].joints_3d), np.ones(21), None, SIZE)
    again = pose_hand(asset, beta[None], fitted.theta[None], fitted.hand.R[None], fitted.hand.T[None])
    np.testing.assert_allclose(again.vertices[0], fitted.hand.vertices, atol=1e-6)


@pytest.mark.parametrize("trusted", [True, False])
def test_nothing_moves_without_a_reason(asset, trusted):
    """Joints where they project to, or joints nobody trusts: the network's answer stays."""
    beta, theta, posed = hand(asset, 2)
    target = seen(posed.joints_3d) + (0 if trusted else 30)
    scores = np.ones(21) if trusted else np.zeros(21)
    fitted = fit(asset, beta, theta, posed, FOCAL, target, scores, None, SIZE)
    np.testing.assert_allclose(fitted.hand.joints_3d, posed.joints_3d, atol=1e-5)


def test_the_derivative_is_the_derivative(asset):
    beta, theta, posed = hand(asset, 3)
    chain = _Chain(asset, beta, theta, posed)
    points, slope = chain.joints(np.zeros(51))
    np.testing.assert_allclose(points, posed.joints_3d, atol=1e-5)
    for k in range(51):
        step = np.zeros(51)
        step[k] = 1e-5
        difference = (chain.joints(step)[0] - chain.joints(-step)[0]) / 2e-5
        np.testing.assert_allclose(slope[:, :, k], difference, atol=1e-6)


def test_one_wild_joint_does_not_break_the_hand(asset):
    beta, theta, posed = hand(asset, 4)
    target = seen(posed.joints_3d)
    target[8] += 80
    fitted = fit(asset, beta, theta, posed, FOCAL, target, np.ones(21), None, SIZE)
    others = [j for j in range(21) if j not in (5, 6, 7, 8)]
    assert error(seen(fitted.hand.joints_3d)[others], target[others]) < 2.5
