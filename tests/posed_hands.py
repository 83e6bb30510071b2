"""Hands of the shipped hand model before a camera, as the pipeline would give them."""

from __future__ import annotations

import cv2
import numpy as np

from handscope.geometry.camera import default_intrinsics, project
from handscope.geometry.masks import CroppedMask
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.infer.results import FoundHand


def posed_hand(width: int, height: int, handedness="right", centre=(0.0, 0.05, 0.45), curl=0.3, turn=0.0) -> FoundHand:
    """Back to the camera, fingers up, turned by `turn` radians in the picture; wrist at `centre` metres."""
    asset = load_asset()
    theta = np.zeros((15, 3))
    theta[:12] = curl * asset.axes[:12, 0]
    c, s = np.cos(turn), np.sin(turn)
    upwards = np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]])
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ upwards
    posed = pose_hand(asset, np.zeros((1, 10)), theta[None], R[None], np.array([centre]))
    flip = np.array([-1.0 if handedness == "left" else 1.0, 1, 1])
    vertices, joints = posed.vertices[0] * flip, posed.joints[0] * flip
    K = default_intrinsics(width, height)
    pixels, outline = project(joints, K), project(vertices, K)
    mask = np.zeros((height, width), np.uint8)
    for triangle in asset.faces:
        cv2.fillConvexPoly(mask, np.round(outline[triangle]).astype(np.int32), 1)
    return FoundHand(
        handedness=handedness,
        score=0.93,
        box=np.concatenate([pixels.min(0), pixels.max(0)]),
        joints_2d=pixels,
        joint_scores=np.linspace(1, 0.2, 21),
        cropped_mask=CroppedMask.of(mask.astype(bool)),
        joints_3d=joints,
        vertices=vertices,
        faces=asset.faces[:, ::-1] if handedness == "left" else asset.faces,
        theta=theta,
        beta=np.zeros(10),
        R=R,
        T=np.array(centre, float),
        K=K,
    )
