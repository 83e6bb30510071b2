"""Labelled pictures in WebDataset shards: tar files that any tool can open, with random access.

Each sample is `{key}.jpg`, `{key}.json` (camera, hands, source) and, where masks are known,
`{key}.mask.png`: 0 for background, i + 1 for the visible part of hand i; antialiasing is dropped. What is
not known of a hand is null. Shards are named `{split}-{000000}.tar`; reading one writes the offsets of its
members beside it (`.tar.index`), so that sample i is one seek away, or one request in a store (`data.shard_places`);
writing one, its SHA-256 (`.tar.sha256`, as sha256sum checks it). What is damaged or no shard is one sentence.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.data.shard_places import Place, StoreError, is_url, place_of
from handscope.errors import HandscopeError
from handscope.files import NewFile, write_file
from handscope.types import Handedness, HandLabel, HandModel, JointConvention, Sample

JPEG_QUALITY = 95
OLDER_SHARDS = "open"
"""Whose parameters shards of 0.5.0 hold, which do not say so: `handscope synth` alone wrote any."""
_ARRAYS = {
    "box": (4,), "joints_2d": (21, 2), "joints_3d": (21, 3), "theta": (15, 3), "beta": (10,), "R": (3, 3), "T": (3,),
}  # fmt: skip
_FLAGS = {"joints_2d_known": (21,), "joints_3d_known": (21,), "visible": (21,)}
_CHOICES: dict[str, tuple[object, ...]] = {
    "handedness": (None, *get_args(Handedness)),
    "hand_model": (None, *get_args(HandModel)),
    "joint_convention": get_args(JointConvention),
    "present": (None, True, False),
}
_NEEDED = {"jpg", "json"}
_BROKEN = (
    AttributeError, EOFError, IndexError, KeyError, MemoryError, OSError, OverflowError, RecursionError, TypeError,
    ValueError, cv2.error, tarfile.TarError,
)  # fmt: skip
"""What reading a damaged or strange shard may raise."""
_END = bytes(1024)
"""How a tar file ends."""
INDEX = ".index"
"""What the name of a shard's index has more than the shard's."""
Index = dict[str, dict[str, tuple[int, int]]]
"""Offset and size of every member by key and suffix."""


def _rounded(array: NDArray[Any] | None) -> list[Any] | None:
    """Six decimals are a micrometre and far below a pixel."""
    return None if array is None else np.round(np.asarray(array, np.float64), 6).tolist()


def to_members(sample: Sample) -> list[tuple[str, bytes]]:
    """The files (suffix, content) of a sample."""
    done, image = cv2.imencode(".jpg", sample.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise HandscopeError(f"{sample.key}: this picture of shape {sample.image.shape} cannot be written as a JPEG")
    hands = []
    for hand in sample.hands:
        entry: dict[str, Any] = {"handedness": hand.handedness}
        entry |= {name: _rounded(getattr(hand, name)) for name in _ARRAYS}
        for name in _FLAGS:
            flags = getattr(hand, name)
            entry[name] = None if flags is None else np.asarray(flags, int).tolist()
        entry["mask"] = hand.mask is not None
        entry["hand_model"] = hand.hand_model
        entry["joint_convention"] = hand.joint_convention
        entry["tone"] = None if hand.tone is None else round(hand.tone, 3)
        entry["present"] = hand.present
        hands.append(entry)
    label = {"K": _rounded(sample.K), "hands": hands, "source": sample.source, "complete": sample.complete}
    members = [("jpg", image.tobytes()), ("json", json.dumps(label, separators=(",", ":")).encode())]
    if any(hand.mask is not None for hand in sample.hands):
        index = np.zeros(sample.image.shape[:2], np.uint8)
        best = np.full(index.shape, 127, np.uint8)
        for i, hand in enumerate(sample.hands):
            if hand.mask is not None:
                over = hand.mask > best
                index[over], best = i + 1, np.maximum(best, hand.mask)
        members.append(("mask.png", cv2.imencode(".png", index, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()))
    return members


def from_members(key: str, members: Mapping[str, bytes]) -> Sample:
    """The sample that `to_members` wrote; HandscopeError if these files are not one."""
    try:
        return _sample(key, members)
    except _BROKEN as problem:
        why = f"{type(problem).__name__}: {' '.join(str(problem).split())[:120]}"
        raise HandscopeError(f"{key}: not a labelled picture ({why}); make the shard again") from problem


def _sample(key: str, members: Mapping[str, bytes]) -> Sample:
    image = _decoded(members["jpg"], cv2.IMREAD_COLOR)
    label = json.loads(members["json"])
    index = _decoded(members["mask.png"], cv2.IMREAD_GRAYSCALE) if "mask.png" in members else None
    if index is not None and index.shape != image.shape[:2]:
        raise ValueError(f"a mask of shape {index.shape} for a picture of {image.shape[:2]}")
    return Sample(
        key=key,
        source=str(label["source"]),
        image=np.ascontiguousarray(image[..., ::-1], np.uint8),
        hands=tuple(_hand(entry, i, index) for i, entry in enumerate(label["hands"])),
        K=_array(label["K"], np.float64, (3, 3)),
        complete=bool(label["complete"]),
    )


def _decoded(content: bytes, flags: int) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None:
        raise ValueError(f"{len(content)} bytes that are no picture")
    return pixels.astype(np.uint8, copy=False)


def _hand(entry: Mapping[str, Any], i: int, index: NDArray[np.uint8] | None) -> HandLabel:
    """Hand number `i` of a picture with the masks `index`."""
    said: dict[str, Any] = {
        "handedness": entry["handedness"],
        "hand_model": entry.get("hand_model", OLDER_SHARDS),
        "joint_convention": entry.get("joint_convention", "anatomical"),
        "present": entry.get("present", True),
    }
    for name, value in said.items():
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} is {value!r}")
    mask = None
    if index is not None and entry.get("mask", True):
        mask = np.where(index == i + 1, 255, 0).astype(np.uint8)
    tone = entry.get("tone")
    arrays: dict[str, Any] = {name: _array(entry.get(name), np.float64, shape) for name, shape in _ARRAYS.items()}
    flags: dict[str, Any] = {name: _array(entry.get(name), bool, shape) for name, shape in _FLAGS.items()}
    return HandLabel(
        mask=mask,
        tone=None if tone is None else float(tone),
        frame=None,
        **said,
        **arrays,
        **flags,
    )


def _array(values: list[Any] | None, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any] | None:
    if values is None:
        return None
    array = np.array(values, dtype)
    if array.shape != shape:
        raise ValueError(f"an array of shape {array.shape} where {shape} belongs")
    return array


class ShardWriter:
    """Writes one shard; the file appears under its name when it is complete."""

    def __init__(self, path: str | Path) -> None:
        self._file = NewFile(path)
        self._tar = tarfile.open(self._file.path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def write(self, sample: Sample) -> None:
        """Append a sample; its bytes depend on nothing but the sample."""
        for suffix, content in to_members(sample):
            info = tarfile.TarInfo(f"{sample.key}.{suffix}")
            info.size, info.mode, info.mtime = len(content), 0o644, 0
            self._tar.addfile(info, io.BytesIO(content))

    def close(self) -> None:
        """Finish the file, write down its SHA-256, and give it its name: a shard is never younger than that."""
        self._tar.close()
        _write_digest(self._file.target, digest(self._file.path))
        self._file.finish()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        with suppress(OSError):  # a full disk: the first error is the one to tell
            self._tar.close()
        self._file.__exit__(kind, error, trace)


class ShardReader(Sequence[Sample]):
    """The samples of some shards, files or URLs, as one sequence; they are opened lazily, once per process, so forked
    workers are safe.
    """

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self.paths = [path if is_url(path) else Path(path) for path in paths]
        if not self.paths:
            raise HandscopeError("found no shards to read; expected at least one .tar file")
        self._entries: list[tuple[int, str, dict[str, tuple[int, int]]]] = []
        for number, path in enumerate(self.paths):
            self._entries += [(number, key, members) for key, members in read_index(path).items()]
        self._places: dict[int, Place] = {}
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def keys(self) -> list[str]:
        """The samples' keys in order."""
        return [key for _, key, _ in self._entries]

    def _place(self, shard: int) -> Place:
        if self._process != os.getpid():
            self._places, self._process = {}, os.getpid()
        return self._places.get(shard) or self._places.setdefault(shard, place_of(self.paths[shard]))

    def __getitem__(self, i: int) -> Sample:  # type: ignore[override]
        shard, key, members = self._entries[i]
        try:
            parts = self._place(shard).read(members.values())
        except OSError as problem:
            raise HandscopeError(f"{self.paths[shard]}: cannot be read ({problem.strerror})") from problem
        try:
            return from_members(key, dict(zip(members, parts, strict=True)))
        except HandscopeError as problem:
            raise HandscopeError(f"{self.paths[shard]}: {problem}") from problem

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_places": {}, "_process": -1}

    def __del__(self) -> None:
        for place in getattr(self, "_places", {}).values():
            place.close()


def read_index(path: Path | str) -> Index:
    """Where every member of a shard is; kept beside it and made anew when the shard has changed. HandscopeError if it
    is no shard.
    """
    with closing(place_of(path)) as place:
        stamp = place.stamp
        if (kept := _kept_index(place, stamp)) is not None:
            return kept
        samples = _index_of(place)
        if odd := next((key for key, members in samples.items() if not _is_sample(members, stamp[0])), None):
            raise HandscopeError(f"{path}: {odd} lacks its picture or label, or is cut short; make the shard again")
        place.write_beside(INDEX, json.dumps({"stamp": stamp, "samples": samples}, separators=(",", ":")))
        return samples


def _index_of(place: Place) -> Index:
    """Where every member is, from the shard itself."""
    samples: Index = {}
    try:
        with place.open() as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                if member.isreg():
                    samples.setdefault(key, {})[suffix] = (member.offset_data, member.size)
        if place.read([(max(place.size - len(_END), 0), len(_END))]) != [_END]:
            raise ValueError("its end is missing")
    except _BROKEN as problem:
        raise HandscopeError(f"{place}: not a readable tar file ({problem}); make the shard again") from problem
    return samples


def _kept_index(place: Place, stamp: list[int]) -> Index | None:
    """The index beside it, if it is one of a shard of this stamp; a store's is its size alone."""
    try:
        stored = json.loads(place.beside(INDEX))
        if stored["stamp"][: len(stamp)] != stamp:
            return None
        found = {key: {n: (o, s) for n, (o, s) in members.items()} for key, members in stored["samples"].items()}
        return found if all(_is_sample(members, stamp[0]) for members in found.values()) else None
    except (*_BROKEN, StoreError):  # there is none, or it is damaged
        return None


def _is_sample(members: Mapping[str, tuple[int, int]], end: int) -> bool:
    return members.keys() >= _NEEDED and all(min(o, s) >= 0 and o + s <= end for o, s in members.values())


def digest(path: str | Path) -> str:
    """SHA-256 of a shard."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_shard(path: Path) -> None:
    """HandscopeError unless the shard is what was written: by its SHA-256, or, of one that has none beside it, by
    reading every sample, once.
    """
    found = digest(path)
    beside = _digest_path(path)
    if beside.is_file():
        if beside.read_bytes().split()[:1] != [found.encode()]:
            raise HandscopeError(f"{path}: sha256 {found[:12]} is not what {beside.name} says; make the shard again")
        return
    reader = ShardReader([path])
    for i in range(len(reader)):
        reader[i]
    with suppress(HandscopeError):  # a read-only folder
        _write_digest(path, found)


def _digest_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _write_digest(path: Path, value: str) -> None:
    write_file(_digest_path(path), f"{value}  {path.name}\n")
