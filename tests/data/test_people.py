"""People's photographs to train on: what was looked at, what machines agree on, and what is held out."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.people import HELD_OUT, PeopleDataset
from handscope.errors import HandscopeError, ImageError

JOINTS = np.array([[30.0, 55], *[[30 + 6 * (f - 2), 50 - 8 * k] for f in range(5) for k in (1, 2, 3, 4)]])
BOX = [17.0, 15.0, 44.0, 57.0]


def machine(shift: float = 0.0, **said: object) -> dict[str, object]:
    """What two machines say of a hand `shift` px to the right; they agree unless told otherwise."""
    joints = (JOINTS + np.array([shift, 0])).tolist()
    return {"joints": joints, "apart": 0.03, "presence": 0.95, "side": "left"} | said


def write(root: Path, row: dict[str, object], machines: list[dict[str, object]]) -> Path:
    (root / "people").mkdir()
    usual = {
        "file": "0.png",
        "source": "a",
        "split": "train",
        "use": "train",
        "hands": [],
        "ignore": [],
        "crowd": False,
    }
    (root / "people" / "index.jsonl").write_text(json.dumps(usual | row) + "\n")
    (root / "people" / "teachers.jsonl").write_text(json.dumps({"file": "0.png", "hands": machines}) + "\n")
    cv2.imwrite(str(root / "people" / "0.png"), np.zeros((60, 100, 3), np.uint8))
    return root


def test_a_box_by_eye_takes_the_joints_that_machines_agree_on(tmp_path: Path) -> None:
    eye = [{"box": BOX, "side": "right", "by": "eye"}, {"box": [70, 5, 90, 20], "side": None, "by": "eye"}]
    row = {"hands": eye, "ignore": [[0, 0, 9, 9]]}
    (sample,) = PeopleDataset(write(tmp_path, row, [machine(), machine(40, apart=0.2)]))
    first, second = sample.hands
    assert first.joints_2d is not None and first.handedness == "right" and first.box is not None
    np.testing.assert_allclose(first.joints_2d, JOINTS)
    assert second.joints_2d is None and second.handedness is None
    assert sample.complete and sample.ignored is not None and sample.ignored.tolist() == [[0, 0, 9, 9]]


def test_joints_elsewhere_are_of_another_hand(tmp_path: Path) -> None:
    row = {"hands": [{"box": BOX, "side": "right", "by": "eye"}]}
    (sample,) = PeopleDataset(write(tmp_path, row, [machine(30)]))
    assert sample.hands[0].joints_2d is None


def test_of_a_picture_nobody_looked_at_only_what_machines_agree_on_is_known(tmp_path: Path) -> None:
    machines = [machine(), machine(40, apart=0.09), machine(80, presence=0.5)]
    (sample,) = PeopleDataset(write(tmp_path, {"hands": None}, machines))
    (hand,) = sample.hands
    assert hand.box is None and hand.handedness == "left" and not sample.complete


@pytest.mark.parametrize(
    "row", [{"hands": None}, {"split": "dev"}, {"use": "evaluation"}, {"source": HELD_OUT[0]}], ids=str
)
def test_what_trains_nothing_is_left_out(tmp_path: Path, row: dict[str, object]) -> None:
    """Nothing known, the development set, evaluation only, or a source that is held out."""
    assert len(PeopleDataset(write(tmp_path, row, []))) == 0


def test_what_is_held_out_is_only_that(tmp_path: Path) -> None:
    root = write(tmp_path, {"source": HELD_OUT[0]}, [])
    assert len(PeopleDataset(root, "held-out")) == 1


def test_a_crowd_is_not_complete(tmp_path: Path) -> None:
    (sample,) = PeopleDataset(write(tmp_path, {"crowd": True}, []))
    assert not sample.complete


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HandscopeError, match=r"teachers\.jsonl: no such file; .* folder that holds people"):
        PeopleDataset(tmp_path)
    people = PeopleDataset(write(tmp_path, {}, []))
    (tmp_path / "people" / "0.png").unlink()
    with pytest.raises(ImageError, match="missing or not a picture"):
        people[0]
