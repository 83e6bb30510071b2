"""`handscope web --static`: the page as files, whole, small, and of the sources that are here."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from handscope.apps import static_page
from handscope.apps.cli import main
from handscope.hand.assets import OPEN_HAND
from handscope.infer.weights import NAMES, SEALS

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "web"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The page's folder, and what the command said."""
    out, said = tmp_path_factory.mktemp("page") / "a folder", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr("handscope.apps.web.require_gradio", lambda: pytest.fail("asked for Gradio"))
        assert main(["web", "--static", str(out)]) == 0
    return out, said.getvalue()


@pytest.fixture
def folder(written: tuple[Path, str]) -> Path:
    return written[0]


def test_the_command_needs_no_gradio_and_says_how_to_look(written: tuple[Path, str]) -> None:
    folder, said = written
    assert f"python3 -m http.server --bind 127.0.0.1 --directory '{folder}'" in said
    count = sum(path.is_file() for path in folder.rglob("*"))
    assert f"{folder}: {count} files" in said


def test_networks_are_the_sealed_ones_packed_to_25_mb_at_most(folder: Path) -> None:
    manifest = json.loads((folder / "models" / "models.json").read_text())
    for name, entry in manifest["files"].items():
        packed = (folder / "models" / entry["path"]).read_bytes()
        content = gzip.decompress(packed) if entry["path"].endswith(".gz") else packed
        assert (len(packed), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
        if name in NAMES:
            assert entry["sha256"] == SEALS[name][0]
    assert set(manifest["files"]) == {*NAMES, "hand", "runtime", "runtime_webgpu"}
    assert manifest["files"]["hand"]["path"] == OPEN_HAND
    assert sum(manifest["files"][name]["bytes"] for name in NAMES) <= 25e6


def test_every_part_that_is_kept_for_offline_is_there(folder: Path) -> None:
    worker = (SOURCES / "page" / "service-worker.ts").read_text()
    parts = re.findall(r'^  "(.+)",$', worker, re.MULTILINE)
    assert len(parts) > 8
    for part in parts:
        assert (folder / part).exists(), part


def test_the_page_loads_from_its_own_host_alone(folder: Path) -> None:
    page = (folder / "index.html").read_text()
    (policy,) = re.findall(r'content="(default-src [^"]+)"', page)
    allowed = {word for rule in policy.split(";") for word in rule.split()[1:]}
    assert allowed == {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:"}
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_the_shipped_page_is_built_from_these_sources() -> None:
    files = [path for part in ("src", "page", "scripts") for path in (SOURCES / part).rglob("*") if path.is_file()]
    named = sorted(path.relative_to(SOURCES).as_posix() for path in [*files, SOURCES / "package-lock.json"])
    digest = hashlib.sha256()
    for name in named:
        digest.update(f"{name}\0".encode() + (SOURCES / name).read_bytes() + b"\0")
    built = json.loads((static_page.PAGE / "build.json").read_text())["sources"]
    assert digest.hexdigest() == built, "run `make web`: the page was built from other sources"


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_what_the_page_in_the_browser_cannot_do_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["web", "--static", str(tmp_path / "x"), "--joint-convention", "freihand"]) == 2
    assert "the shipped hand model and joints alone" in capsys.readouterr().err
    monkeypatch.setattr(static_page, "PAGE", tmp_path)
    assert main(["web", "--static", str(tmp_path / "x")]) == 2
    assert "make web" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
