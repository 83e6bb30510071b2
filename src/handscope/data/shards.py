"""Labelled pictures in WebDataset shards: tar files that any tool can open, with random access.

Each sample is `{key}.jpg`, `{key}.json` (camera, hands, source) and, where masks are known,
`{key}.mask.png`: 0 for background, i + 1 for the visible part of hand i; antialiasing is dropped. What is
not known of a hand is null. Shards are named `{split}-{000000}.tar`; reading one writes the offsets of its
members beside it (`.tar.index`), so that sample i is one seek away.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.files import NewFile, write_file
from handscope.types import HandLabel, Sample

JPEG_QUALITY = 95
OLDER_SHARDS = "open"
"""Whose parameters shards of 0.5.0 hold, which do not say so: `handscope synth` alone wrote any."""
_ARRAYS = ("box", "joints_2d", "joints_3d", "theta", "beta", "R", "T")
_FLAGS = ("joints_2d_known", "joints_3d_known", "visible")


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


def from_members(key: str, members: dict[str, bytes]) -> Sample:
    """The sample that `to_members` wrote."""
    image = cv2.imdecode(np.frombuffer(members["jpg"], np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise HandscopeError(f"{key}.jpg: not a readable JPEG; make the shard again")
    label = json.loads(members["json"])
    index = (
        cv2.imdecode(np.frombuffer(members["mask.png"], np.uint8), cv2.IMREAD_GRAYSCALE)
        if "mask.png" in members
        else None
    )
    hands = []
    for i, entry in enumerate(label["hands"]):
        arrays = {name: _array(entry.get(name), np.float64) for name in _ARRAYS}
        flags = {name: _array(entry.get(name), bool) for name in _FLAGS}
        mask = None
        if index is not None and entry.get("mask", True):
            mask = np.where(index == i + 1, 255, 0).astype(np.uint8)
        hands.append(
            HandLabel(
                handedness=entry["handedness"],
                mask=mask,
                hand_model=entry.get("hand_model", OLDER_SHARDS),
                joint_convention=entry.get("joint_convention", "anatomical"),
                tone=entry.get("tone"),
                frame=None,
                present=entry.get("present", True),
                **arrays,
                **flags,
            )
        )
    return Sample(
        key=key,
        source=label["source"],
        image=np.ascontiguousarray(image[..., ::-1], np.uint8),
        hands=tuple(hands),
        K=_array(label["K"], np.float64),
        complete=label["complete"],
    )


def _array(values: list[Any] | None, dtype: Any) -> NDArray[Any] | None:
    return None if values is None else np.array(values, dtype)


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
        """Finish the file and give it its name."""
        self._tar.close()
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
    """The samples of some shards as one sequence; files are opened lazily, once per process, so forked
    workers are safe.
    """

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self.paths = [Path(p) for p in paths]
        if not self.paths:
            raise HandscopeError("found no shards to read; expected at least one .tar file")
        self._entries: list[tuple[int, str, dict[str, tuple[int, int]]]] = []
        for number, path in enumerate(self.paths):
            self._entries += [(number, key, members) for key, members in read_index(path).items()]
        self._files: dict[int, BinaryIO] = {}
        self._lock = Lock()
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def keys(self) -> list[str]:
        """The samples' keys in order."""
        return [key for _, key, _ in self._entries]

    def _read(self, shard: int, places: Iterable[tuple[int, int]]) -> list[bytes]:
        """The bytes at offsets of so many bytes; one thread at a time moves the file's own place."""
        if self._process != os.getpid():
            self._files, self._process, self._lock = {}, os.getpid(), Lock()
        with self._lock:
            if shard not in self._files:
                self._files[shard] = self.paths[shard].open("rb")
            file, parts = self._files[shard], []
            for offset, size in places:
                file.seek(offset)
                parts.append(file.read(size))
        return parts

    def __getitem__(self, i: int) -> Sample:  # type: ignore[override]
        shard, key, members = self._entries[i]
        return from_members(key, dict(zip(members, self._read(shard, members.values()), strict=True)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"} | {
            "_files": {},
            "_process": -1,
        }

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            file.close()


def read_index(path: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Offset and size of every member by key and suffix; kept beside the shard and made anew when the shard
    has changed.
    """
    if not path.is_file():
        raise HandscopeError(f"{path}: no such shard")
    stamp = [path.stat().st_size, path.stat().st_mtime_ns]
    beside = path.with_name(path.name + ".index")
    if beside.is_file():
        stored = json.loads(beside.read_text(encoding="utf-8"))
        if stored["stamp"] == stamp:
            return {key: {n: (o, s) for n, (o, s) in members.items()} for key, members in stored["samples"].items()}
    samples: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                samples.setdefault(key, {})[suffix] = (member.offset_data, member.size)
    except tarfile.TarError as problem:
        raise HandscopeError(f"{path}: not a readable tar file ({problem}); make the shard again") from problem
    with suppress(HandscopeError):  # a read-only folder: the index is made again next time
        write_file(beside, json.dumps({"stamp": stamp, "samples": samples}, separators=(",", ":")))
    return samples
