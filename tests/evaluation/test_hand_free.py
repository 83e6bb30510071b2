"""Hand-free parts of photographs hold no box, and are not too small."""

import json
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handscope.data.photos import PhotoDataset
from handscope.evaluation.hand_free import MARGIN, HandFreeParts, largest_free_part, score_hand_free
from posed_hands import posed_hand

numbers = st.integers(0, 600)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=3), numbers, numbers)
def test_a_part_lies_in_the_picture_and_clear_of_all_boxes(corners, width, height) -> None:
    boxes = [[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in corners]
    part = largest_free_part(boxes, width + 64, height + 64)
    if part is None:
        return
    x0, y0, x1, y1 = part
    assert 0 <= x0 < x1 <= width + 64 and 0 <= y0 < y1 <= height + 64 and min(x1 - x0, y1 - y0) >= 64
    for box in boxes:
        grow = MARGIN * max(box[2] - box[0], box[3] - box[1])
        assert x1 <= box[0] - grow or x0 >= box[2] + grow or y1 <= box[1] - grow or y0 >= box[3] + grow


def test_by_hand() -> None:
    assert largest_free_part([[100, 0, 200, 100]], 640, 100) == (215, 0, 640, 100)
    assert largest_free_part([[10, 10, 190, 190]], 200, 200) is None
    assert largest_free_part([], 30, 20) == (0, 0, 30, 20)


def test_the_part_is_cut_from_its_photograph(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    image = np.zeros((200, 400, 3), np.uint8)
    image[:, 200:, 2] = 255
    cv2.imwrite(str(tmp_path / "photos" / "a_455.png"), image)
    row = {"file": "photos/a_455.png", "source": "dwivedi", "width": 400, "height": 200, "boxes": [[20, 20, 120, 180]]}
    (tmp_path / "photos" / "index.jsonl").write_text(json.dumps(row))
    parts = HandFreeParts(PhotoDataset(tmp_path, split="held-out"))
    (sample,) = (parts[i] for i in range(len(parts)))
    assert sample.image.shape == (200, 256, 3) and not sample.hands
    assert sample.image[0, 55, 0] == 0 and sample.image[0, 56, 0] == 255
    assert score_hand_free([sample, sample], [[], [posed_hand(256, 200)]])["false_alarms_per_picture"] == 0.5
