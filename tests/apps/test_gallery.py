"""The page of hands: a row for each, pictures that are there, nothing asked of elsewhere."""

from __future__ import annotations

import re

import cv2
import numpy as np
from PIL import Image

from handscope.apps.cli import main
from handscope.apps.gallery import FROM_ABOVE, SIDEWAYS, TILE, tiles_of, turned
from posed_hands import posed_hand
from toy_networks import blobs, paint


def test_a_folder_becomes_a_page(toy_weights, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name, side in (("a", "left"), ("<b>", "right")):
        Image.fromarray(paint(320, 240, [blobs((90, 120), 60, 0.2, side)])).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    words = ["gallery", str(tmp_path / "in"), "--out", str(tmp_path / "page"), "--weights", str(toy_weights)]
    assert main(words) == 1
    assert "bad.jpg" in (said := capsys.readouterr()).err and "2 hands of 2 pictures" in said.out
    text = (tmp_path / "page" / "index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', text)
    assert len(sources) == 12 and "<b>" not in text and "http" not in text
    for name in sources:
        assert cv2.imread(str(tmp_path / "page" / name)).shape == (TILE, TILE, 3)


def test_the_mesh_is_seen_from_elsewhere():
    hand = posed_hand(200, 200, curl=0.0)
    side, above = (turned(hand, turn) < 250 for turn in (SIDEWAYS, FROM_ABOVE))
    extents = [np.ptp(np.argwhere(seen.any(2)), axis=0) + 1 for seen in (side, above)]
    assert extents[0][0] > 1.7 * extents[0][1]  # flat, fingers up: narrow from its side
    assert extents[1][1] > 1.5 * extents[1][0]  # and from above


def test_the_mask_leaves_the_hand_alone():
    hand = posed_hand(200, 200)
    tiles = tiles_of(np.full((200, 200, 3), 200, np.uint8), hand)
    assert set(tiles) == {"picture", "joints", "mesh", "mask", "from its side", "from above"}
    bright = (tiles["mask"] > 150).all(2).mean()
    assert 0.02 < bright < 0.6 and (tiles["picture"] == 200).mean() > 0.5
