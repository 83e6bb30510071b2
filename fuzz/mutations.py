"""Hypothesis strategies: a seed of the corpus, and what a few steps of damage make of it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

TOKENS = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"NaN",
    b"1e999",
    b"-1",
    b"9" * 400,
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"\xed\xa0\x80",
    b"../",
    b"\n",
    b"&a ",
    b"*a",
    b"%00",
    b"cos\nsystem\n",
    b"numpy\ndtype\n",
    b"\x93NUMPY",
    b"|O",
    b"ustar",
    b"IHDR",
    b"IDAT",
    b"\xff\xd8",
    b"\xff\xda",
    b"moov",
)
"""What parsers stumble over."""


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds`, as it is or after up to eight steps: bytes changed, cut out, doubled, moved, or put in."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 8))):
        if not content:
            break
        at = draw(st.integers(0, min(len(content), 4096) - 1) | st.integers(0, len(content) - 1))
        step = draw(st.integers(0, 6))
        if step <= 1:
            content[at] = draw(st.integers(0, 255))
        elif step == 2:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif step == 3:
            del content[at : at + draw(st.integers(1, 64))]
        elif step == 4:
            token = draw(st.sampled_from(TOKENS))
            content[at : at + draw(st.sampled_from((0, len(token))))] = token
        elif step == 5:
            part = content[at : at + draw(st.integers(1, 64))]
            place = draw(st.integers(0, len(content)))
            content[place:place] = part * draw(st.sampled_from((1, 1, 2, 50)))
        else:
            del content[at:]
    return bytes(content)
