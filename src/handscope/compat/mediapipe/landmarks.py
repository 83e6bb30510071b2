"""MediaPipe's containers: landmarks, lists of them, classifications; plain objects that print as protocol buffers do.

Coordinates of a `NormalizedLandmark` are shares of the picture's width and height, z as x, from the wrist's depth and
smaller towards the camera; those of a `Landmark` metres about the hand's middle, x right, y down, z away.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TypeVar

Item = TypeVar("Item")


class Message:
    """What code asks of a protocol buffer."""

    def HasField(self, name: str) -> bool:
        """Whether a field is set."""
        return getattr(self, name) is not None

    def __str__(self) -> str:
        return "".join(f"{item.name}: {_text(getattr(self, item.name))}\n" for item in fields(self) if _set(self, item))  # pyright: ignore[reportArgumentType]


def _set(message: Message, item: object) -> bool:
    return getattr(message, getattr(item, "name", "")) not in (None, "")


def _text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:.9g}" if isinstance(value, float) else str(value)


class Repeated(list[Item]):
    """A repeated field: a list that also makes what it holds."""

    def __init__(self, kind: type[Item], items: list[Item] | tuple[Item, ...] = ()) -> None:
        super().__init__(items)
        self.kind = kind

    def add(self, **values: object) -> Item:
        """One more, of these values."""
        self.append(self.kind(**values))
        return self[-1]


@dataclass
class Landmark(Message):
    """A point in metres. Of hands MediaPipe never sets `visibility` and `presence`."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None

    __str__ = Message.__str__


@dataclass
class NormalizedLandmark(Message):
    """A point in shares of the picture's width and height."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None

    __str__ = Message.__str__


class _List(Message):
    kind: type

    def __init__(self, landmark: list | tuple = ()) -> None:
        self.landmark = Repeated(self.kind, landmark)

    def __str__(self) -> str:
        return "".join("landmark {\n" + _indented(str(point)) + "}\n" for point in self.landmark)

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.landmark == getattr(other, "landmark", None)

    __hash__ = None  # type: ignore[assignment]


class LandmarkList(_List):
    """`landmark`: points in metres."""

    kind = Landmark


class NormalizedLandmarkList(_List):
    """`landmark`: points in shares of the picture."""

    kind = NormalizedLandmark


@dataclass
class Classification(Message):
    """A side with its probability."""

    index: int | None = None
    score: float | None = None
    label: str | None = None
    display_name: str = ""

    __str__ = Message.__str__


@dataclass
class ClassificationList(Message):
    """`classification`: of one hand there is one."""

    classification: list[Classification] = field(default_factory=list)

    def __str__(self) -> str:
        return "".join("classification {\n" + _indented(str(one)) + "}\n" for one in self.classification)

    __repr__ = __str__


@dataclass
class Category:
    """A side with its probability, as tasks tell it."""

    index: int | None = None
    score: float | None = None
    display_name: str | None = None
    category_name: str | None = None


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


class HandLandmark(IntEnum):
    """The 21 landmarks."""

    WRIST = 0
    THUMB_CMC = 1
    THUMB_MCP = 2
    THUMB_IP = 3
    THUMB_TIP = 4
    INDEX_FINGER_MCP = 5
    INDEX_FINGER_PIP = 6
    INDEX_FINGER_DIP = 7
    INDEX_FINGER_TIP = 8
    MIDDLE_FINGER_MCP = 9
    MIDDLE_FINGER_PIP = 10
    MIDDLE_FINGER_DIP = 11
    MIDDLE_FINGER_TIP = 12
    RING_FINGER_MCP = 13
    RING_FINGER_PIP = 14
    RING_FINGER_DIP = 15
    RING_FINGER_TIP = 16
    PINKY_MCP = 17
    PINKY_PIP = 18
    PINKY_DIP = 19
    PINKY_TIP = 20


PALM = ((0, 1), (1, 5), (9, 13), (13, 17), (5, 9), (0, 17))
FINGERS = {
    name: tuple((first + k, first + k + 1) for k in range(3))
    for name, first in (("THUMB", 1), ("INDEX_FINGER", 5), ("MIDDLE_FINGER", 9), ("RING_FINGER", 13), ("PINKY", 17))
}
HAND_CONNECTIONS = frozenset([*PALM, *(pair for pairs in FINGERS.values() for pair in pairs)])
