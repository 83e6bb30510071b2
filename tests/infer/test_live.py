"""Cameras and streams: the newest picture wins, what breaks off comes back, what is not there is one sentence."""

from __future__ import annotations

import http.server
import threading
import time

import cv2
import numpy as np
import pytest

from handscope.errors import VideoError
from handscope.infer import live
from handscope.infer.frames import open_frames
from handscope.infer.live import CameraReader, is_live


class Paced:
    """A camera that gives a grey picture of its number every few milliseconds, `count` of them when it is opened."""

    def __init__(self, count=40, pause_s=0.005):
        self.count, self.pause_s, self.number, self.asked, self.released = count, pause_s, 0, {}, False
        self.opened = []

    def __call__(self, *arguments):
        self.opened.append(arguments)
        self.number = 0
        return self

    def isOpened(self):
        return True

    def set(self, key, value):
        self.asked[key] = value
        return True

    def read(self):
        time.sleep(self.pause_s)
        if self.number >= self.count:
            return False, None
        self.number += 1
        return True, np.full((4, 6, 3), self.number - 1, np.uint8)

    def release(self):
        self.released = True


@pytest.fixture
def paced(monkeypatch):
    camera = Paced()
    monkeypatch.setattr(cv2, "VideoCapture", camera)
    monkeypatch.setattr(live, "FIRST_PAUSE_S", 0.01)
    return camera


def test_who_looks_slowly_sees_the_newest_picture(paced):
    reader = CameraReader(0)
    seen = []
    for index, at, image in reader:
        assert image[0, 0, 0] == index
        seen.append(index)
        assert reader.now() - at < 0.02 + 0.05  # what is shown has just come, whoever slept before
        time.sleep(0.03)
    reader.close()
    assert seen[0] < 3 and 4 <= len(seen) < 30 and max(np.diff(seen)) > 2
    assert paced.released


def test_size_and_rate_are_asked_of_the_camera(paced):
    CameraReader(1, size=(1280, 720), rate=60.0).close()
    assert paced.opened == [(1,)]
    asked = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
    assert [paced.asked[name] for name in asked] == [1280, 720, 60.0]


def test_a_stream_that_breaks_off_is_opened_again_and_numbers_go_on(paced):
    paced.count = 5
    reader = CameraReader("rtsp://camera/stream")
    numbers = []
    for index, _, _ in reader:
        numbers.append(index)
        if index > 12:
            break
    reader.close()
    assert reader.reopened >= 2 and numbers == sorted(set(numbers))
    assert all(arguments[0] == "rtsp://camera/stream" for arguments in paced.opened)


def test_a_stream_that_stays_away_ends(paced, monkeypatch):
    paced.count = 3
    monkeypatch.setattr(paced, "isOpened", lambda: len(paced.opened) == 1)
    reader = CameraReader("http://camera/mjpeg", patience_s=0.1)
    assert [index for index, _, _ in reader][-1] == 2
    assert len(paced.opened) > 2
    reader.close()


def test_a_camera_that_ends_has_ended(paced):
    paced.count = 2
    reader = CameraReader(0)
    assert [index for index, _, _ in reader][-1] == 1 and len(paced.opened) == 1
    reader.close()


def test_what_is_live():
    assert is_live(0) and is_live("rtsp://a/b") and is_live("http://a:80/x.mjpeg") and is_live("/dev/null")
    assert not is_live("clip.mp4") and not is_live("C:/clip.mp4") and not is_live(True) and not is_live([])


def test_passwords_are_not_told(monkeypatch):
    monkeypatch.setattr(Paced, "isOpened", lambda self: False)
    monkeypatch.setattr(cv2, "VideoCapture", Paced())
    with pytest.raises(VideoError, match=r"rtsp://\.\.\.@host/x: cannot be opened") as told:
        CameraReader("rtsp://me:secret@host/x")
    assert "secret" not in str(told.value)


def test_a_stream_over_http_is_read_by_its_address():
    """MJPEG as webcams serve it, by OpenCV's own FFmpeg."""

    class Webcam(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for value in range(40):
                _, data = cv2.imencode(".jpg", np.full((48, 64, 3), 5 * value, np.uint8))
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + data.tobytes() + b"\r\n")
                except OSError:
                    return
                time.sleep(0.01)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webcam)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with open_frames(f"http://127.0.0.1:{server.server_address[1]}/video.mjpg") as reader:
            assert isinstance(reader, CameraReader)
            _, _, picture = next(iter(reader.pictures()))
        assert picture.image.shape == (48, 64, 3)
    finally:
        server.shutdown()
        server.server_close()
