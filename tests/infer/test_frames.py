"""Which frames a file or folder has, how each is turned, which number and time it has."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from clips import mark_as_turned, toy_frames, write_sound, write_streams, write_video
from handscope.errors import VideoError
from handscope.geometry.camera import Camera
from handscope.infer.exif import TURNS
from handscope.infer.frames import (
    FrameFolder,
    Pictures,
    VideoReader,
    is_video,
    kind_of,
    open_container,
    video_suffixes,
)
from handscope.infer.pipeline import load

QUARTERS = {
    1: [[1, 0], [0, 1]], 2: [[-1, 0], [0, 1]], 3: [[-1, 0], [0, -1]], 4: [[1, 0], [0, -1]],
    5: [[0, 1], [1, 0]], 6: [[0, -1], [1, 0]], 7: [[0, -1], [-1, 0]], 8: [[0, 1], [-1, 0]],
}  # fmt: skip


def corner() -> np.ndarray:
    """64 x 96 px, white in the upper left, grey in the upper right: it looks like none of its turns."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:24, :24], image[:24, 72:] = 255, 120
    return image


def frames_of(path):
    with VideoReader(path) as reader:
        return list(reader), reader


@pytest.mark.parametrize("orientation", QUARTERS)
def test_a_video_is_turned_and_mirrored_as_its_display_matrix_says(tmp_path, orientation):
    path = write_video(tmp_path / "clip.mp4", [corner()] * 3)
    mark_as_turned(path, QUARTERS[orientation])
    frames, _ = frames_of(path)
    assert np.abs(frames[0][2].astype(int) - TURNS[orientation](corner())).mean() < 6


@pytest.mark.parametrize("linear", [[[0.02, -1], [1, 0.02]], [[0, -2], [2, 0]]])
def test_of_an_odd_display_matrix_the_nearest_turn_counts(tmp_path, linear):
    path = write_video(tmp_path / "clip.mp4", [corner()] * 3)
    mark_as_turned(path, linear)
    assert np.abs(frames_of(path)[0][0][2].astype(int) - TURNS[6](corner())).mean() < 6


def plain(height: int, width: int, level: int, count: int) -> list[np.ndarray]:
    return [np.full((height, width, 3), level, np.uint8)] * count


STREAMS = {
    "still first": [("mjpeg", "yuvj420p", plain(64, 64, 20, 1)), ("mpeg4", "yuv420p", plain(128, 160, 200, 9))],
    "large still first": [("mjpeg", "yuvj420p", plain(512, 512, 20, 1)), ("mpeg4", "yuv420p", plain(128, 160, 200, 9))],
    "preview first": [("mpeg4", "yuv420p", plain(48, 64, 20, 9)), ("mpeg4", "yuv420p", plain(128, 160, 200, 9))],
    "film first": [("mpeg4", "yuv420p", plain(128, 160, 200, 9)), ("mpeg4", "yuv420p", plain(48, 64, 20, 9))],
}


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
@pytest.mark.parametrize("kind", STREAMS)
def test_of_several_picture_streams_the_film_is_read(tmp_path, kind, suffix):
    frames, reader = frames_of(write_streams(tmp_path / f"clip{suffix}", STREAMS[kind]))
    assert len(frames) == 9 and frames[0][2].shape == (128, 160, 3) and frames[0][2].mean() > 180
    assert "2 picture streams" in reader.notes[0] and "160 x 128" in reader.notes[0]


def test_a_song_with_a_cover_is_no_video(tmp_path):
    sound = write_sound(tmp_path / "sound.m4a")
    Image.fromarray(corner()).save(tmp_path / "cover.jpg")
    with (
        av.open(str(sound)) as song,
        av.open(str(tmp_path / "cover.jpg")) as cover,
        av.open(str(tmp_path / "song.mp4"), "w") as out,
    ):
        pairs = [(song, song.streams.audio[0]), (cover, cover.streams.video[0])]
        copies = [out.add_stream_from_template(stream) for _, stream in pairs]
        copies[1].disposition = av.stream.Disposition.attached_pic.value  # PyAV 14 takes nothing else
        for (container, stream), copy in zip(pairs, copies, strict=True):
            for packet in container.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    out.mux(packet)
    with pytest.raises(VideoError, match="no moving pictures"):
        VideoReader(tmp_path / "song.mp4")


def test_transparent_parts_of_a_video_are_white(tmp_path):
    clear = np.zeros((64, 96, 4), np.uint8)
    clear[:, 48:] = (200, 30, 40, 255)
    ((_, _, image), *_), _ = frames_of(write_streams(tmp_path / "clip.mov", [("qtrle", "argb", [clear] * 2)]))
    assert (image[:, :40] == 255).all() and np.abs(image[:, 56:].astype(int) - (200, 30, 40)).max() < 4


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_when_a_player_shows_the_first_picture_is_kept(tmp_path, suffix):
    path = write_streams(tmp_path / f"late{suffix}", [("mpeg4", "yuv420p", plain(64, 96, 90, 10))], late_s=2.0)
    frames, reader = frames_of(path)
    assert frames[0][1] == reader.start == pytest.approx(2.0, abs=0.05)
    assert frames[9][1] == pytest.approx(reader.start + 9 / 25, abs=2e-3)
    _, whole = frames_of(write_video(tmp_path / "plain.mp4", toy_frames(3)))
    assert whole.start == 0.0


def test_frames_behind_damaged_ones_keep_their_numbers(tmp_path):
    """Each frame is as bright as its number; whole packets in the middle are noise, or are not there at all."""
    frames = [np.full((96, 128, 3), 20 + 5 * i, np.uint8) for i in range(40)]
    whole = write_video(tmp_path / "whole.mkv", frames, gop=1, options={"x264-params": "repeat-headers=0"})
    for name, lost in (("noise", range(10, 15)), ("begin", range(3)), ("end", range(36, 40)), ("gone", ())):
        path = tmp_path / f"{name}.mkv"
        data = bytearray(whole.read_bytes())
        with av.open(str(whole)) as container:
            packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        rng = np.random.default_rng(0)
        for number in lost:
            at = data.find(packets[number])
            assert at > 0 and data.find(packets[number], at + 1) < 0
            data[at : at + len(packets[number])] = rng.integers(0, 256, len(packets[number]), np.uint8).tobytes()
        path.write_bytes(data)
        read, reader = frames_of(path)
        assert (reader.broken > 0) == bool(lost) and len(read) >= 40 - len(lost) - 1
        missing = [one.index for one in reader.lost]
        assert sorted([index for index, _, _ in read] + missing) == list(range(40)) and (missing != []) == bool(lost)
        for one in reader.lost:
            assert one.time == pytest.approx(one.index / 30, abs=0.02) and path.name in one.problem
        for index, time, image in read:
            if index not in range(min(lost, default=0) - 1, max(lost, default=-2) + 2):
                assert round((image.mean() - 20) / 5) == index and time == pytest.approx(index / 30, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("a.ogv", "libvpx", "ogg"), ("b.mxf", "mpeg2video", "mxf"), ("c.y4m", "rawvideo", "yuv4mpegpipe"),
        ("d.mjpeg", "mjpeg", "mjpeg"), ("e.nut", "mpeg4", "nut"), ("f.m2v", "mpeg2video", "mpeg2video"),
        ("g.ivf", "libvpx-vp9", "ivf"), ("noext", "libx264", "mpegts"), ("h.strange", "mpeg4", "nut"),
        ("i.264", "libx264", "h264"),
    ],
)  # fmt: skip
def test_whatever_ffmpeg_reads_is_known_to_be_a_video(tmp_path, name, codec, container):
    path = tmp_path / name
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in [corner()] * 5:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    assert is_video(path) and len(frames_of(path)[0]) == 5
    assert kind_of(path) == "video" or name == "h.strange"


def test_what_else_lies_in_a_folder_is_neither(tmp_path):
    contents = {"notes.txt": b"frames and hands", "a.npy": np.zeros(9).tobytes(), "b.pdf": b"%PDF-1.7 \0\xff" * 50}
    contents |= {"c.zip": b"PK\x03\x04\0\xff" * 90, "empty": b"", "d.bin": bytes(range(256)) * 4}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert not is_video(tmp_path / name) and kind_of(tmp_path / name) is None, name
    assert kind_of(write_sound(tmp_path / "song.m4a")) != "picture"
    assert {".mp4", ".ogv", ".mxf", ".h264", ".mkv"} <= video_suffixes() and ".txt" not in {".mp4"}


@pytest.mark.parametrize(
    "name", ["2026-11-25T10:30:00.mp4", "data:clip.mp4", "100%d done.mp4", "a?b=c&d.mp4", b"caf\xe9.mp4"]
)
def test_a_name_is_a_name(tmp_path, name):
    path = tmp_path / (os.fsdecode(name) if isinstance(name, bytes) else name)
    write_video(tmp_path / "plain.mp4", toy_frames(3)).rename(path)
    assert is_video(path) and len(frames_of(path)[0]) == 3
    with open_container(path.with_name(f"again {path.name}"), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(corner(), format="rgb24")))
        container.mux(stream.encode(None))
    assert len(frames_of(path.with_name(f"again {path.name}"))[0]) == 1


def test_a_folder_of_frames_is_a_video_in_natural_order(toy_weights, tmp_path):
    frames = toy_frames(12)
    for number, image in enumerate(frames):
        Image.fromarray(image).save(tmp_path / f"frame{number}.png")
    (tmp_path / "frame5.png").write_bytes(b"damaged")
    (tmp_path / "times.txt").write_text("0")
    with FrameFolder(tmp_path, 20) as reader:
        read = list(reader)
        assert reader.count == 12 and reader.broken == 1 and "1 of its files" in reader.notes[0]
    assert [index for index, _, _ in read] == [i for i in range(12) if i != 5]
    for index, time, image in read:
        assert time == pytest.approx(index / 20)
        np.testing.assert_array_equal(image, frames[index])
    model = load(toy_weights, threads=1)
    by_folder = list(model.video(tmp_path, fps=20))
    by_arrays = list(model.video(frames[:3], fps=20))
    stacked = list(model.video(np.stack(frames[:3]), fps=20))
    assert [frame.index for frame in by_folder] == [i for i in range(12) if i != 5]
    for i in range(3):
        for others in (by_arrays, stacked):
            np.testing.assert_array_equal(by_folder[i].hands[0].joints_2d, others[i].hands[0].joints_2d)
            assert others[i].time == pytest.approx(i / 20)


@pytest.mark.parametrize(
    ("source", "fps", "words"),
    [
        ("folder", None, "fps"),
        ("folder/frame1.png", 20, "a folder of pictures"),
        ("empty", 20, "no pictures in this folder"),
        ("none", 20, "no such file or folder"),
        ("folder", 0, "positive number of frames"),
        ("folder", float("nan"), "positive number of frames"),
        ("rtsp://127.0.0.1:1/x", None, "cannot be opened; is the address right"),
        ([np.zeros((20, 20, 3), np.uint8)], None, "fps"),
        (["folder/frame1.png", "folder/frame1.png"], None, "fps"),
    ],
)
def test_what_has_no_frames_or_no_times_is_one_sentence(toy_weights, tmp_path, monkeypatch, source, fps, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").mkdir()
    Image.fromarray(corner()).save("folder/frame1.png")
    with pytest.raises(VideoError, match=words) as caught:
        list(load(toy_weights, threads=1).video(source, fps=fps))
    assert "\n" not in str(caught.value)


def test_a_camera_with_a_size_is_turned_with_the_video(toy_weights, tmp_path):
    stored = [np.ascontiguousarray(np.rot90(image, 1)) for image in toy_frames(3)]
    path = write_video(tmp_path / "phone.mp4", stored, quarter_turn=True)
    camera = Camera([[300.0, 0, 100.0], [0, 300, 180.0], [0, 0, 1]], (240, 320))
    frames = list(load(toy_weights, threads=1).video(path, K=camera))
    assert frames[0].image.shape == (240, 320, 3) and len(frames[0].hands) == 1
    np.testing.assert_allclose(frames[0].hands[0].K, camera.turned(-1).K)


def test_pixels_that_are_not_square_are_seen_as_players_show_them(toy_weights, tmp_path):
    path = tmp_path / "wide.mp4"
    whole = toy_frames(2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 240, 240, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for image in whole:
            squeezed = np.asarray(Image.fromarray(image).resize((240, 240)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(squeezed, format="rgb24")))
        container.mux(stream.encode(None))
    _, reader = frames_of(path)
    assert reader.pixel_aspect == pytest.approx(4 / 3)
    model = load(toy_weights, threads=1)
    told = next(model.video(path)).hands
    (hand,), (square,) = told, model(whole[0])
    assert "1.33 times as wide" in told.notes[0]
    np.testing.assert_allclose(hand.joints_2d * [4 / 3, 1], square.joints_2d, atol=2.5)
    assert hand.K[0, 0] == pytest.approx(0.75 * square.K[0, 0])


def test_pictures_with_times_are_told_as_they_come():
    pictures = Pictures([(0.5, corner()), (np.float32(1), Image.fromarray(corner()))], None)
    assert [(index, time) for index, time, _ in pictures.pictures()] == [(0, 0.5), (1, 1.0)]


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "caf\udce9.m3u8", "list.ffconcat"])
def test_a_file_that_names_another_does_not_open_it(tmp_path, name):
    """Until 0.6.0 a playlist's films were read, wherever on the machine they were."""
    film = write_video(tmp_path / "film.ts", toy_frames(3))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{film}\n#EXT-X-ENDLIST\n"
    text = "ffconcat version 1.0\nfile film.ts\n" if name.endswith("ffconcat") else playlist
    (tmp_path / name).write_text(text)
    with pytest.raises(VideoError, match="not a video that can be read"):
        VideoReader(tmp_path / name)
