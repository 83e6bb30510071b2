"""The row that every input gets, whatever became of it: where it is, how it went, and its hands.

`hands` holds a struct a hand. Its first four fields are those of daft-physical-ai's `track_hands` column, by its names
and types; the rest is what else there is to say of a hand, by the names of `types.Hand`. Numbers are float32; pixels, x
right, y down, centre of the top-left pixel at (0, 0); metres in the camera frame (x right, y down, z forward); radians.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from handscope.batch.manifest import Item, arrow
from handscope.geometry.masks import CroppedMask
from handscope.geometry.run_length import decode_runs, encode_runs, mask_of_runs
from handscope.hand.assets import HandAsset, load_asset
from handscope.infer.results import FoundHand, Hands
from handscope.infer.streaming import Failure, FailureKind
from handscope.paths import as_text

Row = dict[str, Any]
OK, FAILED = "ok", "failed"
KILLED: FailureKind = "killed"
CHANGED: FailureKind = "changed"
"""A picture that ended the process that read it, and one whose file is another one than the list says."""
FINAL = frozenset(("not_a_picture", "damaged", "too_many_pixels", "invalid"))
"""Failures that come again as long as the file is the same."""
VARYING = ("attempts", "seconds")
"""Columns that differ from run to run."""
_HAND = "hands.list.element."
STORAGE: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": [
        *("uri", "stamp", "status", "error_kind", "error", "notes.list.element"),
        *(_HAND + name for name in ("handedness", "joint_convention", "hand_model")),
    ],
}
"""How Parquet keeps rows: a dictionary of numbers that hardly repeat makes a part 1.4 times as large."""
ABOUT = (
    "a row an input; hands: px x right, y down, centre of the top-left pixel at 0, 0; m camera frame, x right, y down, "
    "z forward; theta, R axis-angle and rotation of the right-hand model; mask: run lengths as COCO has them"
)


def schema() -> Any:
    """pyarrow's schema of a row."""
    pa, _ = arrow()
    return pa.schema(
        [
            ("index", pa.int64()),
            ("uri", pa.string()),
            ("frame", pa.int64()),
            ("time", pa.float64()),
            ("size", pa.int64()),
            ("stamp", pa.string()),
            ("status", pa.string()),
            ("error_kind", pa.string()),
            ("error", pa.string()),
            ("attempts", pa.int32()),
            ("seconds", pa.float32()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("notes", pa.list_(pa.string())),
            ("hands", pa.list_(hand_type())),
        ]
    )


def hand_type() -> Any:
    """pyarrow's type of a hand."""
    pa, _ = arrow()
    numbers = pa.list_(pa.float32())
    table = pa.list_(numbers)
    return pa.struct(
        [
            ("handedness", pa.string()),
            ("confidence", pa.float32()),
            ("kp2d", table),
            ("kp3d", table),
            ("joint_scores", numbers),
            ("joint_visibility", numbers),
            ("box", numbers),
            ("theta", table),
            ("beta", numbers),
            ("R", table),
            ("T", numbers),
            ("K", table),
            ("distortion", numbers),
            ("mask", pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])),
            ("joint_convention", pa.string()),
            ("hand_model", pa.string()),
            ("extras", pa.struct([("right", pa.float32())])),
            ("vertices", table),
        ]
    )


_ARRAYS = {"kp2d": "joints_2d", "kp3d": "joints_3d"} | {
    name: name for name in ("joint_scores", "joint_visibility", "box", "theta", "beta", "R", "T", "K", "distortion")
}
"""Columns that are arrays of a hand, and what `types.Hand` calls them."""


def row_of(item: Item, answer: Hands | Failure, *, attempts: int = 1, seconds: float = 0.0, mesh: bool = False) -> Row:
    """The row of an item, of its hands (`mesh`: with their vertices) or of why there are none."""
    row: Row = {
        "index": item.index,
        "uri": item.address,
        "frame": item.frame,
        "time": item.time,
        "size": item.size,
        "stamp": item.stamp,
        "status": OK,
        "error_kind": None,
        "error": None,
        "attempts": attempts,
        "seconds": seconds,
        "width": None,
        "height": None,
        "notes": [],
        "hands": [],
    }
    if isinstance(answer, Failure):
        return row | {"status": FAILED, "error_kind": answer.kind, "error": as_text(answer.message)}
    found = {"width": answer.width, "height": answer.height, "notes": [as_text(note) for note in answer.notes]}
    return row | found | {"hands": [_hand(hand, mesh) for hand in answer]}


def _hand(hand: FoundHand, mesh: bool) -> Row:
    mask = hand.cropped_mask
    told: Row = {"handedness": hand.handedness, "confidence": _numbers(hand.score)}
    told |= {column: _numbers(getattr(hand, name)) for column, name in _ARRAYS.items()}
    told |= {"mask": {"size": list(mask.shape), "counts": encode_runs(mask.runs())}}
    told |= {"joint_convention": hand.joint_convention, "hand_model": "open" if hand.asset is None else hand.asset.name}
    told |= {"extras": {name: _numbers(hand.extras.get(name)) for name in ("right",)}}
    return told | {"vertices": _numbers(hand.vertices) if mesh else None}


def _numbers(values: Any) -> Any:
    """Plain numbers that float32 can say, None as it is."""
    return None if values is None else np.asarray(values, np.float32).tolist()


def failed_row(item: Item, kind: str, message: str, *, attempts: int = 1, seconds: float = 0.0) -> Row:
    """The row of an item that nobody could read."""
    told = {"status": FAILED, "error_kind": kind, "error": as_text(message)}
    return row_of(item, Hands(width=0, height=0), attempts=attempts, seconds=seconds) | {
        **told, "width": None, "height": None
    }  # fmt: skip


def name_of(row: Mapping[str, Any]) -> str:
    """What a row's picture is called: `file#frame`."""
    return row["uri"] if row["frame"] is None else f"{row['uri']}#{row['frame']}"


def hands_of(row: Mapping[str, Any], asset: HandAsset | None = None) -> Hands:
    """The hands of a row; `asset` is the hand model that hands told in MANO belong to. A row that failed has none, and
    says why.
    """
    hands = [_found(hand, asset) for hand in row["hands"] or ()]
    about = {"width": row["width"] or 0, "height": row["height"] or 0, "source": name_of(row)}
    return Hands(hands, notes=row["notes"] or (), problem=row["error"], **about)


def _found(told: Mapping[str, Any], asset: HandAsset | None) -> FoundHand:
    height, width = told["mask"]["size"]
    own = load_asset() if told["hand_model"] == "open" else asset
    arrays: dict[str, Any] = {
        name: None if told[column] is None else np.asarray(told[column], np.float32)
        for column, name in _ARRAYS.items()
    }  # fmt: skip
    vertices = np.zeros((0, 3), np.float32) if told["vertices"] is None else np.asarray(told["vertices"], np.float32)
    return FoundHand(
        handedness=told["handedness"],
        score=told["confidence"],
        cropped_mask=CroppedMask.of(mask_of_runs(decode_runs(told["mask"]["counts"]), height, width)),
        vertices=vertices,
        faces=np.zeros((0, 3), np.int32) if own is None else own.faces_of(told["handedness"]),
        joint_convention=told["joint_convention"],
        extras={name: value for name, value in (told["extras"] or {}).items() if value is not None},
        asset=own,
        **arrays,
    )


def table_of(rows: Iterable[Row], metadata: Mapping[str, str] | None = None) -> Any:
    """Rows as pyarrow's table."""
    pa, _ = arrow()
    about = {"handscope": ABOUT, **(metadata or {})}
    return pa.Table.from_pylist(list(rows), schema=schema().with_metadata(about))


def tally_of(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows and hands there are, and how many failures of each kind."""
    counts = {"rows": len(rows), "hands": sum(len(row["hands"] or ()) for row in rows)}
    for row in rows:
        if row["status"] == FAILED:
            counts[row["error_kind"]] = counts.get(row["error_kind"], 0) + 1
    return counts
