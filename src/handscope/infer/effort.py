"""How much is done to find and read a hand: all that helps, or what millions of pictures can afford."""

from __future__ import annotations

from dataclasses import dataclass

from handscope.errors import HandscopeError, shown
from handscope.infer.detector import SIZES


@dataclass(frozen=True, kw_only=True)
class Effort:
    """`sizes` px at which the detector sees a picture; `proposed`, the least score of its that is looked at (a card may
    ask for less); `unlikely`, the geometric mean of that score and of the presence by the aligner under which nobody
    looks closer; `first_score`, the share of the least score that a first estimate needs to be refined; `passes` over a
    hand at most. `look_again`: where the aligner may not have known what it saw, in the detector's own crop; `doubt`:
    try the other side and a wider crop where an estimate is not sure; `judge`: ask the networks of presence and of
    context of what is left. `eight_bit`: on a CPU take the shipped networks in 8 bits, where there are such.
    """

    sizes: tuple[int, ...]
    proposed: float
    unlikely: float
    first_score: float
    passes: int
    look_again: bool
    doubt: bool
    judge: bool
    eight_bit: bool


FULL = Effort(
    sizes=SIZES,
    proposed=0.08,
    unlikely=0.18,
    first_score=0.48,
    passes=4,
    look_again=True,
    doubt=True,
    judge=True,
    eight_bit=False,
)
QUICK = Effort(
    sizes=SIZES[:1],
    proposed=0.3,
    unlikely=0.35,
    first_score=0.7,
    passes=2,
    look_again=False,
    doubt=False,
    judge=False,
    eight_bit=True,
)
EFFORTS = {"full": FULL, "quick": QUICK}


def effort_of(name: str) -> Effort:
    """That of the name; HandscopeError if there is none."""
    if name not in EFFORTS:
        raise HandscopeError(f"effort must be one of {', '.join(EFFORTS)}, got {shown(name)}")
    return EFFORTS[name]
