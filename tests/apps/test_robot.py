"""A robot that does what a hand does: dex-retargeting itself on a stand-in URDF (skipped without it)."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from clips import toy_frames, write_video
from handscope.apps.cli import main
from handscope.apps.robot import Counts, followed, robot_rows
from handscope.errors import HandscopeError
from handscope.hand.angles import hand_axes
from handscope.hand.assets import load_asset
from handscope.infer.results import Hands
from handscope.infer.retargeting import Retargeter, config_of, side_of, wrist_pose
from handscope.infer.video import VideoFrame
from posed_hands import posed_hand


def finger(name: str, y: float) -> str:
    """Three hinges that bend about y, as long as the hand model's, `y` metres beside the wrist's line."""
    text, parent, place = "", "wrist", f"0 {y} 0.08"
    for k, length in enumerate((0.044, 0.025, 0.024)):
        text += (
            f'<link name="{name}{k}"/><joint name="{name}{k}" type="revolute"><parent link="{parent}"/>'
            f'<child link="{name}{k}"/><origin xyz="{place}"/><axis xyz="0 1 0"/>'
            '<limit lower="0" upper="1.9" effort="1" velocity="1"/></joint>'
        )
        parent, place = f"{name}{k}", f"0 0 {length}"
    return text + (
        f'<link name="{name}_tip"/><joint name="{name}_tip" type="fixed"><parent link="{parent}"/>'
        f'<child link="{name}_tip"/><origin xyz="{place}"/></joint>'
    )


@pytest.fixture
def robot(tmp_path):
    """Two fingers on a wrist, in dex-retargeting's MANO frame: z along the fingers, x out of the palm."""
    urdf = f'<robot name="two"><link name="wrist"/>{finger("index", 0.02)}{finger("ring", -0.02)}</robot>'
    (tmp_path / "two_right.urdf").write_text(urdf)
    (tmp_path / "two.yml").write_text(
        "retargeting:\n  type: vector\n  urdf_path: two_right.urdf\n"
        "  target_origin_link_names: [wrist, wrist]\n  target_task_link_names: [index_tip, ring_tip]\n"
        "  scaling_factor: 1.0\n  target_link_human_indices: [[0, 0], [8, 16]]\n  low_pass_alpha: 1.0\n"
    )
    return tmp_path / "two.yml"


def frames(curls, handedness="right"):
    for k, curl in enumerate(curls):
        told = [] if curl is None else [replace(posed_hand(64, 48, handedness, curl=curl), track=0)]
        yield VideoFrame(k, 0.1 * k, np.zeros((48, 64, 3), np.uint8), Hands(told, width=64, height=48))


def test_a_robot_bends_as_the_hand_does_and_stays_where_it_is_not_seen(robot, tmp_path):
    pytest.importorskip("dex_retargeting")
    follower, counts = Retargeter(robot, tmp_path), Counts()
    assert follower.side == "right" and len(follower.names) == 6
    rows = list(robot_rows(frames([None, 0.0, 0.4, 0.8, None]), follower, counts))
    bends = np.array([[float(cell) for cell in row[3:9]] for row in rows])
    index = [k for k, name in enumerate(follower.names) if name.startswith("index")]
    assert [row[:3] for row in rows] == [[str(k), f"{0.1 * k:.6f}", str(int(k < 4))] for k in range(1, 5)]
    total = bends[:, index].sum(1)
    assert total[0] < 0.9 and total[1] > total[0] + 0.3 and total[2] > total[1] + 0.5, total
    np.testing.assert_array_equal(bends[3], bends[2])
    assert counts.told(follower).startswith("5 frames, 3 with a right hand; retargeting took")


def test_a_hand_of_the_other_side_is_not_followed(robot, tmp_path):
    pytest.importorskip("dex_retargeting")
    follower, counts = Retargeter(robot, tmp_path), Counts()
    assert not list(robot_rows(frames([0.1, 0.2], "left"), follower, counts))
    assert "2 with a hand of the other side alone" in counts.told(follower)
    with pytest.raises(HandscopeError, match="this robot is a right hand and the hand a left one"):
        follower(posed_hand(64, 48, "left"))


def test_a_video_becomes_a_table_of_joints(robot, tmp_path, toy_weights, capsys):
    pytest.importorskip("dex_retargeting")
    clip = write_video(tmp_path / "clip.mp4", toy_frames(4))
    words = ["--robot", str(robot), "--urdf-dir", str(tmp_path), "--weights", str(toy_weights)]
    assert main(["robot", str(clip), "--out", str(tmp_path / "joints.csv"), *words]) == 0
    rows = list(csv.DictReader((tmp_path / "joints.csv").read_text().splitlines()))
    assert len(rows) == 4 and {"index0", "ring2", "wrist_z_m", "wrist_qw"} <= set(rows[0])
    turn = [float(rows[0][f"wrist_q{axis}"]) for axis in "wxyz"]
    assert np.linalg.norm(turn) == pytest.approx(1, abs=1e-4)


def test_robots_that_are_none_are_one_sentence(tmp_path, robot):
    pytest.importorskip("dex_retargeting")
    with pytest.raises(HandscopeError, match=r"none of dex-retargeting's robots: .*allegro_hand_right"):
        Retargeter("teapot")
    with pytest.raises(HandscopeError, match="cannot build this robot"):
        Retargeter("allegro_hand_right", tmp_path)  # its URDF is not there


def test_names_tell_the_side():
    assert side_of("allegro_hand_right allegro/allegro_hand_right.urdf") == "right"
    assert side_of("shadow_hand_left_dexpilot") == "left"
    assert side_of("panda_gripper") is None and side_of("left_to_right") is None and side_of("bright") is None


def test_the_surest_hand_of_the_side_is_followed():
    right, left = posed_hand(64, 48), replace(posed_hand(64, 48, "left"), score=0.99)
    assert followed([left, right], "right") is right and followed([left, right], None) is left
    assert followed([left], "right") is None


def test_shipped_configurations_are_known_by_name(tmp_path):
    for kind in ("offline", "teleop"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "x_right.yml").touch()
    assert config_of("x_right", tmp_path) == tmp_path / "teleop" / "x_right.yml"


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_the_wrists_axes_are_what_the_help_says(handedness):
    hand = posed_hand(64, 48, handedness, curl=0.0, turn=0.4)
    flip = np.array([-1.0 if handedness == "left" else 1.0, 1, 1])
    side, back, fingers = (hand_axes(load_asset()) @ hand.R.T) * flip
    pose = wrist_pose(hand)
    assert np.linalg.det(pose.axes) == pytest.approx(1)
    assert pose.axes[:, 0] @ -back > 0.95 and pose.axes[:, 2] @ fingers > 0.95
    assert pose.axes[:, 1] @ side * (1 if handedness == "right" else -1) > 0.95
    np.testing.assert_allclose(pose.place, hand.joints_3d[0])
