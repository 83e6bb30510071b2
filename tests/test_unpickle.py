"""Pickles of strangers: arrays come through as they are, everything else ends in one sentence, and never in a crash."""

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handscope.errors import AssetError
from handscope.hand.assets import load_asset, load_mano
from handscope.unpickle import BROKEN, load_arrays
from mano_files import open_hand_as_mano, write_mano

plain = st.sampled_from(["<f8", ">f4", "<f2", "|u1", ">i2", "<u4", "<i8", "|b1", "<U5", "|S3"]).map(np.dtype)


@given(arrays.arrays(plain, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)), st.integers(0, 4))
def test_arrays_come_through_as_they_are(tmp_path_factory, array, protocol):
    path = tmp_path_factory.mktemp("pickle") / "a.pkl"
    for given_ in (array, np.asfortranarray(array), {"a": [array, (array,)], 3: 2.5}):
        path.write_bytes(pickle.dumps(given_, protocol=protocol))
        read = load_arrays(path, "")
        one, other = (read["a"][1][0], given_["a"][1][0]) if isinstance(given_, dict) else (read, given_)
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype.newbyteorder("=") == other.dtype.newbyteorder("=")


def test_numbers_of_numpy_come_through(tmp_path):
    path = tmp_path / "a.pkl"
    for number in (np.float32(1.5), np.int64(-3), np.bool_(True)):
        path.write_bytes(pickle.dumps(number, protocol=2))
        assert load_arrays(path, "") == number


def array_state(code: bytes, kind: bytes) -> bytes:
    """A pickle of an array of two entries whose bytes are an address, of the type that `kind` builds."""
    data = struct.pack("<QQ", 0x4141414141414141, 0x4242424242424242)
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
    state = b"(I1\n(I2\nt" + kind + b"I00\nC" + bytes([len(data)]) + data + b"tb"
    return b"\x80\x03" + code + made + state + b"."


OBJECTS = {
    "a type of objects": b"cnumpy\ndtype\n(X\x02\0\0\0O8I00\nI01\ntR",
    "a type of objects by its state": (
        b"cnumpy\ndtype\n(X\x02\0\0\0V8I00\nI01\ntR(I3\nX\x01\0\0\0|N(X\x01\0\0\0ftX\x01\0\0\0f}X\x01\0\0\0f"
        b"cnumpy\ndtype\n(X\x02\0\0\0O8I00\nI01\ntRI0\n\x86sI8\nI1\nI27\ntb"
    ),
    "fields": b"cnumpy\ndtype\n(X\x08\0\0\0O,u1,,,,I00\nI01\ntR",
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_no_type_of_objects_over_raw_bytes_is_made(tmp_path, kind):
    """The attack on 0.4.0: an address of the file's choice is read."""
    path = tmp_path / "a.pkl"
    path.write_bytes(array_state(b"", OBJECTS[kind]))
    with pytest.raises(AssetError, match="not a pickle of arrays"):
        load_arrays(path, "")
    with pytest.raises(AssetError, match="not an official MANO file"):
        load_mano(path)


ATTACKS = {
    "a call of the system": b"cos\nsystem\n(X\x04\0\0\0truetR.",
    "numpy's own function": b"cnumpy\nfromfile\n(X\x01\0\0\0atR.",
    "an array called": b"cnumpy\nndarray\n(I1\ntR.",
    "a state for a class": b"cnumpy\ndtype\n}X\x04\0\0\0typeI1\nsb.",
    "a state for a list": b"](I1\ntb.",
    "a persistent name": b"Pname\n.",
    "a huge place in the memory": b"I1\nr\xff\xff\xff\x7f0\x80\x02cos\nsystem\n.",
    "a huge shape": array_state(b"", b"cnumpy\ndtype\n(X\x02\0\0\0f8I00\nI01\ntR").replace(
        b"(I2\nt", b"(I2147483647\nt"
    ),
    "tuples in tuples as a key": b"})" + b"\x85" * 200_000 + b"I1\ns.",
    "a coding that packs": b"c_codecs\nencode\n(X\x01\0\0\0aX\x03\0\0\0bz2tR.",
    "long text that is not there": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\0\0abc.",
    "nothing": b"",
    "half": pickle.dumps({"a": np.zeros(9)})[:60],
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_no_file_of_arrays_is_one_sentence(tmp_path, name):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(ATTACKS[name])
    for read in (lambda: load_arrays(path, "fetch it again"), lambda: load_asset(path)):
        with pytest.raises(AssetError) as caught:
            read()
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_pickles_never_do_harm(tmp_path_factory, data):
    seeds = [array_state(b"", kind) for kind in OBJECTS.values()]
    seeds += [
        pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": [np.float32(2), "text"]}, protocol=p) for p in (0, 2, 4)
    ]
    content = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b".(RbcO\x85\x93\x94hrjC")))
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(bytes(content))
    try:
        np.asarray(load_arrays(path, "")).tobytes()
    except (AssetError, *BROKEN):
        pass


def test_files_of_mano_are_still_read(tmp_path):
    asset = load_mano(write_mano(tmp_path / "MANO_RIGHT.pkl", open_hand_as_mano()))
    assert asset.template.shape == (778, 3) and type(asset.template) is np.ndarray
