"""Laws of the tidy table: every frame between a track's first and last has its row, in order, gaps marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from handscope.infer.results import Hands
from handscope.infer.tidy import LONGEST_GAP_S, NUMBERS, Gaps, columns_of
from handscope.infer.video import VideoFrame
from posed_hands import posed_hand

PICTURE = np.zeros((48, 64, 3), np.uint8)


def frames(told, seconds=0.1):
    """Frames in which the tracks of `told` are told."""
    hand = posed_hand(64, 48)
    for index, tracks in enumerate(told):
        hands = Hands([replace(hand, track=track) for track in tracks], width=64, height=48)
        yield VideoFrame(index, seconds * index, PICTURE, hands)


def rows(told, **more):
    gaps = Gaps()
    out = [row for frame in frames(told, **more) for row in gaps.add(frame)]
    return out + gaps.rest()


def test_a_gap_is_marked_and_what_comes_after_the_end_is_none():
    found = rows([[1], [1, 2], [2], [1], [], [1, 2], [2], []])
    seen = {(row.frame, row.track): row.seen for row in found}
    assert seen == {
        (0, 1): True, (1, 1): True, (2, 1): False, (3, 1): True, (4, 1): False, (5, 1): True,
        (1, 2): True, (2, 2): True, (3, 2): False, (4, 2): False, (5, 2): True, (6, 2): True,
    }  # fmt: skip
    assert [(row.frame, row.track) for row in found] == sorted((row.frame, row.track) for row in found)


def test_rows_wait_no_longer_than_a_hand_may_come_back():
    count = round(LONGEST_GAP_S) + 3
    gaps = Gaps()
    told = [len(gaps.add(frame)) for frame in frames([[1]] + [[2]] * count, seconds=1.0)]
    assert told[0] == 1 and told[1] == 0 and told[-1] == 1 and sum(told) == count + 1


def test_columns_are_the_hands_own_numbers():
    hand = posed_hand(64, 48)
    table = columns_of(rows([[1], [], [1]]))
    assert len(NUMBERS) == 179 and table["seen"] == [True, False, True]
    assert table["middle_pip_x_px"][0] == np.float32(hand.joints_2d[10, 0]) and table["middle_pip_x_px"][1] is None
    assert table["wrist_z_m"][2] == np.float32(hand.joints_3d[0, 2])
    assert table["ring_dip_flexion_deg"][0] == np.float32(hand.joint_angles()["ring_dip_flexion"])
