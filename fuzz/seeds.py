"""The corpus: small files of every kind that is read, made here, and the attacks that brought 0.4.0 down.

Everything is drawn from a fixed seed; there are no photographs in it. Each function gives contents by name.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

ROOT = Path(__file__).parents[1]
MUTABLE = 1 << 16
"""Bytes: larger seeds are run as they are."""
Contents = dict[str, bytes]


def picture(width: int = 40, height: int = 30, channels: int = 3) -> NDArray[np.uint8]:
    """Colours (H, W, C) that are neither flat nor noise."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 120 * np.sin(0.3 * x + k) * np.cos(0.2 * y - k) for k in range(channels)]
    return np.stack(waves, -1).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """As Pillow writes it."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, pixels: bytes, *, depth: int = 8, colour: int = 2, more: bytes = b"") -> bytes:
    """A PNG with a header of any size and packed `pixels`."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def many_scans(side: int, scans: int) -> bytes:
    """A flat progressive JPEG, one scan of which is there again and again: each costs a pass over all of it."""
    content = saved(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    starts = [i for i in range(len(content) - 1) if content[i : i + 2] == b"\xff\xda"]
    tables = content.rfind(b"\xff\xc4", 0, starts[-1])  # of the last scan
    last = content[max(tables, starts[-2]) if tables > starts[-2] else starts[-1] : -2]
    return content[:-2] + last * scans + content[-2:]


def many_directories(count: int) -> bytes:
    """A TIFF that is a chain of tiny pictures: who counts them by walking from the first one walks for minutes."""
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(count):
        start = len(out)
        entries = [
            (256, 3, 1),
            (257, 3, 1),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, 4),
            (277, 3, 1),
            (278, 3, 1),
            (279, 4, 1),
        ]
        rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
        after = 0 if number == count - 1 else start + 2 + len(rows) + 4
        out += struct.pack("<H", len(entries)) + rows + struct.pack("<I", after)
    return bytes(out)


def _compression(number: int) -> tuple[bytes, bytes]:
    """An entry of a TIFF that says "not compressed", and one that says something else."""
    return struct.pack("<HHIHH", 259, 3, 1, 1, 0), struct.pack("<HHIHH", 259, 3, 1, number, 0)


EXIFS: dict[str, dict[int, object]] = {
    "film": {41989: 28},
    "sensor": {37386: 4.2, 41486: 5000.0, 41488: 3, 40962: 4000},
    "no unit": {37386: 4.2, 41486: 5000.0, 41488: 77},
    "no sensor": {37386: 4.2},
    "words": {37386: "x", 41989: "wide"},
}
"""What EXIF says of a camera."""


def pictures() -> Contents:
    """Every format and kind of pixel that is read, and files that promise too much."""
    from tiff_files import tiff

    rgb, grey = Image.fromarray(picture()), Image.fromarray(picture(channels=1)[..., 0])
    alpha, deep = Image.fromarray(picture(channels=4)), picture().astype(np.uint16) * 257
    exif = Image.Exif()
    exif[274], exif[41989] = 6, 28
    frames = [rgb, rgb.rotate(90)]
    found = {
        "jpeg": saved(rgb, "JPEG", exif=exif),
        "grey.jpeg": saved(grey, "JPEG"),
        "cmyk.jpeg": saved(rgb.convert("CMYK"), "JPEG"),
        "progressive.jpeg": saved(rgb, "JPEG", progressive=True),
        "mpo": saved(rgb, "MPO", save_all=True, append_images=frames),
        "png": saved(rgb, "PNG"),
        "grey.png": saved(grey, "PNG"),
        "alpha.png": saved(alpha, "PNG"),
        "palette.png": saved(rgb.quantize(9), "PNG", transparency=3),
        "one.png": saved(grey.convert("1"), "PNG"),
        "deep.png": cv2.imencode(".png", deep)[1].tobytes(),
        "deep-grey.png": cv2.imencode(".png", deep[..., 0])[1].tobytes(),
        "gif": saved(rgb, "GIF"),
        "moving.gif": saved(rgb, "GIF", save_all=True, append_images=frames),
        "bmp": saved(rgb, "BMP"),
        "webp": saved(rgb, "WEBP"),
        "lossless.webp": saved(alpha, "WEBP", lossless=True),
        "ppm": saved(rgb, "PPM"),
        "moving.webp": saved(rgb, "WEBP", save_all=True, append_images=frames),
        "tga": saved(rgb, "TGA"),
        "jp2": saved(rgb, "JPEG2000"),
        "deep.jp2": cv2.imencode(".jp2", picture(64, 64).astype(np.uint16) * 257)[1].tobytes(),
        "avif": saved(rgb, "AVIF"),
        "pgm": b"P5 4 2 65535\n" + bytes(range(16)),
        "pfm": b"Pf\n4 2\n-1.0\n" + np.linspace(0, 1, 8, dtype="<f4").tobytes(),
        "tiff": saved(rgb, "TIFF"),
        "lzw.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "qoi": saved(rgb, "QOI"),
        "jpeg.tiff": saved(rgb, "TIFF", compression="jpeg"),
        "float.tiff": cv2.imencode(".tiff", deep / np.float32(65535))[1].tobytes(),
        "float-grey.tiff": cv2.imencode(".tiff", deep[..., 0] / np.float32(65535))[1].tobytes(),
        "pages.tiff": tiff(picture(8, 6), picture(16, 12), orientation=8),
        "deep.tiff": tiff(deep, big_endian=True),
        "inside.tiff": tiff(picture(8, 6), picture(16, 12), inside_first=True, orientation=3),
        "far.tiff": b"II+\0\x08\0\0\0" + b"\xf0" * 40,
        "circle.tiff": many_directories(2)[:-4] + struct.pack("<I", 8),
        "big.tiff": cv2.imencode(".tiff", picture())[1].tobytes().replace(b"II*\0", b"II+\0", 1),
        "raw.dng": tiff(picture(700, 8), picture(1400, 9)).replace(
            b"\x03\x01\x03\0\x01\0\0\0\x01", b"\x03\x01\x03\0\x01\0\0\0\x07"
        ),
        "wrong-profile.jpeg": saved(rgb.convert("CMYK"), "JPEG", icc_profile=b"none"),
        "empty": b"",
        "one": b"\xff",
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0",
        "pdf": b"%PDF-1.7",
        "video": b"\0\0\0\x18ftypisom\0\0\0\0",
        "svg": b"<svg/>",
        "cut.jpeg": saved(rgb, "JPEG")[:-200],
        "cut.png": saved(rgb, "PNG")[:200],
        "no-pixels.png": png(0, 0, b""),
        "thin.png": png(1, 20_000, bytes(80_000)),
        "huge.png": png(2**31 - 1, 2**31 - 1, b"\0"),
        "promise.jpeg": saved(grey, "JPEG").replace(struct.pack(">HH", 30, 40), struct.pack(">HH", 65500, 65500)),
        "text.png": png(4, 4, bytes(52), more=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8), 9))),
        "comment.png": png(4, 4, bytes(52), more=chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")),
    }
    ranges = {"signed": (-1, 1), "over": (0, 1.4), "levels": (0, 255), "below": (-5, 5), "beyond": (0, 1e30)}
    for name, (low, high) in ranges.items():
        values = np.linspace(low, high, 240, dtype=np.float32).reshape(10, 8, 3)
        found[f"{name}.tiff"] = cv2.imencode(".tiff", values)[1].tobytes()
    values[0, 0], values[1, 1] = np.nan, np.inf
    found |= {
        "not a number.tiff": cv2.imencode(".tiff", values)[1].tobytes(),
        "negative.tiff": saved(Image.fromarray(np.arange(-40, 40, dtype=np.int32).reshape(8, 10)), "TIFF"),
        "12 bits.tiff": saved(Image.fromarray(np.arange(0, 4000, 50, dtype=np.uint16).reshape(8, 10)), "TIFF"),
        "profile.jpeg": saved(
            rgb.convert("CMYK"), "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
        "few pixels.jpeg": saved(rgb.resize((1, 1)), "JPEG"),
        "raw of nobody.dng": tiff(picture(1400, 9)).replace(*_compression(99)),
        "preview.dng": tiff(picture(700, 8), picture(1400, 9)).replace(*_compression(99), 1),
        "exif nobody has.jpeg": saved(rgb, "JPEG", exif=b"Exif\0\0" + bytes(60_000)),
        "deep.bigtiff": saved(Image.fromarray(deep[..., 0]), "TIFF", big_tiff=True),
    }
    for name, tags in EXIFS.items():
        exif = Image.Exif()
        exif[274], exif.get_ifd(0x8769)[1] = 9, 1
        exif.get_ifd(0x8769).clear()
        exif.get_ifd(0x8769).update(tags)
        found[f"{name}.jpeg"] = saved(rgb, "JPEG", exif=exif)
    attacks = {
        "40 million pixels.png": png(8000, 5000, bytes(5000 * 24001)),
        "400 scans.jpeg": many_scans(6000, 400),
        "2000 scans.jpeg": many_scans(6000, 2000),
        "20000 directories.tiff": many_directories(20_000),
    }
    return found | attacks


def videos() -> Contents:
    """Containers and codecs, turned, damaged, and playlists that name other places."""
    import clips

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        frames = [picture(64, 48) for _ in range(5)]

        def made(name: str, write: Callable[..., Path], *arguments: object, **options: object) -> bytes:
            return write(folder / name, *arguments, **options).read_bytes()

        see_through = [picture(64, 48, 4)] * 3
        found = {
            "mp4": made("a.mp4", clips.write_video, frames),
            "mkv": made("a.mkv", clips.write_video, frames, gop=2),
            "avi": made("a.avi", clips.write_video, frames),
            "ts": made("a.ts", clips.write_video, frames),
            "turned.mp4": made("b.mp4", clips.write_video, frames, quarter_turn=True),
            "times.mp4": made("c.mp4", clips.write_video, frames, times=[0, 0.1, 0.15, 0.9, 4]),
            "sound.mp4": made("d.mp4", clips.write_sound),
            "two.mkv": made(
                "d.mkv", clips.write_streams, [("mpeg4", "yuv420p", frames), ("mjpeg", "yuvj420p", frames)], late_s=0.3
            ),
            "alpha.mov": made("e.mov", clips.write_streams, [("png", "rgba", see_through)]),
        }
    mp4, mkv = found["mp4"], found["mkv"]
    return found | {
        "codec of nobody.mp4": mp4.replace(b"avc1", b"xxxx"),
        "no index.mp4": mp4.replace(b"moov", b"free"),
        "no text.mkv": mkv.replace(b"V_MPEG4/ISO/AVC", b"\xff\xfe\xff4/ISO/AVC"),
        "cut.mp4": mp4[: len(mp4) // 2],
        "no text.mp4": mp4.replace(b"VideoHandler", b"Video\xff\xfe\xff\xff\xffer"),
        "zeros.mp4": mp4[:40] + bytes(2000),
        "damaged.ts": found["ts"][:1500] + bytes(300) + found["ts"][1800:],
        "empty": b"",
        "cut.mkv": mkv[:-300],
        "playlist.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "list.ffconcat": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "words": b"a film" * 30,
        "script.avs": b"Version()",
        "names.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    }


def thin_video() -> bytes:
    """A clip that no encoder of ours can take: 2 px wide, 20,000 high."""
    import clips

    with tempfile.TemporaryDirectory() as place:
        frames = [picture(2, 20_000)] * 3
        return clips.write_streams(Path(place) / "a.mov", [("png", "rgb24", frames)]).read_bytes()


def left_with_chumpy(path: Path) -> bytes:
    """A left hand as the official files have it: chumpy's classes, its selections, a matrix by rows."""
    import sys
    import types

    import test_mano_file

    from mano_files import write_mano

    class Select:
        def __init__(self, a: object, idxs: object, shape: object) -> None:
            self.a, self.idxs, self.preferred_shape = a, idxs, shape

    Select.__module__, Select.__qualname__ = "chumpy.ch", "Select"
    module = types.ModuleType("chumpy.ch")
    module.Ch, module.Select = test_mano_file.Ch, Select  # type: ignore[attr-defined]
    sys.modules |= {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": module}
    content = test_mano_file.mano_content(left=True, bug=True)
    content["J_regressor"] = content["J_regressor"].tocsr()
    content["weights"] = Select(content["weights"].ravel(), np.arange(778 * 16), (778, 16))
    done = write_mano(path, content).read_bytes()
    del sys.modules["chumpy"], sys.modules["chumpy.ch"]
    return done


def pickles() -> Contents:
    """Arrays in every protocol, MANO files, and the pickles that read memory or call."""
    import mano_files
    import test_unpickle

    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": [np.float32(2), "text", (1, None)], "c": np.array(["x"])}
    found = {f"protocol {number}": pickle.dumps(arrays, protocol=number) for number in range(6)}
    with tempfile.TemporaryDirectory() as place:
        found["mano"] = mano_files.write_mano(Path(place) / "a.pkl", mano_files.open_hand_as_mano()).read_bytes()
        found |= {"left": left_with_chumpy(Path(place) / "b.pkl")}
    small = {"v_template": np.zeros((2, 3)), "f": np.zeros((1, 3), np.uint32), "J_regressor": np.zeros((16, 2))}
    found |= {"small mano": pickle.dumps(small, protocol=2)}
    found |= {name: test_unpickle.array_state(b"", kind) for name, kind in test_unpickle.OBJECTS.items()}
    plain = test_unpickle.array_state(b"", b"cnumpy\ndtype\n(X\x02\0\0\0f8I00\nI01\ntR")
    return found | {"plain": plain} | test_unpickle.ATTACKS


def arrays() -> Contents:
    """Files of arrays, a hand model, answers to be scored; and what zips and headers can be made to say."""
    import test_npz
    from handscope.hand import assets

    shipped = assets.load_asset()
    whole = {name: np.array(getattr(shipped, name)) for name in assets.ARRAYS}
    found = {"whole": test_npz.WHOLE, "hand": test_npz.saved(**whole), "bomb": test_npz.saved(a=np.zeros(10**7))}
    for name, (key, harm, _) in test_npz.HARMS.items():
        left = {one: value for one, value in whole.items() if one != key}
        found[f"hand: {name}"] = test_npz.saved(**(left | ({key: harm(whole[key])} if harm else {})))
    return found | test_npz.ATTACKS


def answers() -> Contents:
    """Anybody's answers; the first line is the file's ending."""
    from handscope.evaluation.predictions import PackedMasks, Predictions
    from test_npz import ATTACKS, saved

    keys, flat, spatial = np.array(["a", "b"]), np.ones((2, 21, 2)), np.ones((2, 21, 3))
    columns = ["key", *(f"{axis}{joint}" for joint in range(21) for axis in "uv")]
    table = ",".join(columns) + "\n" + "a" + ",1.5" * 42 + "\nb" + ",nan" * 42 + "\n"
    pred = json.dumps([spatial.tolist(), np.zeros((2, 1, 3)).tolist()])
    masks = PackedMasks.pack([np.ones((3, 5), bool), None])
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "p.npz"
        Predictions(
            keys=keys,
            found=np.ones(2, bool),
            joints_2d=flat,
            joints_3d=spatial,
            vertices=np.ones((2, 4, 3)),
            masks=masks,
            K=np.stack([np.eye(3)] * 2),
            mesh_masks=masks,
            refit_residual_mm=np.ones(2),
        ).save(path)
        ours = path.read_bytes()
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pred.json", pred)
    plain = saved(
        keys=keys,
        joints_2d=flat,
        joints_3d=spatial,
        masks=np.ones((2, 3, 3)),
        K=np.stack([np.eye(3)] * 2),
        found=np.ones(2),
        vertices=np.ones((2, 4, 3)),
    )
    found = {"table": b"csv\n" + table.encode(), "pred": b"json\n" + pred.encode(), "zip": b"zip\n" + packed.getvalue()}
    found |= {"ours": b"npz\n" + ours, "plain": b"npz\n" + plain, "deep": b"json\n" + b"[" * 100_000, "none": b"csv\n"}
    found |= {"wrong masks": b"npz\n" + saved(keys=keys, joints_2d=flat, masks=np.ones((3, 3)))}
    odd = {
        "not ours": {"header": np.array('{"format": "x"}')},
        "a header of numbers": {"header": np.array("3")},
        "no header": {"header": np.array("{")},
        "short": {"header": np.array('{"format": "handscope-predictions-1"}'), "keys": keys},
        "flat": {"keys": keys, "joints_2d": np.ones((2, 20, 2))},
        "keys alone": {"keys": keys},
        "words": {"keys": keys, "K": keys},
        "no vertices": {"keys": keys, "joints_2d": flat, "vertices": np.ones(3)},
        "twice": {"keys": keys[[0, 0]], "joints_2d": flat},
    }
    found |= {name: b"npz\n" + saved(**content) for name, content in odd.items()}
    whole = {"joints_2d": flat, "joints_3d": spatial, "found": np.ones(2), "keys": keys}
    whole["header"] = np.array('{"format": "handscope-predictions-1"}')
    parts = {
        "mask_bits": np.zeros(1, np.uint8),
        "mask_offsets": np.array([0, 1, 1]),
        "mask_shapes": np.array([[9, 9], [0, 0]]),
    }
    for name, more in {
        "K": {"K": np.ones(2)},
        "mesh": {"vertices": np.ones(2)},
        "text": {"found": keys},
        "mask": parts,
    }.items():
        found[f"ours with a wrong {name}"] = b"npz\n" + saved(**(whole | more))
    texts = {"a word": table.replace("1.5", "x"), "no key": table.replace("key", "id"), "no columns": "key\na\n"}
    found |= {name: b"csv\n" + text.encode() for name, text in texts.items()}
    found |= {"no text": b"csv\n\xff\xfe", "no zip": b"zip\nPK", "one": b"json\n[1]", "flat pred": b"json\n[[1], [2]]"}
    return found | {f"attack: {name}": b"npz\n" + content for name, content in ATTACKS.items()}


def cards() -> Contents:
    """What lies beside networks."""
    shipped = {}
    for path in sorted((ROOT / "src/handscope/infer/weights").glob("*.json")):
        card = json.loads(path.read_bytes())
        del card["sha256"]
        shipped[path.stem] = json.dumps(card).encode()
    said = {"threshold": 0.3, "calibration": {"offset": 0.1, "slope": 1.1}, "crop": {"scale": 0.2}, "version": "1"}
    return shipped | {
        "small": json.dumps(said).encode(),
        "not a number": b'{"threshold": NaN}',
        "words": b'{"calibration": {"offset": "x"}}',
        "list": b"[1]",
        "deep": b"[" * 100_000,
        "no text": b"\xff\xfe{",
        "digits": b'{"threshold": ' + b"9" * 5000 + b"}",
        "wrong digest": b'{"sha256": "0"}',
        "nothing": b"",
    }


def shards() -> Contents:
    """A few labelled pictures in a tar file, and tar files that are none."""
    import tarfile

    from test_shards import sample, write

    with tempfile.TemporaryDirectory() as place:
        whole = write(Path(place) / "a.tar", [sample(0), sample(1, hands=2), sample(2, masks=False)]).read_bytes()

    def tar(**members: bytes) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as file:
            for name, data in members.items():
                info = tarfile.TarInfo(name.replace("__", "."))
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
        return content.getvalue()

    jpeg = saved(Image.fromarray(picture()), "JPEG")
    label = b'{"K": null, "hands": [], "source": "x", "complete": true}'
    hand = b'{"K": null, "source": "x", "complete": true, "hands": [{"handedness": "left", "theta": 3, "mask": true}]}'
    promise = jpeg.replace(struct.pack(">HH", 30, 40), struct.pack(">HH", 65500, 65500))
    return {
        "whole": whole,
        "small": tar(a__jpg=jpeg, a__json=label),
        "cut": whole[:9000],
        "no label": tar(a__jpg=jpeg),
        "wrong array": tar(a__jpg=jpeg, a__json=hand),
        "no picture": tar(a__jpg=b"x", a__json=label),
        "empty": tar(),
        "deep": tar(a__jpg=jpeg, a__json=b"[" * 100_000),
        "promise": tar(a__jpg=promise, a__json=label),
        "mask of another size": tar(a__jpg=jpeg, a__json=label, a__mask__png=png(3, 3, bytes(12), colour=0)),
        "compressed": __import__("gzip").compress(bytes(10**7)),
        "no tar": b"x" * 2000,
        "nothing": b"",
        "size below zero": tar(a__jpg=jpeg, a__json=label).replace(b"00000000071\0", b"\xff" * 12, 1),
    }


def recipes() -> Contents:
    """The recipes and studies of the repository, and YAML that unfolds without end."""
    from test_recipes import LAUGHS, MERGES

    found = {str(path.relative_to(ROOT)): path.read_bytes() for path in sorted((ROOT / "recipes").rglob("*.yaml"))}
    bombs = [
        LAUGHS,
        MERGES,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "[" * 5000,
        "a: !!python/object/apply:os.system [true]",
        "\0",
        "? [a]\n: b",
        "&a",
        "!!int x",
        "<<: 3",
        "base: input.yaml",
        "base: [1]",
        "kind: 7",
        "- a",
    ]
    return found | {f"bomb {number}": text.encode() for number, text in enumerate(bombs)}


def requests() -> Contents:
    """Raw requests: a line, headers, a body."""
    jpeg, flat = saved(Image.fromarray(picture(160, 120)), "JPEG"), png(4000, 3000, bytes(3000 * 12001))

    def raw(target: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
        said = {"host": "127.0.0.1", "content-length": str(len(body)), **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def form(content: bytes, name: str = "image", file: str = "a.jpg") -> bytes:
        head = f'--B\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'.encode()
        return head + content + b"\r\n--B--\r\n"

    kind = {"content_type": "multipart/form-data; boundary=B"}
    good = form(jpeg)
    found = {
        "answer": raw("/v1/hands", good, **kind),
        "health": raw("/v1/health", method="GET"),
        "metrics": raw("/metrics", method="GET"),
        "schema": raw("/openapi.json", method="GET"),
        "put": raw("/v1/hands", good, "PUT", **kind),
        "nowhere": raw("/../etc/passwd"),
        "a huge picture": raw("/v1/hands", form(flat), **kind),
        "no picture": raw("/v1/hands", form(b"x"), **kind),
        "no file": raw("/v1/hands", form(jpeg, "other"), **kind),
        "no form": raw("/v1/hands", jpeg, content_type="image/jpeg"),
        "no boundary": raw("/v1/hands", good, content_type="multipart/form-data"),
        "nothing": raw("/v1/hands"),
        "half a form": raw("/v1/hands", good[:200], **kind),
        "a foreign host": raw("/v1/hands", good, host="evil.example", **kind),
        "a foreign page": raw("/v1/hands", good, origin="http://evil.example", sec_fetch_site="cross-site", **kind),
        "a lying length": raw("/v1/hands", good, **(kind | {"content_length": "-1"})),
        "a name that leaves": raw("/v1/hands", form(jpeg, file="../../a\\0.jpg"), **kind),
    }
    for query in (
        "focal=1e300",
        "focal=nan",
        "min_score=2",
        "boxes=-1e7,-1e7,1e7,1e7",
        "box=1,2,3",
        "format=exe",
        "K=1,1,1e9,1",
        "focal=600&min_score=0&format=glb",
        "format=csv",
        "format=npz",
        "%ff=%00",
    ):
        found[query] = raw(f"/v1/hands?{query}", good, **kind)
    return found
