"""Photographs: joining the index with the teacher's labels, and errors in one sentence."""

import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.photos import PhotoDataset, to_hand_model
from handscope.errors import HandscopeError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = [
        {
            "file": f"photos/{name}.png",
            "width": 40,
            "height": 30,
            "source": source,
            "boxes": [[5, 5, 25, 25]],
            **extra,
        }
        for name, source, extra in [
            ("a", "ti1k", {"thumb_tip": [7.0, 8.0], "index_tip": [9.0, 6.0]}),
            ("b", "sign-digits", {}),
            ("c", "dwivedi", {}),
        ]
    ]
    (folder / "index.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    for name in "ab":
        cv2.imwrite(str(folder / f"{name}.png"), np.full((30, 40, 3), (10, 20, 200), np.uint8))
    return tmp_path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    joints = np.tile([12.0, 13.0], (21, 1)).tolist()
    hand = {"joints_2d": joints, "known": [True] * 20 + [False], "handedness": "left"}
    rows = [
        {
            "file": "photos/a.png",
            "split": "train",
            "hands": [{"box": [5, 5, 25, 25], **hand, "handedness_known": True}],
        },
        {"file": "photos/b.png", "split": "held-out", "hands": [{"box": None, **hand}]},
        {"file": "photos/c.png", "split": "train", "hands": [{"box": [5, 5, 25, 25]}]},
    ]
    path = tmp_path / "labels.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    return path


def test_human_tips_replace_the_teachers(root: Path, labels: Path) -> None:
    sample = PhotoDataset(root, labels)[0]
    (hand,) = sample.hands
    assert sample.image[0, 0].tolist() == [200, 20, 10]
    assert hand.handedness == "left" and hand.joints_2d is not None and hand.joints_2d_known is not None
    assert hand.joints_2d[4].tolist() == [7, 8] and hand.joints_2d[8].tolist() == [9, 6]
    assert hand.joints_2d[5].tolist() == [12, 13] and not hand.joints_2d_known[20]


def test_splits_and_sources_choose(root: Path, labels: Path) -> None:
    assert len(PhotoDataset(root, labels)) == 2
    (held_out,) = PhotoDataset(root, labels, split="held-out")
    assert held_out.hands[0].box is None and held_out.hands[0].handedness is None
    assert len(PhotoDataset(root, labels, split=None, sources=("dwivedi", "ti1k"))) == 2


def test_without_labels_only_what_people_marked_is_known(root: Path) -> None:
    photos = PhotoDataset(root)
    (hand,) = photos[0].hands
    assert hand.joints_2d_known is not None and np.flatnonzero(hand.joints_2d_known).tolist() == [4, 8]
    assert photos.photos[1].hands == () and photos.photos[2].hands[0].joints_2d is None


def test_missing_files_are_one_sentence(root: Path, labels: Path, tmp_path: Path) -> None:
    with pytest.raises(HandscopeError, match=r"c\.png"):
        PhotoDataset(root, labels)[1]
    with pytest.raises(HandscopeError, match="index"):
        PhotoDataset(tmp_path / "nowhere")
    (tmp_path / "bad.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(HandscopeError, match="bad"):
        PhotoDataset(root, tmp_path / "bad.jsonl.gz")


def test_the_teachers_metacarpals_get_the_published_length() -> None:
    """DESIGN.md, section 3: wrist to middle knuckle 9.8 cm where 8.05 is published, of fingers of the right length."""
    joints = np.zeros((21, 2))
    joints[:, 1] = 5.0
    joints[[0, 9, 10, 11, 12], 1] = [0.0, -9.8, -13.7, -16.7, -19.4]
    moved = to_hand_model(joints)
    total = moved[0, 1] - moved[12, 1]
    assert (moved[0, 1] - moved[9, 1]) / total == pytest.approx(80.5 / 182.8, abs=0.035)
    assert np.array_equal(moved[10:13], joints[10:13].astype(np.float32))


def test_moving_the_teachers_joints_keeps_similarity() -> None:
    joints = np.random.default_rng(0).normal(0, 50, (21, 2))
    turn = 3 * np.array([[0.6, -0.8], [0.8, 0.6]])
    assert np.allclose(to_hand_model(joints @ turn + 7), to_hand_model(joints) @ turn + 7, atol=1e-2)
