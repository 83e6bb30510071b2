"""MediaPipe's documented examples run with the import line changed, and say what handscope says of the picture."""

import threading

import cv2
import numpy as np
import pytest

import handscope.compat.mediapipe as mp
from compat import mediapipe_examples as examples
from handscope.compat.mediapipe import reading
from handscope.infer.models import MIN_SCORE
from handscope.infer.pipeline import load
from toy_networks import blobs, paint, toy_joints

LEFT, RIGHT = blobs((220, 120), 70, 0.4, "left"), blobs((90, 120), 70, -0.2, "right")
"""The stand-in detector sees one hand in a picture."""
NOTE = pytest.mark.filterwarnings("ignore:.*is not read. handscope has its own weights")


@pytest.fixture(autouse=True)
def toys(toy_weights, monkeypatch):
    """The stand-in networks, which see the toy hands exactly, with their own joints."""
    monkeypatch.setattr(reading, "open_pipeline", lambda score: load(toy_weights, threads=1, min_score=score))


@pytest.fixture
def picture() -> np.ndarray:
    return paint(320, 240, [LEFT])


def run(example: str, **names) -> dict:
    """The example with its import lines changed and nothing else."""
    for line in ("import mediapipe as mp", "from mediapipe"):
        example = example.replace(line, line.replace("mediapipe", "handscope.compat.mediapipe", 1))
    exec(compile(example, "example", "exec"), names)
    return names


def places(landmarks, width=320, height=240) -> np.ndarray:
    """Landmarks (21, 2) in px, ours (pixels' centres at integers)."""
    return np.array([[p.x * width - 0.5, p.y * height - 0.5] for p in landmarks])


def test_the_still_example_runs(picture, tmp_path, monkeypatch, capsys) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((240, 320, 3), np.uint8))
    shown = []
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gcf()))
    files = f"IMAGE_FILES = {[str(tmp_path / name) for name in ('a.png', 'empty.png')]}"
    text = examples.STILL.replace("IMAGE_FILES = []", files).replace("/tmp/annotated", f"{tmp_path}/annotated")
    names = run(text)
    pyplot.close("all")
    told = capsys.readouterr().out
    assert told.count('label: "Left"') == 1 and 'label: "Right"' not in told and "Handedness: None" in told  # flipped
    assert told.count("landmark {") == 21 and len(shown) == 1 and names["results"].multi_hand_landmarks is None
    drawn = cv2.imread(str(tmp_path / "annotated_image0.png"))
    x, y = toy_joints(*LEFT)[8].astype(int)
    assert (drawn[y - 3 : y + 4, x - 3 : x + 4] != picture[y - 3 : y + 4, x - 3 : x + 4, ::-1]).any()


class Camera:
    """`cv2.VideoCapture` with five frames, one of which is lost."""

    def __init__(self, frames: list[np.ndarray]) -> None:
        self.frames = frames

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        frame = self.frames.pop(0)
        return frame is not None, frame

    def release(self) -> None:
        self.frames = []


def test_the_webcam_example_runs(picture, monkeypatch) -> None:
    frames, shown = [picture[..., ::-1].copy() for _ in range(4)], []
    camera = Camera([frames[0], None, *frames[1:]])
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: camera)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda ms: 27 if len(shown) == 4 else -1)
    names = run(examples.WEBCAM)
    assert len(shown) == 4 and not camera.frames and len(names["results"].multi_hand_landmarks) == 1
    assert not np.array_equal(shown[-1], picture[:, ::-1, ::-1])


@NOTE
@pytest.mark.parametrize("mode", ["IMAGE_MODE", "VIDEO_MODE", "LIVE_MODE"])
def test_the_guides_examples_run(picture, mode, tmp_path, capsys) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    text = getattr(examples, mode).replace("/path/to/image", str(tmp_path / "a.png"))
    names = run(text, numpy_frame_from_opencv=picture, frame_timestamp_ms=40)
    if mode == "LIVE_MODE":
        assert capsys.readouterr().out.startswith("hand landmarker result: HandLandmarkerResult(handedness=[[Category(")
        return
    result = names["hand_landmarker_result"]
    assert len(result.handedness) == len(result.hand_landmarks) == len(result.hand_world_landmarks) == 1  # num_hands
    assert result.hand_landmarks[0][0].visibility == 0.0 and len(result.hands) == 1


@NOTE
def test_the_notebook_runs(picture, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("image.jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    names = run(examples.NOTEBOOK)
    result, drawn = names["detection_result"], names["annotated_image"]
    np.testing.assert_allclose(places(result.hand_landmarks[0]), toy_joints(*LEFT), atol=2.0)
    assert (drawn != names["image"].numpy_view()).any() and result.handedness[0][0].category_name == "Left"


@pytest.mark.parametrize("shown", [LEFT, RIGHT])
def test_sides_suppose_a_mirrored_picture_in_solutions_alone(shown) -> None:
    """As MediaPipe 0.10.21 does, measured on photographs."""
    picture = paint(320, 240, [shown])
    with mp.solutions.hands.Hands(static_image_mode=True) as hands:
        told = hands.process(picture)
    for ours, theirs in zip(told.hands, told.multi_handedness, strict=True):
        assert theirs.classification[0].label.lower() != ours.handedness
        assert theirs.classification[0].index == ("Left", "Right").index(theirs.classification[0].label)
    options = mp.tasks.vision.HandLandmarkerOptions(mp.tasks.BaseOptions(), num_hands=2)
    with mp.tasks.vision.HandLandmarker.create_from_options(options) as landmarker:
        result = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, picture))
    for ours, (theirs,) in zip(result.hands, result.handedness, strict=True):
        assert theirs.category_name.lower() == ours.handedness and theirs.index == int(ours.handedness == "left")


def test_depth_is_from_the_wrist_and_world_landmarks_are_about_the_middle(picture) -> None:
    told = mp.solutions.hands.Hands(static_image_mode=True).process(picture)
    for hand, flat, world in zip(told.hands, told.multi_hand_landmarks, told.multi_hand_world_landmarks, strict=True):
        z = np.array([p.z for p in flat.landmark])
        wanted = (hand.joints_3d[:, 2] - hand.joints_3d[0, 2]) * hand.K[0, 0] / hand.joints_3d[0, 2] / 320
        np.testing.assert_allclose(z, wanted, atol=1e-6)
        metres = np.array([[p.x, p.y, p.z] for p in world.landmark])
        np.testing.assert_allclose(metres.mean(0), 0, atol=1e-7)
        np.testing.assert_allclose(metres - metres[0], hand.joints_3d - hand.joints_3d[0], atol=1e-6)


def test_confidences_keep_their_ends_and_their_default() -> None:
    assert [reading.least_score(c) for c in (0.0, 0.5, 1.0)] == [0.0, MIN_SCORE, 1.0]
    with pytest.raises(ValueError, match="from 0 to 1"):
        reading.least_score(50)


def test_joints_are_mediapipes(toy_weights, monkeypatch) -> None:
    monkeypatch.undo()
    assert reading.open_pipeline(MIN_SCORE).joint_convention == "mediapipe"


def test_a_live_stream_answers_in_another_thread_and_lets_frames_go(picture) -> None:
    answers, going = [], threading.Event()

    def told(result, image, time_ms) -> None:
        going.wait(10)
        answers.append((time_ms, len(result.hands), threading.current_thread() is threading.main_thread()))

    options = mp.tasks.vision.HandLandmarkerOptions(
        mp.tasks.BaseOptions(), mp.tasks.vision.RunningMode.LIVE_STREAM, num_hands=2, result_callback=told
    )
    image = mp.Image(mp.ImageFormat.SRGB, picture)
    with mp.tasks.vision.HandLandmarker.create_from_options(options) as landmarker:
        for time_ms in (10, 20, 30):
            landmarker.detect_async(image, time_ms)
        with pytest.raises(ValueError, match="monotonically"):
            landmarker.detect_async(image, 30)
        going.set()
    assert answers == [(10, 1, False)]


def test_mistakes_are_told_as_mediapipe_tells_them(picture, tmp_path) -> None:
    vision, base = mp.tasks.vision, mp.tasks.BaseOptions()
    with pytest.raises(ValueError, match="three channel rgb"):
        mp.solutions.hands.Hands().process(picture[..., 0])
    landmarker = vision.HandLandmarker.create_from_options(vision.HandLandmarkerOptions(base))
    with pytest.raises(ValueError, match=r"not initialized with the video mode. Current running mode:IMAGE"):
        landmarker.detect_for_video(mp.Image(mp.ImageFormat.SRGB, picture), 1)
    for wrong in ({"running_mode": vision.RunningMode.LIVE_STREAM}, {"result_callback": print}):
        with pytest.raises(ValueError, match="result callback"):
            vision.HandLandmarker(vision.HandLandmarkerOptions(base, **wrong))
    with pytest.raises(RuntimeError, match=r"nowhere\.jpg"):
        mp.Image.create_from_file(tmp_path / "nowhere.jpg")
    with pytest.raises(ValueError, match="SRGBA is uint8 with 4"):
        mp.Image(mp.ImageFormat.SRGBA, picture)
    for absent in (lambda: mp.solutions.pose, lambda: vision.FaceLandmarker):
        with pytest.raises(AttributeError, match="hands only"):
            absent()
    with pytest.warns(UserWarning, match=r"a\.task is not read"):
        mp.tasks.BaseOptions(model_asset_path="a.task")


def test_grey_and_transparent_pictures_and_landmarks_outside_are_taken(picture) -> None:
    vision = mp.tasks.vision
    landmarker = vision.HandLandmarker.create_from_options(vision.HandLandmarkerOptions(mp.tasks.BaseOptions()))
    clear = np.dstack([picture, np.full((240, 320), 255, np.uint8)])
    assert len(landmarker.detect(mp.Image(mp.ImageFormat.SRGBA, clear)).hands) == 1
    assert isinstance(landmarker.detect(mp.Image(mp.ImageFormat.GRAY8, picture[..., 0])), vision.HandLandmarkerResult)
    (joints, *_) = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, picture)).hand_landmarks
    canvas, other = picture.copy(), picture.copy()
    vision.drawing_utils.draw_landmarks(canvas, joints, vision.HandLandmarksConnections.HAND_CONNECTIONS)
    joints[8].x = 1.5
    vision.drawing_utils.draw_landmarks(other, joints, vision.HandLandmarksConnections.HAND_CONNECTIONS)
    assert (canvas != picture).any() and (canvas != other).any()
    with pytest.raises(ValueError, match="out of range"):
        vision.drawing_utils.draw_landmarks(canvas, joints, [(0, 21)])
