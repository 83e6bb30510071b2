"""Arrays of strangers: what is written comes back; everything else is one sentence, and never more than it says."""

import io
import zipfile

import numpy as np
import pytest

from handscope.errors import AssetError, HandscopeError
from handscope.hand import assets
from handscope.hand.assets import load_asset
from handscope.npz import read_npz


def header(text: str) -> bytes:
    """A member of a .npz with a header of its own choice, and eight bytes."""
    padded = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + bytes(8)


def archive(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return content.getvalue()


def saved(**arrays) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def encrypted(content: bytes) -> bytes:
    """Its first member says that it wants a password."""
    flags = content.index(b"PK\x01\x02") + 8
    return content[:flags] + bytes([content[flags] | 1]) + content[flags + 1 :]


WHOLE = saved(a=np.arange(6.0), b=np.array(["x"]))
ATTACKS = {
    "nothing": b"",
    "half": WHOLE[:200],
    "a flipped bit": WHOLE[:100] + bytes([WHOLE[100] ^ 64]) + WHOLE[101:],
    "objects": archive(a=header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")),
    "a pickle": b"\x80\x04N.",
    "a huge shape": archive(a=header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,)}")),
    "a huge number": archive(a=header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}")),
    "a shape below zero": archive(a=header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}")),
    "code": archive(a=header("__import__('os').system('true')")),
    "an open bracket": archive(a=header("{'descr': '<f8', (")),
    "deep": archive(a=header("(" * 100)),
    "fields": archive(a=header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}")),
    "no type": archive(a=header("{'descr': 7, 'fortran_order': False, 'shape': (1,)}")),
    "an encrypted member": encrypted(WHOLE),
    "dates": saved(a=np.array(["2026-11-26"], "datetime64[D]")),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_no_file_of_numbers_is_one_sentence(tmp_path, name):
    path = tmp_path / "hand.npz"
    path.write_bytes(ATTACKS[name])
    for read in (lambda: read_npz(path, "fetch it again"), lambda: load_asset(path)):
        with pytest.raises(HandscopeError, match=r"hand\.npz: not a whole \.npz") as told:
            read()
        assert "\n" not in str(told.value)


def test_a_file_that_unpacks_to_much_more_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    path.write_bytes(saved(a=np.zeros(10**7)))
    assert path.stat().st_size < 10**5
    with pytest.raises(AssetError, match="unpacks to 76 MiB, more than the 16 that are read"):
        read_npz(path, "", most=2**24, kind=AssetError)
    assert read_npz(path, "")["a"].size == 10**7


def test_arrays_come_back(tmp_path):
    (tmp_path / "a.npz").write_bytes(WHOLE)
    found = read_npz(tmp_path / "a.npz", "")
    np.testing.assert_array_equal(found["a"], np.arange(6.0))
    assert found["b"].tolist() == ["x"]


@pytest.fixture(scope="module")
def hand():
    shipped = load_asset()
    return {name: np.array(getattr(shipped, name)) for name in assets.ARRAYS}


HARMS = {
    "a column less": ("weights", lambda a: a[:, :15], "expected 1609 x 16"),
    "a vertex less": ("posedirs", lambda a: a[1:], "expected 1609 x 3 x 135"),
    "text": ("template", lambda a: a.astype("U8"), "expected numbers"),
    "not a number": ("shapedirs", lambda a: np.where(a == a.max(), np.nan, a), "not finite"),
    "a vertex too many": ("faces", lambda a: np.where(a == 0, 1609, a), "beyond its 1609"),
    "a vertex below zero": ("silhouette_faces", lambda a: np.where(a == a.max(), -1, a), "beyond its 1609"),
    "another tree": ("parents", lambda a: a[::-1], "hang together"),
    "nothing of it": ("faces", None, "lacks faces"),
}


@pytest.mark.parametrize("name", HARMS)
def test_a_damaged_hand_model_says_what_is_wrong(tmp_path, hand, name):
    key, harm, sentence = HARMS[name]
    arrays = dict(hand)
    arrays = arrays | {key: harm(arrays[key])} if harm else {k: v for k, v in arrays.items() if k != key}
    np.savez(tmp_path / "hand.npz", **arrays)
    with pytest.raises(AssetError, match=rf"hand\.npz: not a hand model: .*{sentence}"):
        load_asset(tmp_path / "hand.npz")


def test_a_copy_of_the_shipped_hand_is_one(tmp_path, hand):
    np.savez(tmp_path / "hand.npz", **hand)
    np.testing.assert_array_equal(load_asset(tmp_path / "hand.npz").joints, load_asset().joints)
