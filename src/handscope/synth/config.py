"""What to synthesise."""

from __future__ import annotations

from dataclasses import dataclass

from handscope.errors import HandscopeError


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """A kind of synthetic picture.

    Hand-centred pictures are `size` px square, and the box of the centred hand's joints takes a share
    within `fill` of the side, its centre up to `jitter` (share of the side) off the middle. With `scenes`
    they are whole pictures instead, `scene_size` px long. Every `share_*` is a probability: of a left hand,
    a sleeve, a bracelet on a bare arm, something in the hand, something before it, a second hand, a scene
    without hands, a scene with a pair of hands that touch (pairs.py), a glove. Hands of scenes take a share within
    `hand_share` of the shorter side, those after the first up to two thirds of it. Backgrounds come from the
    folders `backgrounds` and, outside the boxes, from the pictures that `photo_index` lists.
    """

    size: int = 160
    scenes: bool = False
    scene_size: int = 320
    fill: tuple[float, float] = (0.42, 0.72)
    jitter: float = 0.07
    share_left: float = 0.5
    share_sleeve: float = 0.55
    share_band: float = 0.15
    share_held: float = 0.18
    share_before: float = 0.16
    share_second: float = 0.14
    share_empty: float = 0.12
    share_pair: float = 0.0
    share_glove: float = 0.0
    hand_share: tuple[float, float] = (0.08, 0.9)
    backgrounds: tuple[str, ...] = ()
    photo_index: str | None = None

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 2048 or not 64 <= self.scene_size <= 2048:
            raise HandscopeError(f"pictures must be 32 to 2048 px, got {self.size} and scenes of {self.scene_size}")
        if not 0 < self.fill[0] <= self.fill[1] <= 1:
            raise HandscopeError(f"fill must be a range within (0, 1], got {self.fill}")
        if not 0 < self.hand_share[0] <= self.hand_share[1] <= 1:
            raise HandscopeError(f"hand_share must be a range within (0, 1], got {self.hand_share}")
        for name, value in vars(self).items():
            if name.startswith("share_") and not 0 <= value <= 1:
                raise HandscopeError(f"{name} is a probability, got {value}")
