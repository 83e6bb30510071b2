"""A row tells a hand as it is, to float32; every input has one."""

import numpy as np
import pyarrow as pa
import pytest

from handscope.batch.manifest import Item
from handscope.batch.rows import failed_row, hand_type, hands_of, row_of, schema, table_of, tally_of
from handscope.infer.pipeline import load
from handscope.infer.streaming import Failure
from toy_networks import blobs, paint

ITEM = Item(7, "/a/clip.mp4", 12, 0.4, 99, "s")


@pytest.fixture(scope="module")
def hands(toy_weights):
    both = [blobs((90, 120), 80, 0.3, "left"), blobs((230, 110), 90, -0.2, "right")]
    return load(toy_weights, threads=1)(paint(320, 240, both))


def back(row):
    return table_of([row]).to_pylist()[0]


@pytest.mark.parametrize("mesh", [False, True])
def test_a_hand_comes_back_from_its_row(hands, mesh):
    row = back(row_of(ITEM, hands, attempts=2, seconds=0.5, mesh=mesh))
    assert (row["index"], row["uri"], row["frame"], row["time"], row["attempts"]) == (7, "/a/clip.mp4", 12, 0.4, 2)
    told = hands_of(row)
    assert (told.width, told.height, told.source) == (320, 240, "/a/clip.mp4#12") and len(told) == len(hands) > 0
    for one, two in zip(hands, told, strict=True):
        assert (one.handedness, one.joint_convention) == (two.handedness, two.joint_convention)
        assert (one.mask == two.mask).all() and two.score == np.float32(one.score)
        for name in ("joints_2d", "joints_3d", "joint_scores", "box", "theta", "beta", "R", "T", "K"):
            assert (getattr(two, name) == np.asarray(getattr(one, name), np.float32)).all(), name
        assert len(two.vertices) == (len(one.vertices) if mesh else 0)


def test_a_row_without_hands_and_a_failed_one_come_back_too(hands):
    nobody, failed = back(row_of(ITEM, hands[:0])), back(row_of(ITEM, Failure("x", "damaged", "x: broken")))
    assert (nobody["status"], nobody["hands"], nobody["width"]) == ("ok", [], 320)
    assert (failed["status"], failed["error_kind"], failed["error"]) == ("failed", "damaged", "x: broken")
    assert hands_of(failed).problem == "x: broken" and hands_of(nobody).problem is None
    killed = back(failed_row(ITEM, "killed", "it did", attempts=3))
    assert (killed["error_kind"], killed["width"], killed["attempts"]) == ("killed", None, 3)
    rows = [row_of(ITEM, hands), nobody, failed, killed]
    assert tally_of(rows) == {"rows": 4, "hands": len(hands), "damaged": 1, "killed": 1}


def test_the_column_of_hands_begins_as_that_of_track_hands():
    """The names and types of daft-physical-ai 0.3 (hands/schema.py)."""
    points = pa.list_(pa.list_(pa.float32()))
    theirs = [("handedness", pa.string()), ("confidence", pa.float32()), ("kp2d", points), ("kp3d", points)]
    assert [(field.name, field.type) for field in hand_type()][:4] == theirs
    assert schema().field("hands").type == pa.list_(hand_type())
