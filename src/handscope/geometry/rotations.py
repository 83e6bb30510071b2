"""Rotations in numpy: axis-angle and matrices (the torch side uses roma)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def axis_angle_to_matrix(rotvec: ArrayLike) -> NDArray[np.floating]:
    """Rodrigues' formula: axis-angle (..., 3) in radians to matrices (..., 3, 3), exact at zero."""
    rotvec = np.asarray(rotvec)
    if not np.issubdtype(rotvec.dtype, np.floating):
        rotvec = rotvec.astype(np.float64)
    square = (rotvec**2).sum(-1)[..., None, None]
    small = square < 1e-8
    safe = np.where(small, 1, square)
    angle = np.sqrt(safe)
    a = np.where(small, 1 - square / 6, np.sin(angle) / angle)
    b = np.where(small, 0.5 - square / 24, (1 - np.cos(angle)) / safe)
    x, y, z = rotvec[..., 0], rotvec[..., 1], rotvec[..., 2]
    skew = np.zeros((*rotvec.shape, 3), rotvec.dtype)
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -z, y, -x
    skew[..., 1, 0], skew[..., 2, 0], skew[..., 2, 1] = z, -y, x
    return (np.eye(3) + a * skew + b * (skew @ skew)).astype(rotvec.dtype, copy=False)


def matrix_to_quaternion(matrix: ArrayLike) -> NDArray[np.float64]:
    """Matrices (..., 3, 3) to unit quaternions (..., 4) as w, x, y, z with w >= 0; stable near half turns."""
    m = np.asarray(matrix, np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    diagonal = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], -1)
    largest = diagonal.argmax(-1)
    skew = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    candidates = [np.concatenate([1 + trace[..., None], skew], -1)]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        row = np.empty((*m.shape[:-2], 4))
        row[..., 0] = skew[..., i]
        row[..., 1 + i] = 1 + 2 * m[..., i, i] - trace
        row[..., 1 + j] = m[..., i, j] + m[..., j, i]
        row[..., 1 + k] = m[..., i, k] + m[..., k, i]
        candidates.append(row)
    quaternion = np.take_along_axis(np.stack(candidates, -2), largest[..., None, None], -2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: ArrayLike) -> NDArray[np.floating]:
    """Matrices (..., 3, 3) to axis-angle (..., 3), angles in [0, pi]; by quaternions, so stable near pi."""
    quaternion = matrix_to_quaternion(matrix)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternion[..., :1])
    factor = np.where(sine < 1e-9, 2.0, angle / np.where(sine < 1e-9, 1, sine))
    return quaternion[..., 1:] * factor


def rotation_between(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """The smallest rotation (3, 3) that takes direction `a` (3,) to direction `b` (3,); undefined for opposite ones."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine, cosine = np.linalg.norm(axis), float(a @ b)
    rotvec = axis / sine * np.arctan2(sine, cosine) if sine > 1e-12 else np.zeros(3)
    return axis_angle_to_matrix(rotvec).astype(np.float64, copy=False)
