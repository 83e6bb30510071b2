"""Where Python runs otherwise than on a developer's machine: stripped, read-only, without a home, in a C locale."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import handscope
from handscope.apps.cli import COMMANDS
from toy_networks import blobs, paint

PACKAGE = Path(handscope.__file__).parent


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(paint(320, 240, [blobs((180, 120), 70, 0.4, "left")])).save(path)
    return path


def handscope_command(*arguments, flags=(), before=(), package=PACKAGE, cwd=None, **environment):
    """The command in a new interpreter whose environment holds nothing else."""
    keep = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS", "LD_LIBRARY_PATH") if name in os.environ}
    keep |= {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*before, sys.executable, *flags, "-m", "handscope.apps.cli", *map(str, arguments)],
        env=keep | environment, cwd=cwd, capture_output=True, text=True, errors="surrogateescape", check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["", *(name for name in COMMANDS if name not in ("train", "export"))])
def test_help_does_not_live_in_docstrings(command):
    done = handscope_command(*filter(None, [command]), "--help", flags=["-OO"])
    if "pip install" in done.stderr:
        pytest.skip("this command's packages are not installed")
    assert (done.returncode, done.stderr) == (0, "") and "usage: handscope" in done.stdout
    plain = handscope_command(*filter(None, [command]), "--help")
    assert done.stdout == plain.stdout


def test_pictures_are_read_by_a_stripped_python(picture, toy_weights, tmp_path):
    done = handscope_command(picture, "--weights", toy_weights, "--json", "--glb", flags=["-OO"], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and (tmp_path / "out/photo/hand-0.glb").is_file()


def without_power() -> list[str]:
    """What runs a command without root's power over permissions; nothing for other people."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to do without")
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]


def read_only_copy(folder: Path) -> Path:
    """The package in a folder that nobody may write to."""
    package = folder / "site/handscope"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [package.parent, package, *package.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return package


def test_a_read_only_package_and_no_home_are_enough(picture, toy_weights, tmp_path):
    package = read_only_copy(tmp_path)
    probe = [*without_power(), sys.executable, "-c", f"open({str(package / 'x')!r}, 'w')"]
    assert subprocess.run(probe, capture_output=True, check=False).returncode != 0
    done = handscope_command(
        picture, "--weights", toy_weights, "--json", before=without_power(), package=package, cwd=tmp_path,
        HOME="/proc/none",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_synthesis_needs_no_cache(tmp_path):
    pytest.importorskip("numba")
    package = read_only_copy(tmp_path)
    done = handscope_command(
        "synth", "--count", "1", "--seed", "1", "--out", tmp_path / "shards", before=without_power(), package=package,
        cwd=tmp_path, HOME="/proc/none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "shards").glob("*.tar"))


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.png", b"caf\xe9.png"])
def test_a_locale_that_is_not_utf_8_will_do(picture, toy_weights, tmp_path, name):
    os.rename(picture, os.path.join(os.fsencode(tmp_path), name))
    done = handscope_command(
        os.fsdecode(name), "--weights", toy_weights, "--json", "--csv", "--coco", cwd=tmp_path, LC_ALL="C",
        PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (text,) = [path.read_bytes().decode() for path in (tmp_path / "out").rglob("*.csv")]
    assert ("café.png" if name.endswith(b"\xa9.png") else "caf\\udce9.png") in text
