"""The page: what stands on it, and, in a headless Chromium, that a picture and a webcam come through it.

The browser is Debian's `chromium`; without it, or without Gradio or playwright, its test is skipped.
"""

import gc
import io
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import toy_frames, write_video
from glb_reader import Glb
from handscope.apps import web
from handscope.apps.cli import main
from handscope.errors import HandscopeError, ImageError
from handscope.infer.pipeline import load
from toy_networks import blobs, paint, toy_joints

LEFT = blobs((180, 120), 70, 0.4, "left")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(paint(320, 240, [LEFT])).save(path)
    return path


def test_every_kind_of_file_can_be_downloaded(model, photo):
    desk = web.Desk(model)
    picture, hands = desk.find(str(photo), None)
    files = desk.write(picture, hands)
    names = {Path(file).name for file in files}
    assert {"hands.glb", "hand-0.obj", "hand-0.ply", "result.json", "hands.csv", "coco.json", "mano-0.npz"} <= names
    assert {"overlay.png", "mask-0.png", "hands.npz", "track_hands.json", "dex-0.npy"} <= names
    assert hands.source == "photo.png" and str(photo.parent) not in Path(files[-1]).read_bytes().decode("latin1")


def test_old_answers_make_room(model, photo, monkeypatch):
    monkeypatch.setattr(web, "KEPT", 2)
    desk = web.Desk(model)
    answers = [desk.write(*desk.find(str(photo), None)) for _ in range(3)]
    assert [Path(files[0]).exists() for files in answers] == [False, True, True]


def test_the_table_has_pixels_and_millimetres(model, photo):
    _, hands = web.Desk(model).find(str(photo), 500.0)
    table = web.rows(hands, web.ALL)
    assert len(table) == 21 and len(table[0]) == len(web.COLUMNS) and table[8][:2] == ["left", "index_tip"]
    np.testing.assert_allclose([row[2:4] for row in table], toy_joints(*LEFT), atol=1.0)
    np.testing.assert_allclose([row[5:] for row in table], hands[0].joints_3d * 1000, atol=0.06)
    assert hands[0].K[0, 0] == 500 and "**left** hand, score" in web.summary(hands)
    assert web.rows(hands, "right") == [] and not web.mask_of(web.chosen(hands, "right")).any()
    assert (web.mask_of(hands) == hands[0].mask * 255).all()


def test_the_page_tells_the_joints_that_are_chosen(model, photo, toy_weights):
    desk = web.Desk(model)
    assert desk.conventions()[0] == "anatomical" and "mano" not in desk.conventions() and len(desk.conventions()) == 6
    (_, own), (_, moved) = desk.find(str(photo), None), desk.find(str(photo), None, "stb")
    np.testing.assert_allclose(moved[0].joints_3d, own[0].in_convention("stb").joints_3d)
    other = web.Desk(load(toy_weights, threads=1, joint_convention="mediapipe"))
    assert other.conventions()[0] == "mediapipe" and other.find(str(photo), None)[1][0].joint_convention == "mediapipe"


def test_the_page_looks_as_it_is_told(model, photo):
    desk = web.Desk(model)
    score = desk.find(str(photo), None)[1][0].score
    assert not desk.find(str(photo), None, min_score=min(score + 0.01, 1.0))[1]
    assert len(desk.find(str(photo), None, min_score=0.1, tiles=2)[1]) == 1
    assert len(desk.find(str(photo), None)[1]) == 1  # the model is as it was


def test_a_video_is_followed_on_the_page(model, tmp_path):
    pytest.importorskip("av")
    told = []
    clip = write_video(tmp_path / "clip.mp4", toy_frames(4))
    desk = web.Desk(model)
    overlay, files, said = desk.film(str(clip), None, lambda done, total: told.append((done, total)))
    assert Path(overlay).stat().st_size > 500 and told == [(n, 4) for n in (1, 2, 3, 4)]
    assert {Path(file).name for file in files} >= {"overlay.mp4", "hands.jsonl"} and said.startswith("4 frames; right")
    (tmp_path / "no.mp4").write_text("no video")
    with pytest.raises(HandscopeError, match=r"no\.mp4"):
        desk.film(str(tmp_path / "no.mp4"), None)


def test_gradio_leaves_bad_pictures_to_us(tmp_path):
    """Its own part would open the file first, and say what Pillow says; and nothing is written beside our source."""
    gradio = pytest.importorskip("gradio")
    (tmp_path / "bad.jpg").write_text("no picture")
    payload = gradio.data_classes.ImageData(path=str(tmp_path / "bad.jpg"))
    assert web.uploaded(payload) == str(tmp_path / "bad.jpg") and web.uploaded(None) is None
    error = web.refusal(HandscopeError(f"{tmp_path}/bad.jpg: not a picture"), str(tmp_path / "bad.jpg"))
    assert error.message == "bad.jpg: not a picture"
    assert not list(Path(web.__file__).parent.glob("*.pyi"))


def test_examples_are_there_with_their_credits():
    credits = (web.EXAMPLES / "CREDITS.md").read_text()
    for name in web.EXAMPLE_NAMES:
        with Image.open(web.EXAMPLES / name) as picture:
            assert picture.width >= 600 and name in credits


def test_a_bomb_is_refused(model, tmp_path):
    Image.new("1", (9000, 9000)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="million pixels"):
        web.Desk(model).find(str(tmp_path / "a.png"), None)


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["web"]) == 2
    assert "pip install '.[web]'" in capsys.readouterr().err


SERVER = """
import socket, sys
from handscope.apps import web
from handscope.apps.access import Access
from handscope.infer.pipeline import load

connect = socket.socket.connect

def watched(self, address):
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        print("outside:", address, flush=True)
    return connect(self, address)

socket.socket.connect = watched
web.require_gradio()
web.launch(load(sys.argv[1], threads=1), Access(), host="127.0.0.1", port=int(sys.argv[2]))
"""
"""The page in a process of its own, which tells of every address beyond this machine that it tries to reach."""


@pytest.fixture
def address(toy_weights, tmp_path):
    pytest.importorskip("gradio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [sys.executable, "-c", SERVER, str(toy_weights), str(port)]
        server = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        text = log.read_text().replace("gradio.exceptions.Error", "")
        assert "outside:" not in text and ("Traceback" not in text or "bad.jpg" in text)
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
def test_the_page_in_a_browser(address, photo):
    playwright = pytest.importorskip("playwright.sync_api")
    film = photo.with_suffix(".mjpeg")
    Image.open(photo).save(film, "JPEG", quality=95)
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream"]
    flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
    flags += ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = browser.new_context(viewport={"width": 1280, "height": 1100}, permissions=["camera"])
        context.set_default_timeout(60_000)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        answer = page.goto(address)
        assert "connect-src 'self'" in answer.headers["content-security-policy"]

        bad = photo.with_name("bad.jpg")
        bad.write_text("no picture")
        page.set_input_files("#picture input[type=file]", bad)
        page.wait_for_selector("text=bad.jpg: not a picture Handscope can read")
        page.reload()

        page.set_input_files("#picture input[type=file]", photo)
        page.wait_for_selector("#said >> text=left hand, score")
        page.wait_for_selector("#overlay img")
        assert "index_tip" in page.inner_text("#joints") and page.locator("#which label").count() == 2

        canvas = page.locator("#mesh canvas")
        canvas.wait_for()
        before = settled(page, canvas)
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 150, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 350, box["y"] + 200, steps=8)
        page.mouse.up()
        assert differ(before, settled(page, canvas))  # turned

        page.get_by_role("tab", name="Files").click()
        with page.expect_download() as download:
            page.click("#files a[download='hands.glb']")
        mesh = Glb(Path(download.value.path()).read_bytes())
        assert mesh.skinned().shape == (1817, 3)  # cut open at the seams of its texture

        page.locator("#picture").get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
        page.wait_for_selector("#overlay img", state="detached")
        page.click("#picture button[aria-label='Capture from camera']")
        page.get_by_text("Click to Access Webcam").click()
        page.click("#picture button[aria-label='capture photo']")
        page.wait_for_selector("#said >> text=left hand, score")  # seen as it is, not mirrored
        page.wait_for_selector("#overlay img")

        phone = browser.new_page(viewport={"width": 390, "height": 844})
        phone.goto(address)
        phone.set_input_files("#picture input[type=file]", photo)
        phone.wait_for_selector("#said >> text=left hand, score", timeout=60_000)
        canvas = phone.locator("#mesh canvas")
        canvas.scroll_into_view_if_needed(timeout=60_000)
        assert settled(phone, canvas).std() > 3  # the mesh shows
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not foreign
    gc.collect()  # playwright's event loop: told here, where warnings are ignored


def settled(page, canvas) -> np.ndarray:
    """The canvas once two pictures of it in a row are the same and show something."""
    last = None
    for _ in range(60):
        page.wait_for_timeout(500)
        now = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB"), np.int16)
        if last is not None and not differ(last, now) and now.std() > 3:
            return now
        last = now
    raise AssertionError("the mesh did not come to rest")


def differ(one: np.ndarray, two: np.ndarray) -> bool:
    return one.shape != two.shape or np.abs(one - two).mean() > 0.5
