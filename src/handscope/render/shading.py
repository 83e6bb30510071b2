"""Light on skin: what every rendered sample looks like.

Distant light from all sides (a handful of directions, each with its own depth map of the scene) is gathered
at the vertices: that one mechanism gives soft shadow, ambient occlusion, contact darkening and colour bled
from skin to skin. Key lights are evaluated per pixel, the first with a soft shadow map. Skin is Lambertian
with the terminator widened in red (light that travels under the skin), two lobes of shine, and relief that
tilts the normal along the mesh's own texture frame, so that it follows bent fingers. Colours are linear;
directions are unit vectors from the surface to the light, camera frame.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import no_type_check

import numba as nb
import numpy as np

from handscope.render.raster import JIT, fill_depth

HAND_SKIN, ARM_SKIN, CLOTH = 0, 1, 2
"""Kinds of surface. Hand and arm have skin maps; cloth stands for anything with a plain colour texture."""

NAIL, CREASE, PALM, RED, MOTTLE, VEIN, SLOPE_U, SLOPE_V = range(8)
"""Channels of a skin map (s, s, 8) uint8; slopes are the relief's differences per texel, 128 = level."""

SKIN_FIELDS = (
    "tone",
    "palm",
    "nail",
    "crease",
    "red",
    "mottle",
    "vein",
    "relief",
    "shine",
    "gloss",
    "polish",
)
TONE_AT, PALM_AT, NAIL_AT, CREASE_AT, RED_AT, MOTTLE_AT, VEIN_AT, RELIEF_AT, SHINE_AT, GLOSS_AT, POLISH_AT = (
    0, 3, 6, 9, 10, 11, 12, 13, 14, 15, 16,
)  # fmt: skip
SKIN_LENGTH = 17
"""Layout of a surface's `material`: three colours, then scalars; cloth uses shine and gloss only."""


@nb.njit(**JIT)
@no_type_check
def light_frame(direction):
    """Rows (3, 3): right, down and away from the light along `direction` (3,)."""
    frame = np.empty((3, 3), np.float32)
    pivot = 0 if abs(direction[0]) < 0.6 else 1
    ux = 1.0 if pivot == 0 else 0.0
    uy = 1.0 - ux
    ax = uy * direction[2]
    ay = -ux * direction[2]
    az = ux * direction[1] - uy * direction[0]
    length = 1.0 / sqrt(ax * ax + ay * ay + az * az)
    frame[0, 0], frame[0, 1], frame[0, 2] = ax * length, ay * length, az * length
    frame[1, 0] = direction[1] * frame[0, 2] - direction[2] * frame[0, 1]
    frame[1, 1] = direction[2] * frame[0, 0] - direction[0] * frame[0, 2]
    frame[1, 2] = direction[0] * frame[0, 1] - direction[1] * frame[0, 0]
    for k in range(3):
        frame[2, k] = -direction[k]
    return frame


@nb.njit(**JIT)
@no_type_check
def shadow_map(vertices, faces, direction, centre, radius, size):
    """Depth (size, size) seen from a distant light, of the ball (centre, radius); and the map (3, 4) from
    camera metres.
    """
    frame = light_frame(direction)
    scale = (size - 3) / (2.0 * radius)
    to_map = np.empty((3, 4), np.float32)
    for r in range(3):
        s = scale if r < 2 else 1.0
        shift = 0.0
        for k in range(3):
            to_map[r, k] = frame[r, k] * s
            shift -= frame[r, k] * centre[k]
        to_map[r, 3] = shift * s + (0.5 * (size - 1) if r < 2 else 0.0)
    points = np.empty((vertices.shape[0], 3), np.float32)
    for i in range(vertices.shape[0]):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        for r in range(3):
            points[i, r] = to_map[r, 0] * x + to_map[r, 1] * y + to_map[r, 2] * z + to_map[r, 3]
    depth = np.full((size, size), np.float32(1e9), np.float32)
    fill_depth(points, faces, depth)
    return depth, to_map


@nb.njit(inline="always", **JIT)
@no_type_check
def lit_share(depth, to_map, x, y, z, bias):
    """Share of light that reaches the point: bilinear over the four nearest texels; 1 outside the map."""
    size = depth.shape[0]
    u = to_map[0, 0] * x + to_map[0, 1] * y + to_map[0, 2] * z + to_map[0, 3]
    v = to_map[1, 0] * x + to_map[1, 1] * y + to_map[1, 2] * z + to_map[1, 3]
    if u < 0 or v < 0 or u >= size - 1 or v >= size - 1:
        return 1.0
    d = to_map[2, 0] * x + to_map[2, 1] * y + to_map[2, 2] * z + to_map[2, 3] - bias
    i, j = int(v), int(u)
    fv, fu = v - i, u - j
    top = (1 - fu) * (1.0 if depth[i, j] >= d else 0.0) + fu * (1.0 if depth[i, j + 1] >= d else 0.0)
    low = (1 - fu) * (1.0 if depth[i + 1, j] >= d else 0.0) + fu * (1.0 if depth[i + 1, j + 1] >= d else 0.0)
    return (1 - fv) * top + fv * low


@nb.njit(**JIT)
@no_type_check
def gather(vertices, normals, faces, directions, radiance, bounce, centre, radius, size):
    """Irradiance over pi (v, 3) and openness (v,) at every vertex, from distant light `radiance` (k, 3) out
    of `directions` (k, 3).

    Directions share the sphere evenly; vertices turned well away from the camera stay dark. What is hidden
    sends `bounce` (3,) times the mean radiance instead.
    """
    count = directions.shape[0]
    light = np.zeros((vertices.shape[0], 4), np.float32)
    mean = np.zeros(3, np.float32)
    for k in range(count):
        for c in range(3):
            mean[c] += radiance[k, c] / count
    texel = 2.0 * radius / size
    hidden = np.empty(vertices.shape[0], np.bool_)
    for i in range(vertices.shape[0]):  # what looks well away from the camera is not rendered
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        away = normals[i, 0] * x + normals[i, 1] * y + normals[i, 2] * z
        hidden[i] = away > 0.45 * sqrt(x * x + y * y + z * z)
    for k in range(count):
        depth, to_map = shadow_map(vertices, faces, directions[k], centre, radius, size)
        dx, dy, dz = directions[k, 0], directions[k, 1], directions[k, 2]
        for i in range(vertices.shape[0]):
            nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
            cosine = nx * dx + ny * dy + nz * dz
            if cosine < -0.3 or hidden[i]:
                continue
            lift = texel * (1.2 if cosine > 0 else 1.8)
            lit = lit_share(
                depth,
                to_map,
                vertices[i, 0] + lift * nx,
                vertices[i, 1] + lift * ny,
                vertices[i, 2] + lift * nz,
                0.4 * texel,
            )
            for c in range(3):
                wrap = 0.25 if c == 0 else (0.10 if c == 1 else 0.06)
                share = max((cosine + wrap) / (1 + wrap), 0.0) / (1 + wrap)
                light[i, c] += 4.0 / count * share * (lit * radiance[k, c] + (1 - lit) * bounce[c] * mean[c])
            light[i, 3] += 4.0 / count * max(cosine, 0.0) * lit
    return light


@nb.njit(inline="always", **JIT)
@no_type_check
def soft_shadow(depth, to_map, x, y, z, spread, bias):
    """Mean of nine lookups `spread` texels apart."""
    size = depth.shape[0]
    u = to_map[0, 0] * x + to_map[0, 1] * y + to_map[0, 2] * z + to_map[0, 3]
    v = to_map[1, 0] * x + to_map[1, 1] * y + to_map[1, 2] * z + to_map[1, 3]
    d = to_map[2, 0] * x + to_map[2, 1] * y + to_map[2, 2] * z + to_map[2, 3] - bias
    total = 0.0
    for p in range(-1, 2):
        for q in range(-1, 2):
            i, j = int(v + p * spread + 0.3 * q * spread + 0.5), int(u + q * spread - 0.3 * p * spread + 0.5)
            if i < 0 or j < 0 or i >= size or j >= size or depth[i, j] >= d:
                total += 1.0
    return total / 9.0


@nb.njit(inline="always", **JIT)
@no_type_check
def sample_map(image, u, v, out):
    """Bilinear lookup of a skin map (s, s, 8) uint8 at texture coordinates, clamped, into `out` (8,) in [0,
    1].
    """
    size = image.shape[0]
    x, y = min(max(u * size - 0.5, 0.0), size - 1.001), min(max((1 - v) * size - 0.5, 0.0), size - 1.001)
    j, i = int(x), int(y)
    fx, fy = x - j, y - i
    wa, wb, wc, wd = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    for c in range(8):
        value = image[i, j, c] * wa + image[i, j + 1, c] * wb + image[i + 1, j, c] * wc + image[i + 1, j + 1, c] * wd
        out[c] = value * (1.0 / 255.0)


@nb.njit(inline="always", **JIT)
@no_type_check
def sample_cloth(image, u, v, out):
    """Bilinear lookup of a colour texture (s, s, 3), repeated, into `out` (3,)."""
    size = image.shape[0]
    x, y = (u - np.floor(u)) * size, (v - np.floor(v)) * size
    j, i = int(x), int(y)
    fx, fy = x - j, y - i
    i, j = i % size, j % size
    k, m = (i + 1) % size, (j + 1) % size
    for c in range(3):
        top = image[i, j, c] * (1 - fx) + image[i, m, c] * fx
        out[c] = top * (1 - fy) + (image[k, j, c] * (1 - fx) + image[k, m, c] * fx) * fy


@nb.njit(inline="always", **JIT)
@no_type_check
def skin_albedo(marks, skin, albedo):
    """Colour of skin with `marks` (8,) from its map, for a person's `skin` vector, into `albedo` (3,)."""
    palm, nail = marks[PALM], marks[NAIL]
    for c in range(3):
        tone = skin[TONE_AT + c] * (1 - palm) + skin[PALM_AT + c] * palm
        tone *= 1 + (marks[MOTTLE] - 0.5) * skin[MOTTLE_AT] * (0.7 if c == 0 else 1.1)
        tone *= 1 - marks[RED] * skin[RED_AT] * (0.04 if c == 0 else (0.40 if c == 1 else 0.36))
        tone *= 1 - marks[CREASE] * skin[CREASE_AT] * (0.30 if c == 0 else (0.52 if c == 1 else 0.55))
        tone *= 1 - marks[VEIN] * skin[VEIN_AT] * (0.22 if c == 0 else (0.13 if c == 1 else 0.04))
        albedo[c] = tone * (1 - nail) + skin[NAIL_AT + c] * nail


@nb.njit(inline="always", **JIT)
@no_type_check
def shade_sample(t, b, c, scene, lights, out):
    """Radiance (3,) into `out` at weights `b`, `c` of the second and third corner of face `t`."""
    (
        vertices,
        normals,
        light,
        faces,
        corners,
        group_of,
        kinds,
        skins,
        texture_of,
        hand_map,
        arm_map,
        cloths,
    ) = scene
    directions, powers, depth, to_map, spread, ambient, marks, albedo = lights
    i0, i1, i2 = faces[t, 0], faces[t, 1], faces[t, 2]
    a = 1 - b - c
    x = a * vertices[i0, 0] + b * vertices[i1, 0] + c * vertices[i2, 0]
    y = a * vertices[i0, 1] + b * vertices[i1, 1] + c * vertices[i2, 1]
    z = a * vertices[i0, 2] + b * vertices[i1, 2] + c * vertices[i2, 2]
    nx = a * normals[i0, 0] + b * normals[i1, 0] + c * normals[i2, 0]
    ny = a * normals[i0, 1] + b * normals[i1, 1] + c * normals[i2, 1]
    nz = a * normals[i0, 2] + b * normals[i1, 2] + c * normals[i2, 2]
    u = a * corners[t, 0, 0] + b * corners[t, 1, 0] + c * corners[t, 2, 0]
    v = a * corners[t, 0, 1] + b * corners[t, 1, 1] + c * corners[t, 2, 1]
    extra = a * corners[t, 0, 2] + b * corners[t, 1, 2] + c * corners[t, 2, 2]
    group = group_of[t]
    kind = kinds[group]
    skin = skins[group]
    open_sky = a * light[i0, 3] + b * light[i1, 3] + c * light[i2, 3]
    nail = 0.0
    if kind == CLOTH:
        sample_cloth(cloths[texture_of[group]], u, v, albedo)
        for k in range(3):
            albedo[k] *= extra
    else:
        if kind == HAND_SKIN:
            size = hand_map.shape[0]
            sample_map(hand_map, u, v, marks)
        else:
            size = arm_map.shape[0]
            sample_map(arm_map, u - np.floor(u), v - np.floor(v), marks)
            marks[PALM] = extra
        skin_albedo(marks, skin, albedo)
        nail = marks[NAIL]
        # tilt the normal against the relief's gradient on the surface
        e1x, e1y, e1z = (
            vertices[i1, 0] - vertices[i0, 0],
            vertices[i1, 1] - vertices[i0, 1],
            vertices[i1, 2] - vertices[i0, 2],
        )
        e2x, e2y, e2z = (
            vertices[i2, 0] - vertices[i0, 0],
            vertices[i2, 1] - vertices[i0, 1],
            vertices[i2, 2] - vertices[i0, 2],
        )
        fx, fy, fz = e1y * e2z - e1z * e2y, e1z * e2x - e1x * e2z, e1x * e2y - e1y * e2x
        inverse = 1.0 / (fx * fx + fy * fy + fz * fz + 1e-18)
        slope_u = (marks[SLOPE_U] - 128.0 / 255.0) * size * skin[RELIEF_AT] * (1 - nail)
        slope_v = -(marks[SLOPE_V] - 128.0 / 255.0) * size * skin[RELIEF_AT] * (1 - nail)
        g1 = slope_u * (corners[t, 1, 0] - corners[t, 0, 0]) + slope_v * (corners[t, 1, 1] - corners[t, 0, 1])
        g2 = slope_u * (corners[t, 2, 0] - corners[t, 0, 0]) + slope_v * (corners[t, 2, 1] - corners[t, 0, 1])
        gx = (g1 * (e2y * fz - e2z * fy) + g2 * (fy * e1z - fz * e1y)) * inverse
        gy = (g1 * (e2z * fx - e2x * fz) + g2 * (fz * e1x - fx * e1z)) * inverse
        gz = (g1 * (e2x * fy - e2y * fx) + g2 * (fx * e1y - fy * e1x)) * inverse
        steep = gx * gx + gy * gy + gz * gz
        damp = 1.0 / sqrt(1.0 + steep)
        nx, ny, nz = nx - gx * damp, ny - gy * damp, nz - gz * damp
    length = 1.0 / sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    nx, ny, nz = nx * length, ny * length, nz * length
    away = -1.0 / sqrt(x * x + y * y + z * z)
    vx, vy, vz = x * away, y * away, z * away
    facing = max(nx * vx + ny * vy + nz * vz, 0.0)
    rim = 1 - facing
    fresnel = 0.03 + 0.6 * rim * rim * rim * rim * rim
    shine, gloss = skin[SHINE_AT] * (1 + skin[POLISH_AT] * nail), skin[GLOSS_AT] * (1 + 2 * nail)
    if kind != CLOTH:
        shine *= 1 - 0.6 * marks[CREASE]
    for k in range(3):
        ambient_k = a * light[i0, k] + b * light[i1, k] + c * light[i2, k]
        out[k] = albedo[k] * ambient_k + fresnel * shine * open_sky * ambient[k]
    for q in range(directions.shape[0]):
        cosine = nx * directions[q, 0] + ny * directions[q, 1] + nz * directions[q, 2]
        if cosine < -0.35:
            continue
        shadow = open_sky if open_sky < 1 else 1.0
        if q == 0:
            shadow = soft_shadow(depth, to_map, x, y, z, spread, 0.003)
        lobe = 0.0
        if cosine > 0:
            hx, hy, hz = directions[q, 0] + vx, directions[q, 1] + vy, directions[q, 2] + vz
            half = 1.0 / sqrt(hx * hx + hy * hy + hz * hz + 1e-12)
            aligned = max((nx * hx + ny * hy + nz * hz) * half, 0.0)
            lobe = (
                shadow
                * shine
                * 0.03
                * ((gloss + 8) * exp(gloss * (aligned - 1)) + 0.35 * (4 * gloss + 8) * exp(4 * gloss * (aligned - 1)))
            )
        for k in range(3):
            wrap = 0.0 if kind == CLOTH else (0.30 if k == 0 else (0.12 if k == 1 else 0.08))
            diffuse = max((cosine + wrap) / (1 + wrap), 0.0) / (1 + wrap)
            soft = sqrt(shadow) if k == 0 and kind != CLOTH else shadow
            out[k] += powers[q, k] * (albedo[k] * diffuse * soft + lobe)


@nb.njit(**JIT)
@no_type_check
def resolve(depth, face, weights, factor, instance_of, hands, scene, lights):
    """Shade and average to pixels: colour (h, w, 3) weighted by coverage, coverage (h, w), coverage of each
    hand (n, h, w).

    Inside one smooth surface one sample stands for its pixel; at edges every sample is shaded.
    `instance_of` (groups,) is the hand a group of faces belongs to, or -1.
    """
    height, width = depth.shape[0] // factor, depth.shape[1] // factor
    colour = np.zeros((height, width, 3), np.float32)
    cover = np.zeros((height, width), np.float32)
    per_hand = np.zeros((hands, height, width), np.float32)
    group_of = scene[5]
    out = np.zeros(3, np.float32)
    share = 1.0 / (factor * factor)
    for y in range(height):
        for x in range(width):
            nearest, farthest = np.inf, 0.0
            group, mixed, hit = -2, False, 0
            for i in range(factor):
                for j in range(factor):
                    t = face[y * factor + i, x * factor + j]
                    g = -1 if t < 0 else group_of[t]
                    if group == -2:
                        group = g
                    mixed = mixed or g != group
                    if g >= 0:
                        hit += 1
                        d = depth[y * factor + i, x * factor + j]
                        nearest, farthest = min(nearest, d), max(farthest, d)
                        if instance_of[g] >= 0:
                            per_hand[instance_of[g], y, x] += share
            if hit == 0:
                continue
            cover[y, x] = hit * share
            if not mixed and farthest - nearest < 0.004:
                i, j = y * factor + (factor - 1) // 2, x * factor + (factor - 1) // 2
                shade_sample(face[i, j], weights[i, j, 0], weights[i, j, 1], scene, lights, out)
                for k in range(3):
                    colour[y, x, k] = out[k]
                continue
            for i in range(y * factor, (y + 1) * factor):
                for j in range(x * factor, (x + 1) * factor):
                    if face[i, j] >= 0:
                        shade_sample(face[i, j], weights[i, j, 0], weights[i, j, 1], scene, lights, out)
                        for k in range(3):
                            colour[y, x, k] += min(out[k], 4.0) * share
    return colour, cover, per_hand
