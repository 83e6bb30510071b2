"""Paths as people have them: names of any kind, and what cannot be looked at."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.apps.cli import main
from handscope.errors import HandscopeError
from handscope.files import writable_folder, write_file
from handscope.paths import as_path, as_text, is_file, list_folder, natural_key, safe_name

FORBIDDEN = re.compile(r'(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*[ .]|.*[<>:"/\\|?*\x00-\x1f].*')


@pytest.mark.parametrize(
    "name",
    ["aux", "CON", "nul.tar", "com1", "lpt9.x", "photo ", "IMG 1.", "a:b", "what?", 'a<b>"c|d*', "x\n", "...", ""],
)
def test_names_that_some_system_forbids_are_changed(name):
    assert not FORBIDDEN.fullmatch(safe_name(name)) and safe_name(name)


@given(st.text(st.characters(exclude_categories=[]), max_size=300))
def test_a_name_made_safe_is_safe_short_and_stays_as_it_is(name):
    safe = safe_name(name)
    assert safe and not FORBIDDEN.fullmatch(safe) and len(safe.encode("utf-8", "surrogatepass")) <= 160
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    "name", ["photo", "IMG_0001", "café", "a.b", "aux2", "console", "-x", "日本", os.fsdecode(b"caf\xe9")]
)
def test_ordinary_names_stay(name):
    assert safe_name(name) == name


def test_names_are_sorted_as_people_count():
    names = ["a1", "a2", "a9", "a10", "a10b2", "a10b11", "b", "b007", "b8"]
    assert [p.name for p in sorted(map(Path, reversed(names)), key=natural_key)] == names


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_of_a_name_become_valid_text_that_tells_them(raw):
    text = as_text(os.fsdecode(raw))
    text.encode()  # valid
    back = re.sub(r"\\udc([89a-f][0-9a-f])", lambda found: chr(0xDC00 + int(found[1], 16)), text)
    assert os.fsencode(back) == raw or rb"\udc" in raw


def test_the_home_folder_is_where_its_sign_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert as_path("~/a/b") == tmp_path / "a/b" and as_path("./~/a") == Path("~/a") and as_path("a/~") == Path("a/~")
    assert as_path("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")
    writable_folder("~/made")
    assert write_file("~/made/a.txt", "text") == tmp_path / "made/a.txt"
    assert (tmp_path / "made/a.txt").read_text() == "text" and not (Path("~").exists())


def test_text_is_written_as_utf_8_whatever_it_holds(tmp_path):
    assert write_file(tmp_path / "a.txt", "caf\udce9 é").read_bytes() == rb"caf\udce9 " + "é".encode()


@pytest.mark.parametrize("path", ["x" * 300, "a\0b", "no/such/file", "loop", "/dev/null", "a\nb", "a\x85b\u2028"])
def test_what_cannot_be_looked_at_is_one_short_sentence(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with pytest.raises(HandscopeError) as caught:
        is_file(Path(path), HandscopeError)
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 500


def test_all_that_is_wrong_is_told_a_line_each(capsys):
    assert main(["none\n.png", "nor this.png"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and all(line.startswith("handscope: ") and "no such file" in line for line in told)


def test_a_folder_loses_only_the_entry_that_is_bad(tmp_path):
    (tmp_path / "good.png").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").touch()
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "none")
    (tmp_path / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    listing = list_folder(tmp_path, HandscopeError)
    assert [file.name for file in listing.files] == ["good.png"] and listing.folders == 1
    assert sorted(problem.split(":")[0].rpartition("/")[2] for problem in listing.problems) == [
        "loop.png",
        "nowhere.png",
    ]
