"""Videos in and out: times, turns, damage, files."""

import dataclasses
import sys
from itertools import pairwise

import numpy as np
import pytest

from clips import FakeCapture, read_back, read_lines, toy_frames, write_sound, write_video
from handscope.errors import HandscopeError, VideoError
from handscope.infer.pipeline import load
from handscope.infer.results import Hands
from handscope.infer.tracking import TrackingConfig
from handscope.infer.video import CameraReader, VideoFrame, VideoReader, is_video, track
from handscope.infer.video_files import LinesWriter, OverlayWriter, TableWriter
from posed_hands import posed_hand

UNEVEN = [0.0, 0.02, 0.1, 0.15, 0.4, 0.41, 0.5, 0.8]


def frames_of(path):
    with VideoReader(path) as reader:
        return list(reader), reader


def test_frames_keep_their_own_times(tmp_path):
    path = write_video(tmp_path / "uneven.mp4", toy_frames(8), times=[t + 3 for t in UNEVEN])
    frames, reader = frames_of(path)
    assert [index for index, _, _ in frames] == list(range(8)) and reader.count == 8 and reader.broken == 0
    np.testing.assert_allclose([time for _, time, _ in frames], UNEVEN, atol=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_containers(tmp_path, suffix):
    path = write_video(tmp_path / f"clip{suffix}", toy_frames(5))
    assert is_video(path)
    frames, _ = frames_of(path)
    assert len(frames) == 5 and np.abs(frames[3][2].astype(int) - toy_frames(5)[3]).mean() < 6


def test_a_phone_held_upright_gives_upright_frames(tmp_path):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:16, :16] = 255  # the top left corner
    frames, _ = frames_of(write_video(tmp_path / "portrait.mp4", [image] * 3, quarter_turn=True))
    turned = frames[0][2]
    assert turned.shape == (96, 64, 3)
    assert turned[:12, -12:].mean() > 200 > 50 > turned[:12, :12].mean()  # turned clockwise: top right


def test_broken_frames_are_left_out_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    noisy = [(f // 2 + rng.integers(0, 100, f.shape)).astype(np.uint8) for f in toy_frames(40)]
    path = write_video(tmp_path / "damaged.mkv", noisy, gop=8)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 12] = rng.integers(0, 256, len(data) // 12, np.uint8).tobytes()
    path.write_bytes(data)
    frames, reader = frames_of(path)
    assert reader.broken > 0 and 20 <= len(frames) < 40
    times = [time for _, time, _ in frames]
    assert all(a < b for a, b in pairwise(times))


def test_a_file_cut_short_gives_what_there_is(tmp_path):
    path = write_video(tmp_path / "cut.mkv", toy_frames(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, _ = frames_of(path)
    assert 5 < len(frames) < 40


def test_what_is_no_video_is_said_in_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no video at all")
    whole = write_video(tmp_path / "whole.mp4", toy_frames(3)).read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 3])
    for name, words in {
        "none.mp4": "no such file",
        "empty.mp4": "is empty",
        "text.mp4": "not a video",
        "headless.mp4": "headless.mp4: ",
        write_sound(tmp_path / "sound.m4a").name: "only sound",
    }.items():
        with pytest.raises(VideoError, match=words):
            frames_of(tmp_path / name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(HandscopeError, match=r"pip install '\.\[video\]'"):
        VideoReader(tmp_path / "whole.mp4")


def test_videos_are_known_by_content_not_by_name(tmp_path):
    video = write_video(tmp_path / "clip.mp4", toy_frames(2))
    (tmp_path / "photo.jpg").write_bytes(video.read_bytes())
    (tmp_path / "heic.mp4").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "odd.ts").write_bytes(b"G" * 400)
    assert is_video(tmp_path / "photo.jpg") and is_video(tmp_path / "odd.ts")
    assert not is_video(tmp_path / "heic.mp4") and not is_video(tmp_path / "none.mp4") and not is_video(tmp_path)


def test_a_video_has_tracked_hands(toy_weights, tmp_path):
    model = load(toy_weights, threads=1)
    path = write_video(tmp_path / "clip.mp4", toy_frames(6))
    frames = list(model.video(path, K=500.0))
    assert [frame.index for frame in frames] == list(range(6))
    assert {(hand.track, hand.handedness) for frame in frames for hand in frame.hands} == {(0, "right")}
    assert frames[0].hands[0].K[0, 0] == 500 and frames[0].hands[0].K[0, 2] == 159.5
    pairs = [(frame.time, frame.image) for frame in frames]
    again = list(track(model.models, pairs, K=500.0))
    np.testing.assert_array_equal(again[5].hands[0].joints_2d, frames[5].hands[0].joints_2d)
    raw = list(track(model.models, pairs, config=TrackingConfig(smoothing=None)))
    assert np.abs(raw[5].hands[0].joints_2d - again[5].hands[0].joints_2d).max() > 0.1


@pytest.mark.parametrize("size", [(64, 96), (63, 97)])
def test_an_overlay_keeps_times_and_has_even_sides(tmp_path, size):
    height, width = size
    writer = OverlayWriter(tmp_path / "overlay.mp4", rate=29.97)
    for i, time in enumerate(UNEVEN):
        picture = np.full((height, width, 3), 25 * i, np.uint8)
        writer.write(VideoFrame(i, time, picture, Hands(width=picture.shape[1], height=picture.shape[0])), picture)
    assert not (tmp_path / "overlay.mp4").exists()  # nobody sees half a file
    writer.close()
    times, images = read_back(tmp_path / "overlay.mp4")
    np.testing.assert_allclose(times, UNEVEN, atol=1e-3)
    assert images[0].shape == (64, 96 + 2 * (width % 2), 3)
    np.testing.assert_allclose([image.mean() for image in images], [25 * i for i in range(8)], atol=6)
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


def overlay_of(path, picture):
    writer = OverlayWriter(path, rate=25)
    try:
        writer.write(VideoFrame(0, 0.0, picture, Hands(width=picture.shape[1], height=picture.shape[0])), picture)
    finally:
        writer.close()


def test_an_overlay_of_what_no_encoder_takes_is_scaled_down(tmp_path):
    """Found by fuzzing: of a clip 2 px wide and 20,000 high came a traceback."""
    overlay_of(tmp_path / "overlay.mp4", np.full((20_000, 5, 3), 90, np.uint8))
    (image,) = read_back(tmp_path / "overlay.mp4")[1]
    assert image.shape == (16_384, 4, 3) and abs(image.mean() - 90) < 6


def test_an_encoder_that_fails_is_one_sentence_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("handscope.infer.video_files.LONGEST", 30_000)
    with pytest.raises(VideoError, match="cannot encode pictures of 2x20000 px") as caught:
        overlay_of(tmp_path / "overlay.mp4", np.zeros((20_000, 2, 3), np.uint8))
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_lines_and_table_say_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    hands = [dataclasses.replace(posed_hand(64, 48, s), track=i) for i, s in enumerate(("left", "right"))]
    lines, table = LinesWriter(tmp_path / "hands.jsonl"), TableWriter(tmp_path / "hands.parquet")
    for i in range(600):  # more rows than a row group
        frame = VideoFrame(
            i, i / 30, np.zeros((48, 64, 3), np.uint8), Hands(hands if i % 3 else [], width=64, height=48)
        )
        lines.write(frame, frame.image)
        table.write(frame, frame.image)
        assert len((tmp_path / "hands.jsonl").read_text().splitlines()) == i + 1
    lines.close()
    table.close()
    told = read_lines(tmp_path / "hands.jsonl")
    rows = parquet.read_table(tmp_path / "hands.parquet").to_pylist()
    flat = [(f["frame"], hand) for f in told for hand in f["hands"]]
    assert len(rows) == len(flat) == 800 and len(told) == 600 and told[0]["hands"] == []
    for (number, hand), row in zip(flat[::37], rows[::37], strict=True):
        assert (row["frame"], row["track"], row["handedness"]) == (number, hand["track"], hand["handedness"])
        np.testing.assert_allclose(np.reshape(row["joints_3d"], (21, 3)), hand["joints_3d"], atol=1e-4)
        np.testing.assert_allclose(np.reshape(row["R"], (3, 3)), hand["R"], atol=1e-5)


def test_a_camera_gives_rgb_and_the_clocks_times():
    clock = iter([10.0, 10.5, 11.25])
    capture = FakeCapture(toy_frames(2))
    frames = list(CameraReader(capture, clock=lambda: next(clock)))
    assert [(index, time) for index, time, _ in frames] == [(0, 0.5), (1, 1.25)]
    np.testing.assert_array_equal(frames[1][2], toy_frames(2)[1])


def test_a_camera_that_is_not_there_is_said_in_one_sentence():
    with pytest.raises(VideoError, match="cannot be opened"):
        CameraReader(FakeCapture([], is_open=False))
    with pytest.raises(VideoError, match="no pictures"):
        list(CameraReader(FakeCapture([])))
