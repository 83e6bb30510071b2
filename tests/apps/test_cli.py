"""The command line, end to end around stand-in networks: every kind of file a user may name."""

import json
import os
import re
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from clips import write_video
from handscope import __version__
from handscope.apps.analyse import output_names
from handscope.apps.cli import COMMANDS, main
from toy_networks import blobs, paint, toy_joints

LEFT = blobs((180, 120), 70, 0.4, "left")


@pytest.fixture(scope="module")
def toy_picture():
    return paint(320, 240, [LEFT])


@pytest.fixture
def run(toy_weights, tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; gives exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def go(*arguments):
        code = main([*map(str, arguments), "--weights", str(toy_weights), "--threads", "1"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return go


def one_sentence(text: str) -> bool:
    return text.startswith("handscope: ") and text.count("\n") == 1 and "Traceback" not in text


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_python_dash_m_is_the_command():
    told = subprocess.run([sys.executable, "-m", "handscope", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["handscope", __version__]


def test_a_picture_gives_overlay_mesh_and_numbers(run, tmp_path, toy_picture):
    Image.fromarray(toy_picture).save("photo.png")
    code, out, err = run("photo.png")
    assert (code, err) == (0, "")
    assert files(tmp_path / "out") == ["photo/hand-0.glb", "photo/overlay.png", "photo/result.json"]
    content = json.loads((tmp_path / "out/photo/result.json").read_text())
    (hand,) = content["hands"]
    assert hand["handedness"] == "left" and content["image"]["source"] == "photo.png"
    np.testing.assert_allclose(hand["joints_2d"], toy_joints(*LEFT), atol=1.0)
    assert "left" in out and "1 hand in 1 picture; files in out/photo/" in out


def test_flags_choose_what_is_written(run, tmp_path, toy_picture):
    Image.fromarray(toy_picture).save("photo.png")
    assert run("photo.png", "--mask", "--obj", "--npz", "--out", "there")[0] == 0
    assert files(tmp_path / "there") == ["photo/hand-0.obj", "photo/hands.npz", "photo/mask-0.png"]
    mask = cv2.imread(str(tmp_path / "there/photo/mask-0.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (240, 320) and set(np.unique(mask)) == {0, 255}


def test_every_kind_of_file_can_be_asked_for(run, tmp_path, toy_picture):
    Image.fromarray(toy_picture).save("photo.png")
    kinds = ("ply", "mano-npz", "csv", "coco", "track-hands", "dex")
    assert run("photo.png", *(f"--{kind}" for kind in kinds))[0] == 0
    names = ["coco.json", "dex-0.npy", "hand-0.ply", "hands.csv", "mano-0.npz", "track_hands.json"]
    assert files(tmp_path / "out/photo") == names
    assert np.load(tmp_path / "out/photo/dex-0.npy").shape == (21, 3)
    (cell,) = json.loads((tmp_path / "out/photo/track_hands.json").read_text())
    np.testing.assert_allclose(cell["kp2d"], toy_joints(*LEFT), atol=1.0)


def test_files_of_an_earlier_run_with_more_hands_go(run, tmp_path, toy_picture):
    Image.fromarray(toy_picture).save("photo.png")
    folder = tmp_path / "out/photo"
    folder.mkdir(parents=True)
    for name in ("hand-1.glb", "hand-12.glb", "hand-x.glb", "notes.txt"):
        (folder / name).touch()
    run("photo.png")
    assert files(folder) == ["hand-0.glb", "hand-x.glb", "notes.txt", "overlay.png", "result.json"]


def sixteen_bit(picture, path):
    Image.fromarray(picture.max(-1).astype(np.uint16) * 257).save(path)


def animated(picture, path):
    still = Image.fromarray(picture)
    still.save(path, save_all=True, append_images=[Image.new("RGB", still.size, c) for c in ("red", "blue")])


def turned(picture, path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: stored a quarter turn anticlockwise
    Image.fromarray(np.ascontiguousarray(np.rot90(picture, 1))).save(path, quality=95, exif=exif)


READABLE = {
    "jpeg": ("photo.jpg", lambda picture, path: Image.fromarray(picture).save(path, quality=95)),
    "exif": ("photo.jpg", turned),
    "animated": ("photo.gif", animated),
    "cmyk": (
        "photo.jpg",
        lambda picture, path: Image.fromarray(picture).convert("CMYK").save(path, quality=98),
    ),
    "rgba": ("photo.png", lambda picture, path: Image.fromarray(picture).convert("RGBA").save(path)),
    "sixteen": ("photo.png", sixteen_bit),
    "grey": ("photo.png", lambda picture, path: Image.fromarray(picture).convert("L").save(path)),
    "pixel": ("photo.png", lambda picture, path: Image.new("RGB", (1, 1), "white").save(path)),
    "palette": ("photo.png", lambda picture, path: Image.fromarray(picture).quantize(256).save(path)),
}


@pytest.mark.parametrize("kind", READABLE)
def test_every_kind_of_picture_is_read(run, tmp_path, toy_picture, kind):
    name, save = READABLE[kind]
    save(toy_picture, tmp_path / name)
    code, out, err = run(name, "--json")
    assert (code, err) == (0, "")
    content = json.loads((tmp_path / "out/photo/result.json").read_text())
    size = (1, 1) if kind == "pixel" else (320, 240)
    assert (content["image"]["width"], content["image"]["height"]) == size
    if kind in ("grey", "sixteen", "pixel"):  # no colours, so no toy hand
        assert f"no hand found in {name}" in out
    else:
        np.testing.assert_allclose(content["hands"][0]["joints_2d"], toy_joints(*LEFT), atol=4.0)
    said = {"animated": "GIF with several frames: the first one is used", "pixel": "1 x 1 px is too small"}
    assert said.get(kind, "") in out
    assert all(said[kind] in note for note in content["image"]["notes"])


def truncated(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:4000])


UNREADABLE = {
    "truncated": (truncated, "damaged or cut short"),
    "empty": (lambda path: path.touch(), "empty"),
    "text": (lambda path: path.write_text("no picture"), "not a picture"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_picture_gives_one_sentence(run, tmp_path, kind):
    make, words = UNREADABLE[kind]
    make(tmp_path / "photo.png")
    code, _, err = run("photo.png")
    assert code == 1 and one_sentence(err) and words in err and "photo.png" in err
    assert not (tmp_path / "out/photo").exists()


def test_one_bad_picture_does_not_stop_the_others(run, tmp_path, toy_picture):
    (tmp_path / "in").mkdir()
    Image.fromarray(toy_picture).save("in/b.png")
    truncated(tmp_path / "in/a.png")
    code, out, err = run("in")
    assert code == 1 and one_sentence(err)
    assert "1 hand in 1 picture, 1 could not be read" in out
    assert files(tmp_path / "out") == ["b/hand-0.glb", "b/overlay.png", "b/result.json"]


def test_pictures_of_the_same_name_do_not_overwrite_each_other(run, tmp_path, toy_picture):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(toy_picture).save(f"{folder}/a.png")
    code, out, _ = run("one", "two/a.png", "two", "--json")
    assert code == 0 and "2 hands in 2 pictures" in out
    assert files(tmp_path / "out") == ["one-a/result.json", "two-a/result.json"]


def test_names_of_output_folders(tmp_path):
    paths = [tmp_path / name for name in ("x/a.png", "x/a.jpg", "x/b.jpg", "y/A.png", "z/x-a.png")]
    names = output_names(paths)
    assert names == ["x-a", "x-a-2", "b", "y-A", "x-a-3"]
    assert len({name.lower() for name in names}) == len(paths)


def in_the_way(tmp_path):
    (tmp_path / "file").touch()
    return ["photo.png", "--out", "file"]


def empty_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    return ["folder"]


BAD_USE = {
    "missing": (lambda _: ["none.jpg"], "none.jpg: no such file"),
    "folder without pictures": (empty_folder, "folder: no pictures in this folder"),
    "file in the way of the output": (in_the_way, "file: cannot write into this folder"),
    "unwritable output": (
        lambda _: ["photo.png", "--out", "/proc/handscope"],
        "cannot write into this folder",
    ),
    "K and focal": (lambda _: ["photo.png", "--K", "9,9,1,1", "--focal", "9"], "either --K or --focal"),
    "K that is none": (lambda _: ["photo.png", "--K", "fisheye"], "a camera is"),
    "lens without K": (lambda _: ["photo.png", "--distortion", "-0.1,0,0,0"], "give --K too"),
    "frames without rate": (lambda _: ["--frames", "."], "--fps"),
    "rate without frames": (lambda _: ["photo.png", "--fps", "30"], "--frames"),
    "frames in a file": (lambda _: ["--frames", "photo.png", "--fps", "30"], "a folder of pictures"),
    "a name too long": (lambda _: ["x" * 300 + ".png"], "cannot look at"),
    "impossible K": (lambda _: ["photo.png", "--K", "-9,9,1,1"], "K must be"),
    "box left of the picture": (lambda _: ["photo.png", "--box", "-90,-90,-5,-5"], "outside the picture"),
    "box outside": (lambda _: ["photo.png", "--box", "900,900,950,950"], "outside the picture"),
    "box inside out": (lambda _: ["photo.png", "--box", "90,90,50,50"], "x1 > x0"),
    "box for two": (lambda _: ["photo.png", "other.png", "--box", "1,1,50,50"], "belongs to one picture"),
    "weights": (lambda _: ["photo.png", "--weights", "none"], "no such folder of weights"),
}


@pytest.mark.parametrize("kind", BAD_USE)
def test_bad_use_gives_one_sentence_and_no_files(toy_weights, tmp_path, monkeypatch, capsys, toy_picture, kind):
    make, words = BAD_USE[kind]
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "other.png"):
        Image.fromarray(toy_picture).save(name)
    arguments = make(tmp_path)
    if "--weights" not in arguments:
        arguments += ["--weights", str(toy_weights)]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert one_sentence(captured.err) and words in captured.err
    assert not list(tmp_path.rglob("*.json")) and not list(tmp_path.rglob("*.glb"))


@pytest.mark.parametrize(
    "arguments", [["a", "--box", "1,2,3"], ["a", "--focal", "-1"], ["a", "--threads", "x"], ["a", "--nope"]]
)
def test_malformed_options_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: handscope" in capsys.readouterr().err


def test_box_and_focal_of_the_user(run, tmp_path, toy_picture):
    Image.fromarray(toy_picture).save("photo.png")
    joints = toy_joints(*LEFT)
    box = ",".join(f"{value:.1f}" for value in [*joints.min(0), *joints.max(0)])
    assert run("photo.png", "--box", box, "--focal", "500", "--json")[0] == 0
    (hand,) = json.loads((tmp_path / "out/photo/result.json").read_text())["hands"]
    np.testing.assert_allclose(hand["joints_2d"], joints, atol=1.0)
    assert hand["K"] == [[500, 0, 159.5], [0, 500, 119.5], [0, 0, 1]]


PHONE = "520,520,190,110"


def test_one_camera_fits_pictures_held_either_way_and_smaller_copies(run, tmp_path, toy_picture):
    (tmp_path / "in").mkdir()
    Image.fromarray(toy_picture).save("in/a.png")
    turned(toy_picture, "in/b.jpg")
    Image.fromarray(toy_picture).resize((160, 120)).save("in/c.png")
    code, _, err = run("in", "--json", "--K", f"{PHONE}@320x240")
    assert (code, err) == (0, "")
    a, b, c = (json.loads((tmp_path / f"out/{name}/result.json").read_text())["hands"][0] for name in "abc")
    assert a["K"][0] == [520, 0, 190] and c["K"][0][0] == 260
    assert b["K"][0][2] == 190 and b["K"][1][2] == 110  # stored on its side: EXIF turns picture and camera back
    for other in (b, c):
        np.testing.assert_allclose(other["joints_3d"], a["joints_3d"], atol=0.03)


def test_a_camera_that_cannot_be_a_pictures_loses_that_picture_alone(run, tmp_path, toy_picture):
    (tmp_path / "in").mkdir()
    Image.fromarray(toy_picture).save("in/a.png")
    Image.fromarray(toy_picture[:100, :100]).save("in/b.png")
    code, out, err = run("in", "--json", "--K", PHONE)
    assert code == 1 and one_sentence(err) and "in/b.png" in err and "outside" in err
    assert files(tmp_path / "out") == ["a/result.json"] and "1 could not be read" in out
    code, _, err = run("in/b.png", "--json", "--K", PHONE)
    assert code == 2 and one_sentence(err)
    code, out, _ = run("in/a.png", "--json", "--K", "exif")
    assert code == 0 and "EXIF tells no focal length" in out


def test_everything_in_a_folder_is_read_or_counted(run, tmp_path, toy_picture):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(toy_picture).save(folder / "a.png")
    Image.fromarray(toy_picture).save(folder / "noname", format="PNG")
    write_video(folder / "clip 1:2.mp4", [toy_picture] * 3)
    (folder / "notes.txt").write_text("x")
    (folder / "data.csv").write_text("x")
    (folder / "sub").mkdir()
    (folder / "gone.png").symlink_to(folder / "none")
    code, out, err = run("in", "--json")
    assert code == 1 and one_sentence(err) and "gone.png" in err
    assert "2 files left out" in out and "data.csv, notes.txt" in out and "1 sub-folders are not searched" in out
    assert files(tmp_path / "out") == ["a/result.json", "clip 1_2/hands.jsonl", "noname/result.json"]
    assert "2 hands in 2 pictures, 1 could not be read" in out and "3 frames" in out


def test_a_folder_of_frames_is_a_video(run, tmp_path, toy_picture):
    (tmp_path / "in").mkdir()
    for number in (1, 2, 10):
        Image.fromarray(toy_picture).save(f"in/f{number}.png")
    code, out, err = run("--frames", "in", "--fps", "10", "--json")
    assert (code, err) == (0, "") and "3 frames" in out
    lines = [json.loads(line) for line in (tmp_path / "out/in/hands.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["time"], len(line["hands"])) for line in lines] == [
        (0, 0, 1),
        (1, 0.1, 1),
        (2, 0.2, 1),
    ]


def test_frames_that_cannot_be_read_keep_their_line(run, tmp_path, toy_picture):
    (tmp_path / "in").mkdir()
    for number in range(6):
        Image.fromarray(toy_picture).save(f"in/f{number}.png")
    for number in (0, 3, 5):
        (tmp_path / f"in/f{number}.png").write_bytes(b"\x89PNG no more")
    code, out, _ = run("--frames", "in", "--fps", "10", "--json")
    assert code == 0 and "3 could not be decoded" in out
    lines = [json.loads(line) for line in (tmp_path / "out/in/hands.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["time"]) for line in lines] == [(i, i / 10) for i in range(6)]
    assert [len(line["hands"]) for line in lines] == [0, 1, 1, 0, 1, 0]
    for line in lines:
        assert (f"f{line['frame']}.png" in line.get("problem", "")) == (line["frame"] in (0, 3, 5))


@pytest.mark.parametrize("name", [b"caf\xe9.png", "a:b.png", "100%.png", "aux.png", "x ..png", "\N{SNOWMAN}.png"])
def test_whatever_a_picture_is_called_it_gets_its_files(run, tmp_path, toy_picture, name):
    name = os.fsdecode(name) if isinstance(name, bytes) else name
    (tmp_path / "in").mkdir()
    Image.fromarray(toy_picture).save(f"in/{name}", format="PNG")
    Image.fromarray(toy_picture).save("in/zz.png")
    code, _, err = run("in", "--json", "--csv", "--coco", "--out", "run:1")
    assert (code, err) == (0, "")
    assert len(files(tmp_path / "run:1")) == 6
    for path in (tmp_path / "run:1").rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode()  # valid
            if path.suffix == ".json":
                assert not re.search(r"(?<!\\)\\ud[89a-f]", text)  # nor by JSON's own escapes


def test_names_do_not_command_the_terminal(run, tmp_path, toy_picture):
    (tmp_path / "in").mkdir()
    Image.fromarray(toy_picture).save("in/a\x1b]0;owned\x07.png", format="PNG")
    (tmp_path / "in/b\x1b[2J.png").write_bytes(b"\x89PNG no more")
    (tmp_path / "in/c\x1b[2J.txt").write_text("")
    for arguments in (("in", "--json"), ("in/none\x1b[2J.png",)):
        _, out, err = run(*arguments)
        assert "\x1b" not in out + err and "\x07" not in out + err
        assert "\\x1b[2J" in out + err


def test_the_home_folder_is_meant_by_its_sign(run, tmp_path, toy_picture, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    Image.fromarray(toy_picture).save(tmp_path / "home/photo.png")
    code, _, err = run("~/photo.png", "--json", "--out=~/results")
    assert (code, err) == (0, "") and files(tmp_path) == ["home/photo.png", "home/results/photo/result.json"]


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 2
    assert "usage: handscope" in capsys.readouterr().err


def test_missing_extras_are_named(monkeypatch, capsys):
    monkeypatch.setitem(COMMANDS, "synth", ("handscope_no_such.module", ""))
    assert main(["synth"]) == 2
    assert "pip install '.[train]'" in capsys.readouterr().err


def seconds(*arguments: str) -> float:
    """The best of three runs of a new interpreter."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def test_help_takes_less_than_half_a_second():
    assert seconds("-m", "handscope.apps.cli", "--help") < 0.5


def test_light_modules_import_nothing_heavy():
    code = (
        "import sys, handscope\n"
        "assert 'numpy' not in sys.modules and 'onnxruntime' not in sys.modules\n"
        "handscope.load, handscope.Hand\n"
        "import handscope.viz, handscope.apps.analyse, handscope.infer.formats\n"
        "heavy = {'torch', 'numba', 'scipy', 'warp', 'onnx', 'matplotlib', 'jaxtyping'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_light_install_is_enough(toy_weights, tmp_path, toy_picture):
    """All that only `handscope[train]` brings is hidden: nothing is missed, not even with a warning."""
    Image.fromarray(toy_picture).save(tmp_path / "photo.png")
    hidden = ("torch", "scipy", "trimesh", "numba", "networkx", "matplotlib", "onnx", "jaxtyping", "yaml")
    code = (
        f"import sys\nfor name in {hidden}: sys.modules[name] = None\n"
        "from handscope.apps.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    kinds = ["--overlay", "--json", "--glb", "--obj", "--mask", "--npz"]
    arguments = ["photo.png", "--weights", str(toy_weights), "--threads", "1", *kinds]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(files(tmp_path / "out")) == 6


def test_version_is_that_of_the_package():
    from importlib.metadata import version

    import handscope

    assert handscope.__version__ == version("handscope")


def test_folders_inside_folders_are_searched_if_asked(run, tmp_path, toy_picture):
    (tmp_path / "in/deep/deeper").mkdir(parents=True)
    Image.fromarray(toy_picture).save(tmp_path / "in/deep/deeper/a.png")
    Image.fromarray(toy_picture).save(tmp_path / "in/deep/b.png")
    (tmp_path / "in/deep/loop").symlink_to(tmp_path / "in")
    code, _, err = run("in")
    assert code == 2 and one_sentence(err) and "--recursive does" in err
    code, out, err = run("in", "--recursive", "--json")
    assert (code, err) == (0, "") and "2 hands in 2 pictures" in out
    assert files(tmp_path / "out") == ["a/result.json", "b/result.json"]
    code, _, err = run(tmp_path / "in", "--recursive", "--no-files")
    assert (code, err) == (0, "")


def test_no_files_are_written_if_asked(run, tmp_path, toy_picture):
    Image.fromarray(toy_picture).save("photo.png")
    code, out, err = run("photo.png", "--no-files")
    assert (code, err) == (0, "") and "left" in out and "1 hand in 1 picture; no files written" in out
    assert not (tmp_path / "out").exists()
    write_video(tmp_path / "clip.mp4", [toy_picture] * 2)
    code, _, err = run("clip.mp4", "--no-files")
    assert code == 2 and one_sentence(err) and "--no-files is for pictures" in err


def test_a_narrow_terminal_keeps_hand_and_score(run, monkeypatch, toy_picture):
    name = "a-picture-with-a-name-that-is-longer-than-most-names-are.png"
    Image.fromarray(toy_picture).save(name)
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(name)
    assert code == 0 and max(map(len, out.splitlines()[:3])) <= 80
    assert re.search(r"left +0\.\d\d +\d+,\d+,\d+,\d+ +\d\.\d\d +\d+ +\d+/21", out)
    assert name.removesuffix(".png") in re.sub(r"\s|left.*?/21", "", out)


def test_a_camera_that_is_not_there_is_one_sentence_of_ours(tmp_path):
    """OpenCV's own lines come from its C++ side: a process of its own sees them."""
    program = [sys.executable, "-m", "handscope.apps.cli", "camera", "--device", "97", "--port", "0", "--out", "x"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and one_sentence(done.stderr) and "camera 97: cannot be opened" in done.stderr
