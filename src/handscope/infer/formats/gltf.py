"""glTF 2.0 in its binary form (GLB), written by hand: one JSON tree, one block of bytes.

Every array becomes a buffer view and an accessor of its own, each on a multiple of four bytes.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.types import JsonValue

VERTICES, INDICES = 34962, 34963
"""What a buffer view is for (`target`)."""
COMPONENTS = {
    np.dtype(np.uint8): 5121,
    np.dtype(np.uint16): 5123,
    np.dtype(np.uint32): 5125,
    np.dtype(np.float32): 5126,
}
SHAPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


class Document:
    """Collects the parts of one file; each `add_...` returns the index by which others refer to the part."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "handscope"},
            "scene": 0,
            "scenes": [{}],
        }
        self.data = bytearray()

    def add(self, section: str, **part: JsonValue) -> int:
        """A part of `section` ("nodes", "meshes", ...)."""
        listed = self.tree.setdefault(section, [])
        listed.append(part)
        return len(listed) - 1

    def add_root(self, **node: JsonValue) -> int:
        """A node that stands in the scene itself."""
        index = self.add("nodes", **node)
        self.tree["scenes"][0].setdefault("nodes", []).append(index)
        return index

    def add_array(
        self, array: NDArray, *, target: int | None = None, bounds: bool = False, normalized: bool = False
    ) -> int:
        """An accessor for `array` (n, ...) of uint8, uint16, uint32 or float32; matrices are stored by columns."""
        array = np.asarray(array)
        stored = np.ascontiguousarray(array.transpose(0, 2, 1) if array.ndim == 3 else array)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": stored.nbytes}
        if target is not None:
            view["target"] = target
        self.data += stored.tobytes() + bytes(-stored.nbytes % 4)
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", **view),
            "componentType": COMPONENTS[array.dtype],
            "count": len(array),
            "type": SHAPES[array.shape[1:]],
        }
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor["min"] = np.atleast_1d(array.min(0)).tolist()
            accessor["max"] = np.atleast_1d(array.max(0)).tolist()
        return self.add("accessors", **accessor)

    def add_picture(self, content: bytes, media_type: str) -> int:
        """A texture of an encoded picture."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        self.data += content + bytes(-len(content) % 4)
        image = self.add("images", bufferView=self.add("bufferViews", **view), mimeType=media_type)
        return self.add("textures", source=image)

    def pack(self) -> bytes:
        """The file."""
        if self.data:
            self.tree["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(self.tree, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        if self.data:
            chunks += struct.pack("<I4s", len(self.data), b"BIN\0") + bytes(self.data)
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
