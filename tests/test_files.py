import os
import subprocess
import sys
from pathlib import Path

import pytest

from handscope import files
from handscope.errors import HandscopeError
from handscope.files import (
    ABANDONED_S,
    LEFTOVERS,
    NewFile,
    NewFiles,
    remove_leftovers,
    writable_folder,
    write_file,
    write_first,
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_file(tmp_path / "a.json", "old")


def is_as_it_was(old: Path) -> bool:
    return old.read_text() == "old" and list(old.parent.iterdir()) == [old]


def test_text_and_bytes_arrive_as_they_are(tmp_path: Path) -> None:
    assert write_file(str(tmp_path / "a.txt"), "é\n").read_bytes() == b"\xc3\xa9\n"
    assert write_file(tmp_path / "a.txt", b"\0").read_bytes() == b"\0"


def test_nothing_is_seen_under_the_name_before_the_end(old: Path) -> None:
    with NewFile(old) as beside, beside.open("wb") as file:
        file.write(b"new")
        file.flush()
        assert old.read_text() == "old" and beside in old.parent.glob(LEFTOVERS)
    assert old.read_text() == "new" and list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_who_fails_or_is_interrupted_leaves_the_old_file_and_nothing_else(old: Path, problem: BaseException) -> None:
    with pytest.raises(type(problem)), NewFile(old) as beside:
        beside.write_text("half of the n")
        raise problem
    assert is_as_it_was(old)


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_full_disk_is_told_in_a_sentence(old: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(HandscopeError, match=r"a\.json: cannot write this file \(No space left on device\)"):
        write_file(old, "new")
    assert is_as_it_was(old)


def test_a_missing_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HandscopeError, match=r"a\.json: cannot write this file \(No such file or directory\)"):
        write_file(tmp_path / "none" / "a.json", "new")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_told_in_a_sentence(old: Path) -> None:
    old.parent.chmod(0o500)
    try:
        with pytest.raises(HandscopeError, match=r"a\.json: cannot write this file \(Permission denied\)"):
            write_file(old, "new")
        with pytest.raises(HandscopeError, match=r"cannot write into this folder \(Permission denied\)"):
            writable_folder(old.parent)
    finally:
        old.parent.chmod(0o700)
    assert is_as_it_was(old)


def test_an_error_of_another_file_keeps_its_own_name(old: Path) -> None:
    with pytest.raises(FileNotFoundError, match="source"), NewFile(old):
        (old.parent / "source").read_bytes()


def test_two_writers_of_one_file_do_not_meet(old: Path) -> None:
    one, two = NewFile(old), NewFile(old)
    one.path.write_text("one")
    two.path.write_text("two")
    assert two.finish().read_text() == "two" and one.finish().read_text() == "one"


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    assert list(writable_folder(tmp_path / "x" / "y").iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_told(old: Path) -> None:
    with pytest.raises(HandscopeError, match="cannot write into this folder"):
        writable_folder(old)


WRITER = """
import sys
from handscope.files import NewFile, NewFiles

NewFile(sys.argv[1]).path.write_text("half")
(NewFiles(NewFile(sys.argv[1]).target.parent, bool).path / "hands.jsonl").write_text("half")
print("written", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_writer_left_goes_with_the_next_file(old: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(old)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"written\n"
        remove_leftovers(old.parent)
        assert len(list(old.parent.glob(LEFTOVERS))) == 2  # it still writes
        writer.kill()
    files._swept.clear()
    write_file(old.with_name("b.json"), "new")
    assert sorted(path.name for path in old.parent.iterdir()) == ["a.json", "b.json"]


def test_of_writers_elsewhere_only_what_nobody_touches_is_removed(old: Path) -> None:
    dead, alive, other = (old.with_name(name) for name in (".a.0123abcd-1.0.part", ".a.77.1.part", ".a.b.c.part"))
    for path in (dead, alive, other):
        path.write_text("half")
    long_ago = dead.stat().st_mtime - 2 * ABANDONED_S
    for path in (dead, other, old):
        os.utime(path, (long_ago, long_ago))
    remove_leftovers(old.parent)
    assert not dead.exists() and alive.exists() and other.exists() and old.exists()


def test_of_two_that_claim_a_name_one_is_first(tmp_path: Path) -> None:
    one, two = NewFile(tmp_path / "a"), NewFile(tmp_path / "a")
    one.path.write_text("one")
    two.path.write_text("two")
    assert two.finish_first() and not one.finish_first() and not write_first(tmp_path / "a", "three")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["two"]


def test_without_hard_links_one_is_first_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    assert write_first(tmp_path / "a", "one") and not write_first(tmp_path / "a", "two")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


def test_files_of_two_runs_never_lie_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after any step of putting them in place, too."""
    for name in ("a.one", "b.one", "gone.one", "stays.other"):
        (tmp_path / name).write_text("old")
    new = NewFiles(tmp_path, lambda name: name.endswith(".one"))
    for name in ("a.one", "b.one", "c.one"):
        (new.path / name).write_text("new")
    seen = []

    def watched(step):
        def run(*arguments, **options):
            done = step(*arguments, **options)
            seen.append({path.read_text() for path in tmp_path.glob("*.one")})
            return done

        return run

    for name in ("unlink", "replace"):
        monkeypatch.setattr(Path, name, watched(getattr(Path, name)))
    assert [path.name for path in new.finish()] == ["a.one", "b.one", "c.one"]
    assert {"old"} in seen and {"new"} in seen and {"old", "new"} not in seen
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.one", "b.one", "c.one", "stays.other"]


def test_a_run_without_results_leaves_those_of_the_one_before(old: Path) -> None:
    new = NewFiles(old.parent, lambda name: True)
    (new.path / "a.json").touch()
    assert new.finish() == [] and is_as_it_was(old)


def test_importing_it_costs_nothing() -> None:
    heavy = "import sys, handscope.files; sys.exit(len({'numpy', 'cv2', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0
