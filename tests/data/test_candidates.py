"""What detectors took for hands: frames for hands without joints, and places that are none."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from handscope.data.candidates import WithCandidates
from handscope.data.mixture import NONE_SHARE, chosen_kind
from handscope.data.transforms import CropConfig, crop_example
from handscope.errors import HandscopeError
from handscope.geometry.crops import crop_around
from handscope.types import HandLabel, Sample

STILL = CropConfig(rotation_deg=0, any_rotation_prob=0, translation=0, scale=0, mirror_prob=0)
JOINTS = np.random.default_rng(0).uniform(20, 60, (21, 2))


def source() -> list[Sample]:
    image = np.random.default_rng(1).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    boxed = HandLabel(handedness="left", box=np.array([10.0, 10, 40, 50]))
    jointed = HandLabel(handedness="right", joints_2d=JOINTS, joints_2d_known=np.ones(21, bool))
    hands = (boxed, jointed)
    return [Sample(key=key, source="test", image=image, hands=hands) for key in ("one", "two")]


def write(path: Path, *lines: object) -> Path:
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return path


def test_a_hand_without_joints_is_cropped_by_the_frame_it_was_found_by(tmp_path: Path) -> None:
    found = [[0, 25, 30, 44, 0.6, -0.8, "left"], [1, 90, 80, 10, 0, -1, "left"]]
    one, two = WithCandidates(source(), write(tmp_path / "c.jsonl.gz", {"key": "one", "none": [], "hands": found}))
    hand = one.hands[0]
    expected = crop_around(np.array([25.0, 30]), 44, np.array([0.6, -0.8]), size=128, mirrored=True)
    example = crop_example(one, hand, np.random.default_rng(0), STILL, None)
    np.testing.assert_array_equal(example["image"], expected.extract(one.image))
    assert example["present"] == 1 and example["present_known"]
    assert one.hands[1].frame is None, "a hand with joints needs no frame"
    assert two.hands[0].frame is None and len(two.hands) == 2


def test_a_place_that_is_no_hand_says_so_and_nothing_else(tmp_path: Path) -> None:
    place = [70, 50, 30, 0, -1, "right"]
    samples = WithCandidates(source(), write(tmp_path / "c.jsonl.gz", {"key": "two", "none": [place], "hands": []}))
    *_, none = samples[1].hands
    example = crop_example(samples[1], none, np.random.default_rng(0), STILL, None)
    assert example["present"] == 0 and example["present_known"]
    known = {name for name, value in example.items() if name.endswith("_known") and np.any(value)}
    assert known == {"present_known"} and not example["as_right"]


def test_hands_and_what_is_none_have_their_shares() -> None:
    hands = [HandLabel(box=np.array([0.0, 0, 9, 9]))] * 2
    none = [HandLabel(box=np.array([0.0, 0, 9, 9]), present=False)] * 9
    rng = np.random.default_rng(0)
    share = np.mean([chosen_kind([*hands, *none], rng)[0].present is False for _ in range(2000)])
    assert share == pytest.approx(NONE_SHARE, abs=0.04)
    assert chosen_kind(none, rng) == none and chosen_kind([], rng) == []
    unknown = [HandLabel(box=np.array([0.0, 0, 9, 9]), present=None)]
    assert chosen_kind(unknown, rng) == unknown


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HandscopeError, match="mine_candidates"):
        WithCandidates(source(), write(tmp_path / "c.jsonl.gz", {"file": "one"}))
    with pytest.raises(HandscopeError, match="no such file"):
        WithCandidates(source(), tmp_path / "d.jsonl.gz")
