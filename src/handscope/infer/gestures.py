"""Ten gestures, told by joint angles: fist, open, point, victory, thumb_up, thumb_down, ok, pinch, call, rock.

A gesture is a list of what must hold (this finger straight, that one bent, the thumb out), each a number in [0, 1] that
falls off between two angles or distances; its score is the least of them. Nothing is learnt, so that nothing but the
tables below says what counts. In videos `GestureFilter` keeps a gesture from flickering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from handscope.infer.formats import joint_angles
from handscope.skeleton import FINGERS, JOINT_NAMES, MIDDLE_MCP, WRIST
from handscope.types import Hand

GESTURES = ("fist", "open", "point", "victory", "thumb_up", "thumb_down", "ok", "pinch", "call", "rock")
LEAST = 0.5
"""A gesture of a lower score is none."""
KNUCKLE_SHARE = 0.6
"""What a degree of the knuckle counts where a degree of the middle and end joints counts one, in a finger's bend."""
STRAIGHT, BENT, CLENCHED = (100.0, 60.0), (90.0, 135.0), (110.0, 160.0)
"""Degrees of bend at which a finger is not at all, and wholly, straight; bent; bent as in a fist."""
FLAT = (75.0, 45.0)
"""The same of an open hand's fingers, which are straighter than one that is held up among bent ones."""
KNUCKLES, LEVEL = (15.0, 35.0), (50.0, 30.0)
"""Mean flexion of the four knuckles of no fist (a hook), and of a fist; of no open hand, and of one."""
OUT, IN = (1.25, 1.4), (1.4, 1.25)
"""Thumb tip to the little finger's knuckle, in palms (wrist to middle knuckle): of a thumb that is not, and is, out."""
BESIDE = (1.05, 1.25)
"""The same of an open hand's thumb, which may lie beside the index finger but not in the palm."""
MEETING = (0.55, 0.38)
"""Thumb tip to index tip in palms: apart, and met."""
SPREAD = (2.0, 9.0)
"""Degrees of abduction between index and middle finger: closed, and spread."""
STEEP = (0.4, 0.7)
"""Cosine between the thumb and the picture's up or down: not, and well in that direction."""


@dataclass(frozen=True)
class Shape:
    """What the gestures look at: `bend` (4,) degrees of index to little finger; `knuckles`, their mean flexion; `out`,
    `meeting` and `spread` as the tables above measure them; `upwards` the cosine between thumb and the picture's up.
    """

    bend: tuple[float, ...]
    knuckles: float
    out: float
    meeting: float
    spread: float
    upwards: float


def shape_of(hand: Hand) -> Shape:
    """The shape of a hand; HandscopeError if nobody knows its hand model."""
    angles = joint_angles(hand)
    knuckles = [angles[f"{finger}_mcp_flexion"] for finger in FINGERS[1:]]
    beyond = [angles[f"{finger}_pip_flexion"] + angles[f"{finger}_dip_flexion"] for finger in FINGERS[1:]]
    at = dict(zip(JOINT_NAMES, np.asarray(hand.joints_3d, np.float64), strict=True))
    palm = max(float(np.linalg.norm(hand.joints_3d[MIDDLE_MCP] - hand.joints_3d[WRIST])), 1e-6)
    thumb = at["thumb_tip"] - at["thumb_mcp"]

    def apart(a: str, b: str) -> float:
        return float(np.linalg.norm(at[a] - at[b])) / palm

    return Shape(
        bend=tuple(b + KNUCKLE_SHARE * k for b, k in zip(beyond, knuckles, strict=True)),
        knuckles=float(np.mean(knuckles)),
        out=apart("thumb_tip", "little_mcp"),
        meeting=apart("thumb_tip", "index_tip"),
        spread=angles["index_mcp_abduction"] - angles["middle_mcp_abduction"],
        upwards=float(-thumb[1] / max(float(np.linalg.norm(thumb)), 1e-6)),
    )


def gesture_scores(hand: Hand) -> dict[str, float]:
    """Scores in [0, 1] of `GESTURES`."""
    shape = shape_of(hand)
    straight = [_rises(bend, STRAIGHT) for bend in shape.bend]
    bent = [_rises(bend, BENT) for bend in shape.bend]
    out, tucked = _rises(shape.out, OUT), _rises(shape.out, IN)
    met, knuckles = _rises(shape.meeting, MEETING), _rises(shape.knuckles, KNUCKLES)
    index, middle, ring, little = range(4)
    closed = [*[_rises(bend, CLENCHED) for bend in shape.bend], knuckles]
    flat = [*[_rises(bend, FLAT) for bend in shape.bend], _rises(shape.knuckles, LEVEL)]
    spread = _rises(shape.spread, SPREAD)
    return {
        "fist": min(*closed, tucked),
        "open": min(*flat, _rises(shape.out, BESIDE)),
        "point": min(straight[index], bent[middle], bent[ring], bent[little], tucked),
        "victory": min(straight[index], straight[middle], bent[ring], bent[little], spread, tucked),
        "thumb_up": min(*closed, out, _rises(shape.upwards, STEEP)),
        "thumb_down": min(*closed, out, _rises(-shape.upwards, STEEP)),
        "ok": min(met, straight[middle], straight[ring], straight[little]),
        "pinch": min(met, bent[middle], bent[ring], bent[little]),
        "call": min(bent[index], bent[middle], bent[ring], straight[little], out),
        "rock": min(straight[index], bent[middle], bent[ring], straight[little], tucked),
    }


def gesture_of(hand: Hand) -> tuple[str | None, float]:
    """The gesture of the greatest score and that score; None if it is under `LEAST`."""
    scores = gesture_scores(hand)
    best = max(scores, key=lambda name: scores[name])
    return (best if scores[best] >= LEAST else None), scores[best]


def _rises(value: float, between: tuple[float, float]) -> float:
    """0 at the first of two values, 1 at the second, in proportion between them."""
    low, high = between
    return float(np.clip((value - low) / (high - low), 0, 1))


@dataclass
class _Held:
    name: str | None = None
    rival: str | None = None
    since: float = 0.0


@dataclass
class GestureFilter:
    """Call it with the hands of frame after frame for each track's gesture: another one begins when it was seen for
    `begin_s` without a break, and ends when it was not seen for `end_s`; what a frame says alone changes nothing.
    """

    begin_s: float = 0.1
    end_s: float = 0.2
    _held: dict[int, _Held] = field(default_factory=dict)

    def __call__(self, hands: Sequence[Hand], time: float) -> dict[int, str | None]:
        """The gestures of the tracks told in this frame, at `time` seconds."""
        return {int(hand.track or 0): self.told(int(hand.track or 0), gesture_of(hand)[0], time) for hand in hands}

    def told(self, track: int, seen: str | None, time: float) -> str | None:
        """The gesture of a track that shows `seen` now."""
        held = self._held.setdefault(track, _Held())
        if seen == held.name:
            held.rival = held.name
            return held.name
        if seen != held.rival:
            held.rival, held.since = seen, time
        if time - held.since >= (self.end_s if seen is None else self.begin_s):
            held.name = seen
        return held.name
