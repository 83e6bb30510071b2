"""How hands, light and camera look: skin of a person, lamps and surroundings, and what a sensor makes of
it.

Colours are linear RGB unless called sRGB. Skin tones are photographs' averages from light to dark (Monk's
scale is the guide), with the palm paler than the back the darker the skin is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import sqrt
from typing import no_type_check

import cv2
import numba as nb
import numpy as np
from numpy.typing import NDArray

from handscope.render.raster import JIT
from handscope.render.shading import SKIN_LENGTH

Float32 = NDArray[np.floating]

TONES_SRGB = np.array(
    [[247, 222, 205], [243, 207, 184], [236, 196, 166], [224, 177, 145], [206, 156, 122], [184, 131, 98],
     [158, 107, 77], [128, 84, 59], [101, 66, 48], [77, 51, 39], [60, 42, 34]]
) / 255.0  # fmt: skip
PALM_SRGB = np.array([228, 178, 152]) / 255.0
TO_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
"""8-bit sRGB to linear, by the plain power the renderer uses both ways."""


@cache
def skin_maps() -> dict[int, NDArray[np.uint8]]:
    """The hand's skin maps (s, s, 8) uint8 at sides 1024, 512 and 256; channels as `render.shading` names
    them.
    """
    with (
        resources.as_file(resources.files("handscope.hand") / "data" / "hand_right_skin.npz") as path,
        np.load(path) as data,
    ):
        maps = {name: data[name].astype(np.float32) for name in data.files}
    levels = {}
    for size in (1024, 512, 256):
        level = {k: cv2.resize(v, (size, size), interpolation=cv2.INTER_AREA) for k, v in maps.items()}
        levels[size] = _pack(level, size)
    return levels


SLOPE_GAIN = 2.0


def _pack(maps: dict[str, Float32], size: int) -> NDArray[np.uint8]:
    relief = maps["relief"]
    # flat where the map ends
    across = np.where((relief > 1) & (np.roll(relief, -1, 1) > 1), np.roll(relief, -1, 1) - relief, 0)
    down = np.where((relief > 1) & (np.roll(relief, -1, 0) > 1), np.roll(relief, -1, 0) - relief, 0)
    slopes = [np.clip(128 + SLOPE_GAIN * s, 0, 255) for s in (across, down)]
    planes = [maps[k] for k in ("nail", "crease", "palm", "red", "mottle", "vein")] + slopes
    return np.ascontiguousarray(np.stack(planes, -1).round().astype(np.uint8))


@cache
def arm_map(size: int = 256) -> NDArray[np.uint8]:
    """A repeating skin map for forearms: mottling, fine relief, faint veins and hair-thin dark strokes."""
    rng = np.random.default_rng(77)

    def band(low: float, high: float) -> Float32:
        spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
        frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
        octaves = np.log(frequency + 1e-6) - np.log(np.sqrt(low * high))
        image = np.fft.irfft2(spectrum * np.exp(-(octaves**2) / (0.5 * np.log(high / low) ** 2)))
        return (image / image.std()).astype(np.float32)

    mottle = 0.5 + 0.10 * band(2, 6) + 0.07 * band(8, 20) + 0.04 * band(30, 70)
    vein = np.clip(1 - np.abs(band(1, 4)) / 0.12, 0, 1) * 0.5
    hair = np.zeros((3 * size, 3 * size), np.float32)
    for _ in range(150):
        start = rng.uniform(size, 2 * size, 2)
        end = start + rng.normal([0, 1], 0.35) * rng.uniform(6, 16)
        for dx in (-size, 0, size):
            for dy in (-size, 0, size):
                a, b = (tuple(int(16 * v) for v in p + np.array([dx, dy])) for p in (start, end))
                cv2.line(hair, a, b, 0.4, 1, cv2.LINE_AA, 4)
    zero = np.zeros((size, size), np.float32)
    maps = {
        "nail": zero,
        "crease": hair[size : 2 * size, size : 2 * size],
        "palm": zero,
        "red": 0.2 + 0.2 * band(2, 5),
        "mottle": mottle,
        "vein": vein,
        "relief": 0.5 + 0.018 * band(40, 90) + 0.03 * vein,
    }
    return _pack({k: np.clip(v, 0, 1) * 255 for k, v in maps.items()}, size)


def sample_skin(rng: np.random.Generator) -> Float32:
    """A person's skin vector (`SKIN_LENGTH`,): colours of back, palm and nails, strengths of the maps,
    shine.
    """
    darkness = rng.uniform(0, 10) if rng.random() < 0.45 else float(np.clip(rng.normal(3.6, 1.7), 0, 10))
    low = int(darkness)
    high = min(low + 1, len(TONES_SRGB) - 1)
    srgb = TONES_SRGB[low] * (1 - darkness + low) + TONES_SRGB[high] * (darkness - low)
    # blood and tan: redder, yellower or greyer than the mean of the tone
    srgb = (
        srgb * (1 + rng.normal(0, 0.05))
        + np.array([0.6, -0.5, -0.4]) * rng.normal(0, 0.03)
        + np.array([0.2, 0.1, -0.9]) * rng.normal(0, 0.03)
    )
    paler = np.clip(0.20 + 0.06 * darkness + rng.normal(0, 0.1), 0.05, 0.85)
    palm = srgb * (1 - paler) + PALM_SRGB * paler * (1 - 0.035 * darkness)
    nail = 0.55 * srgb + 0.45 * palm + np.array([0.04, 0.0, 0.0])
    polish = 0.0
    if rng.random() < 0.12:
        hue = np.array([[[rng.integers(180), rng.integers(80, 255), rng.integers(40, 255)]]], np.uint8)
        nail = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0] / 255.0
        polish = rng.uniform(1, 6)
    linear = [np.clip(c, 0.01, 1) ** 2.2 for c in (srgb, palm, nail)]
    skin = np.empty(SKIN_LENGTH, np.float32)
    skin[:9] = np.concatenate(linear)
    skin[9:] = (
        rng.uniform(0.35, 1.1),  # creases
        rng.uniform(0.1, 0.9) * (1 - 0.05 * darkness),  # redness
        rng.uniform(0.1, 0.55),  # mottling
        rng.uniform(0.0, 0.8) ** 1.5 * (1 - 0.06 * darkness),  # veins
        rng.uniform(0.0002, 0.0011) / SLOPE_GAIN,  # relief, m
        rng.uniform(0.05, 0.75) ** 1.6,  # shine
        rng.uniform(6, 30),  # gloss
        polish,
    )
    return skin


def sample_glove(rng: np.random.Generator) -> Float32:
    """A skin vector (`SKIN_LENGTH`,) that looks like rubber, wool or leather: one colour, no nails, no veins."""
    hue = np.array([[[rng.integers(180), rng.integers(0, 230), rng.integers(20, 250)]]], np.uint8)
    colour = np.clip(cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0] / 255.0, 0.02, 1) ** 2.2
    glove = np.zeros(SKIN_LENGTH, np.float32)
    glove[:9] = np.tile(colour, 3)
    glove[9:] = (
        rng.uniform(0.2, 0.9),  # creases
        0.0,
        rng.uniform(0.0, 0.3),  # mottling
        0.0,
        rng.uniform(0.0, 0.0005) / SLOPE_GAIN,  # relief, m
        rng.uniform(0.0, 0.9) ** 1.6,  # shine
        rng.uniform(4, 40),  # gloss
        0.0,
    )
    return glove


def tone_of(skin: Float32) -> float:
    """Where a skin vector lies between the lightest tone, 0, and the darkest, 10, by the lightness of its back."""
    lightness = np.array([0.2126, 0.7152, 0.0722])  # of linear red, green, blue
    of_tones = (TONES_SRGB**2.2) @ lightness
    return float(np.interp(-(skin[:3] @ lightness), -of_tones, np.arange(len(of_tones))))


def cloth_surface(rng: np.random.Generator) -> Float32:
    """Parameter vector of a surface with a colour texture: its shine only."""
    skin = np.zeros(SKIN_LENGTH, np.float32)
    skin[14], skin[15] = (
        (rng.uniform(0, 0.15), 8) if rng.random() < 0.7 else (rng.uniform(0.2, 1.0), rng.uniform(15, 60))
    )
    return skin


@dataclass(frozen=True)
class Lighting:
    """Distant light: `directions` (k, 3) share the sphere evenly and send `radiance` (k, 3); key lamps lie in
    directions `lamps` (q, 3) with `powers` (q, 3); `softness` of the first lamp's shadow in m at the hand."""

    directions: Float32
    radiance: Float32
    lamps: Float32
    powers: Float32
    softness: float


@cache
def even_directions(count: int) -> NDArray[np.float64]:
    """`count` directions spread evenly over the sphere (Fibonacci lattice)."""
    i = np.arange(count) + 0.5
    z, angle = 1 - 2 * i / count, np.pi * (1 + np.sqrt(5)) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], -1)


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A uniformly random rotation (3, 3), from a random unit quaternion."""
    w, x, y, z = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _direction(rng: np.random.Generator, up: float, towards_camera: float) -> NDArray[np.float64]:
    d = rng.standard_normal(3) + np.array([0.0, -up, -towards_camera])  # y points down, the camera looks along +z
    return d / np.linalg.norm(d)


def sample_lighting(rng: np.random.Generator, surroundings: NDArray[np.floating], *, count: int = 12) -> Lighting:
    """Light of a room or the open air, tinted by the `surroundings` (3,): the background's mean linear
    colour.
    """
    directions = even_directions(count) @ random_rotation(rng).T
    tint = surroundings / max(surroundings.mean(), 1e-3)
    tint = 1 + (np.clip(tint, 0.5, 1.8) - 1) * rng.uniform(0, 0.6)
    warmth = rng.normal(0, 0.10)
    sky = np.array([1 - warmth, 1, 1 + warmth]) * rng.uniform(0.35, 1.1)
    ground = tint * rng.uniform(0.1, 0.7)
    height = 0.5 - 0.5 * directions[:, 1:2]
    radiance = ground + (sky - ground) * height
    for _ in range(int(rng.integers(0, 4))):  # windows, bright walls
        lobe = np.exp(rng.uniform(1.5, 7) * (directions @ _direction(rng, 0.7, 0.4) - 1))[:, None]
        radiance = radiance + lobe * rng.uniform(0.3, 2.5) * (1 + rng.normal(0, 0.08, 3))
    lamps = int(rng.choice([0, 1, 1, 1, 2, 2]))
    kind = rng.random()
    where = [_direction(rng, 0.9, 0.7 if kind < 0.8 else -0.8) for _ in range(max(lamps, 1))]
    colour = np.array([1 + warmth, 1, 1 - warmth])
    powers = np.stack([rng.uniform(0.25, 1.5) * colour * (1 + rng.normal(0, 0.04, 3)) for _ in where])
    if lamps == 0:
        powers *= 0.0
    # what a grey card facing the camera and the light would receive, brought to a common exposure
    received = radiance.mean(0).mean() + 0.45 * powers.sum(0).mean()
    exposure = float(np.exp(rng.normal(-0.12, 0.28)))
    extreme = rng.random()
    if extreme < 0.05:
        exposure *= rng.uniform(0.12, 0.45)  # against the light
    elif extreme < 0.12:
        exposure *= rng.uniform(1.4, 2.4)  # burnt out
    gain = exposure / received
    as32 = lambda a: np.ascontiguousarray(a, np.float32)  # noqa: E731
    return Lighting(
        as32(directions),
        as32(radiance * gain),
        as32(where),
        as32(powers * gain),
        float(rng.uniform(0.001, 0.012)),
    )


@dataclass(frozen=True)
class Sensor:
    """What lens, sensor and file format do to a picture; all strengths are for this picture."""

    blur_px: float
    motion_px: float
    motion_angle: float
    shrink: float
    gains: tuple[float, float, float]
    exposure: float
    contrast: float
    saturation: float
    gamma: float
    noise: float
    shot_noise: float
    noise_blur_px: float
    jpeg: int
    grey: bool
    sharpen: float
    vignette: float


def sample_sensor(rng: np.random.Generator) -> Sensor:
    """A phone, webcam or camera, held more or less still."""
    maybe = lambda share, value: value if rng.random() < share else 0.0  # noqa: E731
    warm, green = rng.normal(0, 0.07), rng.normal(0, 0.025)
    return Sensor(
        blur_px=rng.uniform(0.25, 0.8) + maybe(0.15, rng.uniform(0.3, 1.8)),
        motion_px=maybe(0.15, rng.uniform(1.5, 9.0)),
        motion_angle=rng.uniform(0, np.pi),
        shrink=rng.uniform(0.4, 0.9) if rng.random() < 0.22 else 1.0,
        gains=(1 + warm, 1 + green, 1 - warm),
        exposure=float(np.exp(rng.normal(0, 0.12))),
        contrast=rng.normal(1.0, 0.12),
        saturation=max(rng.normal(1.08, 0.18), 0.3),
        gamma=float(np.exp(rng.normal(0, 0.10))),
        noise=rng.uniform(0, 0.02) + maybe(0.12, rng.uniform(0, 0.04)),
        shot_noise=rng.uniform(0, 0.03),
        noise_blur_px=maybe(0.5, rng.uniform(0.4, 0.9)),
        jpeg=int(rng.integers(35, 98)),
        grey=rng.random() < 0.015,
        sharpen=maybe(0.35, rng.uniform(0.2, 1.2)),
        vignette=maybe(0.25, rng.uniform(0.05, 0.6)),
    )


def _through_the_lens(scene: Float32, sensor: Sensor) -> Float32:
    """Blur, motion, resolution and vignette on linear colour (h, w, 3); the result may be smaller."""
    height, width = scene.shape[:2]
    reach = 2 * int(np.ceil(2.2 * sensor.blur_px)) + 1
    picture = np.asarray(cv2.GaussianBlur(scene, (reach, reach), sensor.blur_px), np.float32)
    if sensor.motion_px > 0:
        kernel = _motion_kernel(sensor.motion_px, sensor.motion_angle)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel), np.float32)
    if sensor.shrink < 1:
        small = (max(int(width * sensor.shrink), 16), max(int(height * sensor.shrink), 16))
        picture = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.float32)
    if sensor.vignette > 0:
        picture = picture * _falloff(picture.shape[0], picture.shape[1], sensor.vignette)
    return picture


def expose(scene: Float32, sensor: Sensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Linear colour (h, w, 3) to the sRGB picture (h, w, 3) that the sensor saves."""
    height, width = scene.shape[:2]
    picture = _through_the_lens(scene, sensor)
    grain = _grain(rng, picture.shape[0], picture.shape[1])
    if sensor.noise_blur_px:
        grain = cv2.GaussianBlur(grain, (5, 5), sensor.noise_blur_px) * np.float32(1 + 1.6 * sensor.noise_blur_px)
    curve = _tone_curve(sensor.contrast, sensor.gamma)
    gains = np.array(sensor.gains, np.float32) * np.float32(sensor.exposure)
    saturation = np.float32(0.0 if sensor.grey else sensor.saturation)
    picture = _develop(
        picture,
        grain,
        gains,
        np.float32(0.35 * sensor.noise),
        np.float32(sensor.shot_noise),
        curve,
        saturation,
    )
    if sensor.sharpen > 0:  # phones sharpen after the noise came in, which draws halos round edges
        picture = picture + np.float32(sensor.sharpen) * (picture - cv2.GaussianBlur(picture, (5, 5), 1.2))
    saved = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    if sensor.shrink < 1:
        saved = cv2.resize(saved, (width, height), interpolation=cv2.INTER_LINEAR)
    if sensor.jpeg < 95:
        _, data = cv2.imencode(".jpg", saved[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, sensor.jpeg])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert decoded is not None, "OpenCV reads what it wrote"
        saved = decoded[..., ::-1]
    return np.ascontiguousarray(saved, np.uint8)


@nb.njit(**JIT)
@no_type_check
def _develop(picture, grain, gains, noise, shot_noise, curve, saturation):
    """White balance, noise, tone curve and saturation: linear colour (h, w, 3) to sRGB in about [0, 1]."""
    out = np.empty(picture.shape, np.float32)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            for c in range(3):
                value = max(picture[y, x, c] * gains[c], np.float32(0))
                root = sqrt(value)
                # about even in gamma space, so in linear light noise grows with the signal
                value += grain[y, x, c] * (root * shot_noise + noise) * (np.float32(0.25) + root)
                out[y, x, c] = curve[int(min(max(value * 2048, np.float32(0)), np.float32(4095)))]
            grey = np.float32(0.3) * out[y, x, 0] + np.float32(0.59) * out[y, x, 1] + np.float32(0.11) * out[y, x, 2]
            for c in range(3):
                out[y, x, c] = grey + (out[y, x, c] - grey) * saturation
    return out


def _falloff(height: int, width: int, strength: float) -> Float32:
    """Darkening (height, width, 1) towards the corners."""
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    return (1 - strength * 0.5 * (y[:, None] ** 2 + x[None] ** 2))[..., None].astype(np.float32)


@cache
def _grain_bank(size: int = 640) -> Float32:
    return np.random.default_rng(5).standard_normal((size, size, 3), np.float32)


def _grain(rng: np.random.Generator, height: int, width: int) -> Float32:
    """White noise (height, width, 3): a window of a fixed field, turned and with its channels shuffled."""
    bank = _grain_bank()
    if max(height, width) > len(bank):
        return rng.standard_normal((height, width, 3), np.float32)
    y, x = rng.integers(len(bank) - height + 1), rng.integers(len(bank) - width + 1)
    window = bank[y : y + height, x : x + width, rng.permutation(3)]
    return window[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])] * np.float32(rng.choice([-1, 1]))


def _tone_curve(contrast: float, gamma: float) -> Float32:
    """sRGB value in [0, 1] of linear values 0, 1/2048, ... 4095/2048, with a soft shoulder above 0.9."""
    value = (np.arange(4096) / 2048.0) ** (gamma / 2.2)
    value = 0.5 + (value - 0.5) * contrast
    value = np.where(value > 0.9, 0.9 + 0.1 * (1 - np.exp(-(value - 0.9) / 0.1)), value)
    return np.clip(value, 0, 1).astype(np.float32)


def _motion_kernel(length: float, angle: float) -> Float32:
    """A line of `length` px at `angle` as a kernel of sum one."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    dx, dy = 0.5 * length * np.cos(angle), 0.5 * length * np.sin(angle)
    to = lambda x, y: (round((half + x) * 256), round((half + y) * 256))  # noqa: E731
    cv2.line(kernel, to(-dx, -dy), to(dx, dy), 1.0, 1, cv2.LINE_AA, 8)
    return kernel / kernel.sum()
