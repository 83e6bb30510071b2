"""Intervals and paired differences over pictures, by another's bootstrap; published curves; other releases' scores."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from handscope.errors import HandscopeError
from handscope.evaluation.bootstrap import draw_weights, mean_interval, picture_numbers
from handscope.evaluation.comparison import Scored, intervals, panels
from handscope.evaluation.curves import areas
from handscope.evaluation.published import read_curve
from handscope.evaluation.report import INK, describe, plot
from handscope.evaluation.variants import VARIANTS

NAME = "freihand_xyz"


def scored(label: str, values: np.ndarray, keys: list[str], found: np.ndarray | None = None, **told) -> Scored:
    arrays = {NAME: values, f"{NAME}/keys": np.array(keys)}
    if found is not None:
        arrays[f"{NAME}/found"] = found
    figures = {"figures": {"auc": 0.5}, "thresholds_at": [0, 50], "curve": [0, 1]}
    return Scored(label, {NAME: describe(VARIANTS[NAME]) | figures | told}, arrays)


def test_hands_of_one_picture_are_drawn_together() -> None:
    keys = np.array(["a/1#0", "a/1#1", "b#0", "a/1#2", "c#d#0"])
    assert picture_numbers(keys).tolist() == [0, 0, 1, 0, 2]
    rng = np.random.default_rng(1)
    values = rng.gamma(2, 10, (5, 21))
    weights = draw_weights(3, 500, seed=3)
    assert (weights.sum(1) == 3).all()
    rows = {0: [0, 1, 3], 1: [2], 2: [4]}
    drawn = [np.mean(values[[r for p in range(3) for r in rows[p] * int(w[p])]]) for w in weights]
    found = mean_interval(values, picture_numbers(keys), weights)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))
    assert found.value == pytest.approx(values.mean())


@pytest.mark.parametrize("figure", ["mean", "auc"])
def test_intervals_are_scipys(figure) -> None:
    """One hand a picture, skewed: percentiles and BCa by scipy.stats.bootstrap, with draws of its own."""
    rng = np.random.default_rng(2)
    values = rng.lognormal(2, 1.2, (40, 1)) * rng.uniform(0.8, 1.2, (40, 21))
    values = values if figure == "mean" else areas(values, VARIANTS[NAME].at)
    ours = mean_interval(values, np.arange(40), draw_weights(40, 20_000, seed=0))
    each = (values.mean(1),)
    for method, low, high in (("percentile", ours.low, ours.high), ("BCa", ours.bca_low, ours.bca_high)):
        theirs = stats.bootstrap(each, np.mean, n_resamples=20_000, method=method, rng=rng).confidence_interval
        width = theirs.high - theirs.low
        assert abs(low - theirs.low) < 0.03 * width and abs(high - theirs.high) < 0.03 * width, method
    if figure == "mean":
        assert ours.bca_high > ours.high  # skewed to the right


def test_a_difference_is_paired_and_over_hands_that_both_found() -> None:
    rng = np.random.default_rng(4)
    first = rng.normal(20, 8, (30, 21)).clip(1)
    second = first - 1  # better by just one millimetre, wherever it is seen
    second[3], second[5, 2] = np.inf, np.nan
    lost = np.arange(30) != 3
    results = [scored("a", first, [f"{n}#0" for n in range(30)]), scored("b", second, [f"{n}#0" for n in range(30)])]
    row = intervals(results, resamples=200)[NAME]["mean"]
    (apart,) = row.differences
    assert apart.hands == 29
    told = [getattr(apart.interval, name) for name in ("value", "low", "high", "bca_low", "bca_high")]
    assert told == pytest.approx([-1] * 5)
    assert row.values[1].high - row.values[1].low > 1  # far less sure than their difference
    counted = [
        results[0],
        scored("b", np.nan_to_num(second, posinf=0.0), list(results[1].values[f"{NAME}/keys"]), lost),
    ]
    assert intervals(counted, resamples=50)[NAME]["mean"].differences[0].hands == 29


def test_scores_of_another_meaning_are_refused() -> None:
    values, keys = np.ones((3, 21)), ["0#0", "1#0", "2#0"]
    old = scored("old", values, keys, thresholds="0 to 30, 20 steps, <=, trapezoid")
    with pytest.raises(HandscopeError, match=r"old: freihand_xyz was scored by another release .*handscope eval"):
        intervals([scored("new", values, keys), old], resamples=10)
    with pytest.raises(HandscopeError, match="other hands"):
        intervals([scored("new", values, keys), scored("b", values, ["0#0", "1#0", "3#0"])], resamples=10)


def test_a_published_curve_is_read_in_either_form(tmp_path: Path) -> None:
    """PCK(t) = t / 50 has the area 0.7 from 20 to 50, however it is written."""
    at = np.arange(51)
    one, two = tmp_path / "one col=umn@.txt", tmp_path / "two.csv"
    one.write_text("".join(f"{t / 50}\n" for t in at) + "\n")
    two.write_text("# mm, PCK\n" + "".join(f"{t}, {t / 50}\n" for t in at[::10]))
    for text in (f"Some: RGB={one}@0:50", f"stb_1mm:Some: RGB={one}@0:50", f"Some: RGB={two}"):
        curve = read_curve(text, ["stb_1mm"])
        assert (curve.label, curve.variant.name) == ("Some: RGB", "stb_1mm")
        assert curve.auc == pytest.approx(0.7)
    exact = tmp_path / "exact.txt"
    exact.write_text("\n".join(["1.0"] * 31))
    assert read_curve(f"x={exact}", ["stb_1mm"]).at.tolist() == list(range(20, 51))
    lines = panels([scored("ours", np.ones((2, 21)), ["0#0", "1#0"])], [NAME], [read_curve(f"x={two}", [NAME])])
    assert [line[0] for line in lines[NAME][1]] == ["ours", "x"]


@pytest.mark.parametrize(
    ("content", "text", "told"),
    [
        ("0.1\n0.2\n", "x={}", "2 values, but stb_1mm has 31 thresholds.*c.txt@0:50"),
        ("0.1\n0.2\n", "x={}@0:40", "covers 0 to 40, but stb_1mm needs 20 to 50 .mm."),
        ("10\n87\n", "x={}@0:50", "shares from 0 to 1, found 10 to 87"),
        ("0.1\nabc\n", "x={}@0:50", "expected numbers"),
        ("0.1 2 3\n1 2 3\n", "x={}", "threshold and PCK"),
        ("0.5 0\n0.4 50\n", "x={}", "shares from 0 to 1"),
        ("50 0.1\n20 0.4\n", "x={}", "rise from line to line"),
        ("", "x={}", "two lines or more"),
        (None, "x={}", "no text that can be read"),
        ("0\n1\n", "{}", "takes .VARIANT:.LABEL=FILE"),
        ("0\n1\n", "rhd_1mm:x={}", "rhd_1mm has no curve here"),
    ],
)
def test_curves_that_cannot_be_drawn_are_one_sentence(tmp_path, content, text, told) -> None:
    file = tmp_path / "c.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(HandscopeError, match=told) as caught:
        read_curve(text.format(file), ["stb_1mm"])
    assert "\n" not in str(caught.value)
    with pytest.raises(HandscopeError, match="which of stb_1mm, rhd_1mm"):
        read_curve(f"x={file}", ["stb_1mm", "rhd_1mm"])


def test_equal_lines_are_both_seen(tmp_path: Path) -> None:
    line = [0.0, 25.0, 50.0], [0.2, 0.6, 0.9], 0.5
    plot({NAME: (VARIANTS[NAME], [(label, *line) for label in ("first", "second", "third")])}, tmp_path / "a.png")
    pixels = cv2.imread(str(tmp_path / "a.png"))[20:200, 60:330].reshape(-1, 3)
    for colour in INK[:3]:
        wanted = np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)])
        assert (np.abs(pixels.astype(int) - wanted).max(1) < 40).sum() > 60
