"""The detector's quick score with answers known beforehand."""

import numpy as np
import pytest

from handscope.data.detection import Placed, hand_table
from handscope.evaluation.detector_dev import compare, letterboxed, summary
from handscope.types import HandLabel, Sample

FINGERS = [[60 + 8 * (f - 2), 95 - 12 * k] for f in range(5) for k in (2, 3, 4, 5)]
JOINTS = np.array([[60.0, 95], *FINGERS])


def truth() -> dict[str, np.ndarray]:
    return hand_table([Placed(JOINTS, True, True)], 1)


def answers(table: dict[str, np.ndarray], **changes: np.ndarray) -> tuple[np.ndarray, ...]:
    """One right answer and one without a score."""
    cells = {
        "scores": np.array([0.9, 0.1]),
        "boxes": np.repeat(table["boxes"], 2, 0),
        "up": np.repeat(table["up"], 2, 0),
        "crops": np.repeat(table["crops"], 2, 0),
        "right": np.array([0.8, 0.8]),
    }
    return tuple((cells | changes).values())


def test_the_truth_has_no_error() -> None:
    figures = summary([compare(answers(truth()), truth(), 0.3)])
    assert figures["found"] == figures["handedness"] == 1 and figures["iou"] == pytest.approx(1)
    assert figures["turn_deg"] == pytest.approx(0, abs=0.1) and figures["centre"] == figures["log_extent"] == 0
    assert figures["false_alarms"] == figures["turn_over_45"] == 0


def test_a_box_elsewhere_is_a_false_alarm_and_no_find() -> None:
    table = truth()
    figures = summary([compare(answers(table, boxes=np.repeat(table["boxes"] + 150, 2, 0)), table, 0.3)])
    assert figures["found"] == 0 and figures["false_alarms"] == 1


def test_no_answer_is_no_find() -> None:
    figures = summary([compare(answers(truth(), scores=np.zeros(2)), truth(), 0.3)])
    assert figures == {"found": 0.0, "false_alarms": 0.0}


def test_a_letterbox_keeps_the_middle_in_the_middle() -> None:
    image = np.full((30, 60, 3), 200, np.uint8)
    label = HandLabel(joints_2d=np.full((21, 2), (29.5, 14.5)), joints_2d_known=np.ones(21, bool))
    box, table = letterboxed(Sample(key="x", source="x", image=image, hands=(label,)), 120)
    assert box.shape == (120, 120, 3) and box[0].max() == 0 and box[60, 5:115].min() == 200
    np.testing.assert_allclose(table["crops"][0, :2], [59.5, 59.5])
