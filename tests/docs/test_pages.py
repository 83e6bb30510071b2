"""What the documentation shows runs: every recipe, the quick start, the notebook; and the site builds, offline."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clips import write_video
from handscope.apps.cli import COMMANDS, main
from handscope.infer.images import read_picture
from handscope.infer.weights import SHIPPED

ROOT = Path(__file__).parents[2]
RECIPES = re.findall(r"^## (\d+\. .*?)$.*?```python\n(.*?)```", (ROOT / "docs/cookbook.md").read_text(), re.M | re.S)

needs_weights = pytest.mark.skipif(
    not (SHIPPED / "estimator.onnx").is_file(), reason="the weights are not in this checkout"
)


@pytest.fixture(scope="module")
def one_model():
    """Recipes open the model anew each; in the tests it is opened once."""
    import handscope

    return handscope.load(threads=1)


@pytest.fixture
def desk(tmp_path, monkeypatch, one_model):
    """A folder with what the pages speak of: photo.jpg, pictures/ and clip.mp4."""
    import handscope

    shutil.copy(ROOT / "samples/rendered/pinch.jpg", tmp_path / "photo.jpg")
    for folder in ("pictures", "holidays", "photographs"):
        (tmp_path / folder).mkdir()
        for name in ("victory.jpg", "thumb.jpg"):
            shutil.copy(ROOT / "samples/rendered" / name, tmp_path / folder)
    (tmp_path / "weights").symlink_to(SHIPPED)
    image = read_picture(ROOT / "samples/rendered/pinch.jpg").image[:480, :480]
    write_video(tmp_path / "clip.mp4", [image[4 * i : 400 + 4 * i, 80:480] for i in range(6)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(handscope, "load", lambda *_, **__: one_model, raising=False)
    return tmp_path


def run(code: str, name: str) -> dict:
    scope: dict = {"__name__": "__main__"}
    exec(compile(code, name, "exec"), scope)
    return scope


def commands(page: str) -> list[str]:
    """What a page shows of `handscope`, but what waits for a browser, a camera, a dataset or hours."""
    blocks = re.findall(r"^```(?:bash|sh)?\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    kept = [line for line in lines if line.startswith("handscope ") and "../shared" not in line]
    return [line for line in kept if line.split()[1] == "synth" or line.split()[1] not in COMMANDS]


def test_there_are_twelve_recipes():
    assert [title.partition(".")[0] for title, _ in RECIPES] == [str(i + 1) for i in range(12)]


@needs_weights
@pytest.mark.parametrize(("title", "code"), RECIPES, ids=[title for title, _ in RECIPES])
def test_a_recipe_runs(title, code, desk, capsys):
    before = {path.name for path in desk.iterdir()}
    run(code, title)
    files = {path.name for path in desk.iterdir()} - before
    for name in re.findall(r'"([\w-]+\.(?:png|csv|glb|obj|ply))"', code):
        assert name in files and (desk / name).stat().st_size > 100
    assert capsys.readouterr().out or files or "assert" in code


@needs_weights
@pytest.mark.parametrize("page", ["docs/index.md", "docs/video.md", "docs/mediapipe.md", "README.md"])
def test_the_python_of_a_page_runs(page, desk, capsys):
    run("\n".join(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)), page)
    assert capsys.readouterr().out


@needs_weights
@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/video.md"])
def test_the_commands_of_a_page_run(page, desk):
    """Each as it stands, but for fewer synthetic pictures and one thread."""
    found = commands(page)
    assert len(found) >= 2
    for command in dict.fromkeys(found):
        arguments = shlex.split(re.sub(r"--count \d+", "--count 2", command), comments=True)[1:]
        threads = [] if arguments[0] == "synth" else ["--threads", "1"]
        assert main([*arguments, *threads]) == 0, command


@needs_weights
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch, one_model):
    import handscope

    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    monkeypatch.setattr(handscope, "load", lambda *_, **__: one_model, raising=False)
    notebook = json.loads((ROOT / "examples/tour.ipynb").read_text())
    assert notebook["nbformat"] == 4
    shown: list = []
    scope: dict = {"__name__": "__main__", "display": shown.append}
    for i, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # outputs are for the reader's machine, not for git
            exec(compile("".join(cell["source"]), f"cell {i}", "exec"), scope)
    assert len(shown) >= 3


def test_the_site_builds_and_asks_no_other_machine_for_anything(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r"""<(?:script|img|iframe)[^>]*\ssrc=["'](https?:)?//""", text)
        loaded += re.findall(r"""<link[^>]*rel=["'](?:stylesheet|pre\w+)["'][^>]*href=["']https?://""", text)
        assert not loaded, page
    assert "joints_3d" in (tmp_path / "api" / "index.html").read_text()
