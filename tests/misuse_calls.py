"""Calls of what `import handscope` offers with things that nobody expects, in an interpreter of their own.

The tests' own one checks types before our code sees an argument; users' do not. `python misuse_calls.py WEIGHTS COUNT`.
"""

import os
import sys
import tempfile
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import handscope
from handscope.errors import HandscopeError
from toy_networks import blobs, paint

IMAGE = paint(160, 120, [blobs((90, 60), 35, 0.4, "left")])
numbers = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(), st.sampled_from([-1e7, 1e7, 1e300, 10**400, float("nan"), float("inf")])
)
things = st.one_of(
    numbers,
    st.lists(numbers, max_size=10),
    st.lists(st.lists(numbers, min_size=3, max_size=4), max_size=4),
    st.lists(numbers, min_size=4, max_size=4).map(lambda row: np.array([row], object)),
    st.lists(st.floats(-1e9, 1e9), min_size=9, max_size=9).map(lambda row: np.reshape(row, (3, 3))),
    st.text(max_size=5),
    st.binary(max_size=5), st.sampled_from(["a\0b", "\n", "a\nb"]), st.just(Path("/nope")), st.just({"a": 1}),
    st.sampled_from([None, True, object(), timedelta(1), {1, 2}, (), handscope.Camera, np.zeros(0), np.array("x")]),
)  # fmt: skip

CALLS = {
    "K": lambda model, hands, x: model(IMAGE, K=x),
    "boxes": lambda model, hands, x: model(IMAGE, boxes=x),
    "K of a list": lambda model, hands, x: model([IMAGE], K=x),
    "boxes of a list": lambda model, hands, x: model([IMAGE], boxes=x),
    "a list": lambda model, hands, x: model([x]),
    "fps": lambda model, hands, x: list(model.video([IMAGE], fps=x)),
    "times": lambda model, hands, x: list(model.video([(x, IMAGE)])),
    "frames": lambda model, hands, x: list(model.video([(0.0, x)])),
    "config": lambda model, hands, x: list(model.video([(0.0, IMAGE)], config=x)),
    "camera": lambda model, hands, x: handscope.Camera(x),
    "camera's size": lambda model, hands, x: handscope.Camera(np.diag([500.0, 500, 1]), x),
    "distortion": lambda model, hands, x: handscope.Camera(np.diag([500.0, 500, 1]), (10, 10), x),
    "picture to draw": lambda model, hands, x: hands.draw(x),
    "hands to draw": lambda model, hands, x: handscope.draw(IMAGE, x),
    "file": lambda model, hands, x: isinstance(x, str | bytes | Path) or hands.save_json(x),
    "weights": lambda model, hands, x: x is None or handscope.load(x),
    "hand model": lambda model, hands, x: x is None or handscope.load(hand_model=x),
    "threads": lambda model, hands, x: x is None or isinstance(x, int) or handscope.load(threads=x),
    "min_score": lambda model, hands, x: x is None or isinstance(x, int | float) or handscope.load(min_score=x),
    "device": lambda model, hands, x: handscope.load(device=x),
    "tiles": lambda model, hands, x: isinstance(x, int) or handscope.load(tiles=x),
}


def try_with_anything(function, model, hands, count: int) -> None:
    """So many calls; the first raw exception ends it."""

    @settings(max_examples=count, deadline=10_000, database=None)
    @given(things)
    def call(thing):
        try:
            function(model, hands, thing)
        except HandscopeError as error:
            assert str(error) and "\n" not in str(error)

    call()


def main(weights: str, count: int) -> None:
    """Every function, with so many things each."""
    model = handscope.load(weights, threads=1)
    hands = model(IMAGE)
    for name, function in CALLS.items():
        print(name, flush=True)
        try_with_anything(function, model, hands, count)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of numpy about numbers that make no sense
    os.chdir(tempfile.mkdtemp())
    main(sys.argv[1], int(sys.argv[2]))
