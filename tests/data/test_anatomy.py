"""The laws of hands hold for true labels and break for a wrong joint order, unit, side, camera or mask."""

from dataclasses import replace

import numpy as np
import pytest

from dataset_fixtures import freihand
from handscope.data.anatomy import findings
from handscope.geometry.camera import project
from handscope.skeleton import MODEL_TO_CANONICAL, STB_TO_CANONICAL
from handscope.types import HandLabel, Sample


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return freihand.truth()


def changed(samples: list[Sample], change) -> list[Sample]:
    return [replace(s, hands=tuple(replace(h, **change(s, h)) for h in s.hands)) for s in samples]


def reordered(samples: list[Sample], order) -> list[Sample]:
    return changed(samples, lambda s, h: {"joints_2d": h.joints_2d[order], "joints_3d": h.joints_3d[order]})


def flat_only(samples: list[Sample]) -> list[Sample]:
    unknown = dict.fromkeys(("joints_3d", "joints_3d_known", "mask"))
    return changed([replace(s, K=None) for s in samples], lambda s, h: unknown)


def wrong(samples: list[Sample]) -> set[str]:
    """The first word of the hints of all broken laws."""
    return {finding.hint.split(":")[0] for finding in findings(samples) if not finding.ok}


def test_true_labels_break_no_law(samples: list[Sample]) -> None:
    assert wrong(samples) == set()
    assert wrong(flat_only(samples)) == set()
    assert len(findings(samples)) == 18


FINGERS = np.arange(1, 21).reshape(5, 4)
ORDERS = {
    "tip to base": [0, *FINGERS[:, ::-1].ravel()],
    "little finger first": [0, *FINGERS[::-1].ravel()],
    "ring and little finger swapped": [0, *FINGERS[[0, 1, 2, 4, 3]].ravel()],
    "index and middle finger swapped": [0, *FINGERS[[0, 2, 1, 3, 4]].ravel()],
    "thumb last": [0, *FINGERS[[1, 2, 3, 4, 0]].ravel()],
    "wrist last": [*range(1, 21), 0],
    "STB's": STB_TO_CANONICAL,
    "MANO's": np.argsort(MODEL_TO_CANONICAL),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_a_wrong_joint_order_breaks_a_law_in_3d_and_in_2d_alone(samples: list[Sample], order) -> None:
    order = list(order)
    assert "joint order" in wrong(reordered(samples, order))
    assert "joint order" in wrong(changed(flat_only(samples), lambda s, h: {"joints_2d": h.joints_2d[order]}))


@pytest.mark.parametrize("unit", [1e3, 1e2, 10, 1e-3])
def test_a_wrong_unit_breaks_a_law(samples: list[Sample], unit: float) -> None:
    assert "unit" in wrong(changed(samples, lambda s, h: {"joints_3d": h.joints_3d * unit}))


def test_a_swapped_side_breaks_a_law(samples: list[Sample]) -> None:
    assert wrong(changed(samples, lambda s, h: {"handedness": "left"})) == {"hand side"}


def test_joints_mirrored_without_their_side_break_laws(samples: list[Sample]) -> None:
    def mirror(s: Sample, h: HandLabel) -> dict:
        joints = h.joints_3d * [-1, 1, 1]
        return {"joints_3d": joints, "joints_2d": project(joints, s.K)}

    assert "hand side" in wrong(changed(samples, mirror))


def test_a_hand_mirrored_with_its_side_breaks_no_law(samples: list[Sample]) -> None:
    def mirror(s: Sample, h: HandLabel) -> dict:
        joints = h.joints_3d * [-1, 1, 1]
        mask = np.ascontiguousarray(h.mask[:, ::-1])
        return {"joints_3d": joints, "joints_2d": project(joints, s.K), "mask": mask, "handedness": "left"}

    assert wrong(changed(samples, mirror)) == set()


def swap(K):
    return np.array([[K[0, 2], 0, K[0, 0]], [0, K[1, 2], K[1, 1]], [0, 0, 1]])


@pytest.mark.parametrize("spoil", [swap, np.transpose, lambda K: np.diag([2.5, 2.5, 1]) @ K])
def test_a_wrong_camera_breaks_a_law(samples: list[Sample], spoil) -> None:
    assert any(hint.startswith("camera") for hint in wrong([replace(s, K=spoil(s.K)) for s in samples]))


def test_an_opengl_frame_breaks_a_law(samples: list[Sample]) -> None:
    assert "camera frame" in wrong(changed(samples, lambda s, h: {"joints_3d": h.joints_3d * [1, -1, -1]}))


def test_a_foreign_mask_breaks_a_law(samples: list[Sample]) -> None:
    shifted = changed(samples, lambda s, h: {"mask": np.roll(h.mask, 90, axis=1)})
    assert any(hint.startswith("joints and mask") for hint in wrong(shifted))


def test_nothing_known_is_nothing_judged() -> None:
    blank = Sample(key="k", source="s", image=np.zeros((8, 8, 3), np.uint8), hands=(HandLabel(),))
    assert findings([blank]) == [] and findings([]) == []
