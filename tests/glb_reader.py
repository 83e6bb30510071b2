"""A reader of our GLB files that shares no code with the writer: accessors, node transforms, skinning."""

from __future__ import annotations

import json
import struct

import numpy as np
from scipy.spatial.transform import Rotation

TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A file's tree and bytes; raises if the container is not as glTF 2.0 says."""

    def __init__(self, data: bytes) -> None:
        magic, version, total, length, kind = struct.unpack("<4sIII4s", data[:20])
        assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
        assert length % 4 == 0
        self.tree = json.loads(data[20 : 20 + length])
        rest = data[20 + length :]
        self.blob = b""
        if rest:
            size, kind = struct.unpack("<I4s", rest[:8])
            assert kind == b"BIN\0" and size % 4 == 0 and size == len(rest) - 8
            assert 0 <= size - self.tree["buffers"][0]["byteLength"] < 4
            self.blob = rest[8:]

    def array(self, index: int) -> np.ndarray:
        """An accessor's values (n, width), matrices as (n, 4, 4); bounds and minima are checked on the way."""
        accessor = self.tree["accessors"][index]
        view = self.tree["bufferViews"][accessor["bufferView"]]
        kind, width = np.dtype(TYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
        size = accessor["count"] * width * kind.itemsize
        assert view["byteOffset"] % 4 == 0 and size == view["byteLength"]
        assert view["byteOffset"] + size <= len(self.blob)
        part = self.blob[view["byteOffset"] : view["byteOffset"] + size]
        values = np.frombuffer(part, kind).reshape(-1, width)
        for bound, found in (("min", values.min(0)), ("max", values.max(0))):
            if bound in accessor:
                np.testing.assert_array_equal(np.array(accessor[bound], kind), found)
        return values.reshape(-1, 4, 4).transpose(0, 2, 1) if width == 16 else values

    def attribute(self, mesh: int, name: str) -> np.ndarray:
        return self.array(self.tree["meshes"][mesh]["primitives"][0]["attributes"][name])

    def world(self, pose: dict[int, dict[str, np.ndarray]] | None = None) -> np.ndarray:
        """World matrices (n, 4, 4) of all nodes; `pose` replaces their translations and rotations."""
        nodes = self.tree["nodes"]
        matrices = np.tile(np.eye(4), (len(nodes), 1, 1))
        for i, node in enumerate(nodes):
            own = {**node, **(pose or {}).get(i, {})}
            matrices[i, :3, :3] = Rotation.from_quat(own.get("rotation", [0, 0, 0, 1])).as_matrix()
            matrices[i, :3, 3] = own.get("translation", [0, 0, 0])

        def descend(i: int, above: np.ndarray) -> None:
            matrices[i] = above @ matrices[i]
            for child in nodes[i].get("children", []):
                descend(child, matrices[i])

        for root in self.tree["scenes"][0].get("nodes", []):
            descend(root, np.eye(4))
        return matrices

    def skinned(self, node: int = 0, pose: dict[int, dict[str, np.ndarray]] | None = None) -> np.ndarray:
        """The vertices (V, 3) of the mesh at `node` as a viewer shows them."""
        mesh, skin = self.tree["nodes"][node]["mesh"], self.tree["skins"][self.tree["nodes"][node]["skin"]]
        vertices = self.attribute(mesh, "POSITION")
        joints, weights = self.attribute(mesh, "JOINTS_0"), self.attribute(mesh, "WEIGHTS_0")
        move = self.world(pose)[skin["joints"]] @ self.array(skin["inverseBindMatrices"])
        blended = np.einsum("vk,vkab->vab", weights, move[joints])
        return np.einsum("vab,vb->va", blended, np.column_stack([vertices, np.ones(len(vertices))]))[:, :3]

    def frame(self, number: int) -> tuple[float, dict[int, dict[str, np.ndarray]]]:
        """Seconds and pose of a key frame of the first clip."""
        (clip,) = self.tree["animations"]
        pose: dict[int, dict[str, np.ndarray]] = {}
        for channel in clip["channels"]:
            sampler, target = clip["samplers"][channel["sampler"]], channel["target"]
            time = self.array(sampler["input"])[number, 0]
            pose.setdefault(target["node"], {})[target["path"]] = self.array(sampler["output"])[number]
        return float(time), pose
