"""Looks: kept and read again, seen as the network sees them, and changed as a seed says."""

import numpy as np
import pytest

from handscope.data.looks import LARGER, Look, LookNoise, LooksDataset, write_looks
from handscope.errors import HandscopeError
from handscope.geometry.crops import crop_around

SIZE = 56
BIG = round(SIZE * LARGER)
STILL = LookNoise(
    rotation_deg=0, translation=0, scale=0, mirror_prob=0, low_resolution=0, contrast=0, brightness=0, colour=0
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Three looks: plain colours, the second one a hand, with a bright dot right of the middle."""
    looks = []
    for i, level in enumerate((40, 90, 140)):
        crop = np.full((BIG, BIG, 3), level, np.uint8)
        crop[BIG // 2 - 4 : BIG // 2 + 4, BIG // 2 + 8 : BIG // 2 + 16] = 250
        looks.append(Look(crop, i == 1, "made up"))
    path = tmp_path_factory.mktemp("looks") / "looks.npz"
    write_looks(path, looks)
    return path


def test_what_is_written_is_read(file):
    looks = LooksDataset(file, SIZE)
    assert len(looks) == 3
    for i, level in enumerate((40, 90, 140)):
        crop, hand = looks.whole(i)
        assert crop.shape == (SIZE, SIZE, 3) and crop.dtype == np.uint8
        assert abs(int(crop[4, 4, 0]) - level) <= 3 and hand == (i == 1)


def test_a_look_is_what_a_crop_of_the_network_would_be(file, tmp_path):
    """The middle of the larger crop shows the same pixels as the network's own crop of the picture."""
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (40, 40, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    around = lambda size, extent: crop_around((160, 150), extent, (0, -1), size=size).extract(picture)  # noqa: E731
    write_looks(tmp_path / "one.npz", [Look(around(BIG, SIZE * LARGER), True, "noise")])
    crop, _ = LooksDataset(tmp_path / "one.npz", SIZE).whole(0)
    apart = np.abs(crop.astype(float) - around(SIZE, SIZE))
    assert np.median(apart) < 6  # but for the JPEG


def test_examples_are_the_seeds_and_are_as_noisy_as_asked(file):
    one, same, other = (LooksDataset(file, SIZE, seed=seed) for seed in (5, 5, 6))
    for n in range(6):
        np.testing.assert_array_equal(one[n]["crop"], same[n]["crop"])
    assert any((one[n]["crop"] != other[n]["crop"]).any() for n in range(6))
    still = LooksDataset(file, SIZE, STILL)
    whole = {tuple(still.whole(i)[0][4, 4]): still.whole(i) for i in range(3)}
    for n in range(8):
        crop, hand = whole[tuple(still[n]["crop"][4, 4])]
        np.testing.assert_array_equal(still[n]["crop"], crop)
        assert bool(still[n]["hand"]) == hand


def test_mirroring_keeps_the_middle(file):
    mirrored = LooksDataset(file, SIZE, LookNoise(**{**vars(STILL), "mirror_prob": 1.0}))[0]["crop"]
    columns = np.flatnonzero((mirrored > 200).any((0, 2)))
    assert columns.max() < SIZE / 2 and columns.min() > SIZE / 2 - 20


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "not.npz").write_bytes(b"PK")
    with pytest.raises(HandscopeError, match="mine_looks"):
        LooksDataset(tmp_path / "not.npz", SIZE)
    np.savez(tmp_path / "other.npz", joints=np.zeros(3))
    with pytest.raises(HandscopeError, match="mine_looks"):
        LooksDataset(tmp_path / "other.npz", SIZE)


def test_kinds_come_as_often_as_asked(tmp_path):
    """Ten looks of one kind and one of another, as often; a kind without a share never comes."""
    crop = np.zeros((BIG, BIG, 3), np.uint8)
    looks = [Look(crop, False, "people/any")] * 10 + [Look(crop, True, "synth")]
    write_looks(tmp_path / "looks.npz", looks)
    drawn = lambda **shares: [  # noqa: E731
        float(LooksDataset(tmp_path / "looks.npz", SIZE, STILL, shares=shares)[n]["hand"]) for n in range(200)
    ]
    assert 0.4 < np.mean(drawn(people=1.0, synth=1.0)) < 0.6
    assert set(drawn(people=1.0)) == {0.0}
    with pytest.raises(HandscopeError, match="people, synth"):
        LooksDataset(tmp_path / "looks.npz", SIZE, shares={"photos": 1.0})
