"""A file is in a store whole or not at all, and of several writers of one name one is first."""

import pytest

from handscope.batch.store import FolderStore, Store, open_store
from handscope.errors import HandscopeError


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path, memory):
    return open_store(str(tmp_path / "out") if request.param == "folder" else "memory://bucket/out")


def content(store):
    with store.open("a") as file:
        return file.read()


def test_what_is_put_can_be_read_listed_and_removed(store, tmp_path):
    assert isinstance(store, Store)
    (tmp_path / "local").write_bytes(b"one")
    assert store.names("parts") == [] and not store.exists("parts/a")
    assert store.put_once("parts/b", tmp_path / "local") and store.put_once("parts/a", tmp_path / "local")
    store.put("summary.json", b"{}")
    assert store.names("parts") == ["a", "b"] and store.names() == ["summary.json"]
    with store.open("parts/a") as file:
        assert file.read() == b"one"
    store.remove("parts/a")
    store.remove("parts/a")
    assert store.names("parts") == ["b"]


def test_of_two_writers_the_first_one_stays(store, tmp_path):
    for given, first in ((b"one", True), (b"two", False)):
        (tmp_path / "local").write_bytes(given)
        assert store.put_once("a", tmp_path / "local") is first
    assert content(store) == b"one"
    store.put("a", b"three")
    assert content(store) == b"three"


def test_a_store_that_keeps_the_first_by_itself_is_asked_to(store, tmp_path, monkeypatch):
    (tmp_path / "local").write_bytes(b"two")
    store.put("a", b"one")
    monkeypatch.setattr(type(store), "exists", lambda self, name: False)
    assert not store.put_once("a", tmp_path / "local")
    assert content(store) == b"one"


def test_what_killed_writers_left_is_not_listed_and_goes(tmp_path):
    (tmp_path / "parts").mkdir()
    left = tmp_path / "parts" / ".a.parquet.4194304.0.part"
    left.write_bytes(b"half")
    store = FolderStore(tmp_path)
    assert store.names("parts") == []


def test_a_store_whose_package_is_missing_says_which_extra_has_it(monkeypatch):
    import builtins
    import sys

    monkeypatch.delitem(sys.modules, "gcsfs", raising=False)
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "gcsfs":
            raise ModuleNotFoundError("No module named 'gcsfs'", name="gcsfs")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HandscopeError, match=r"gs:// needs gcsfs.*\[gs\]"):
        open_store("gs://bucket/x")


def test_a_web_server_is_no_place_for_results():
    with pytest.raises(HandscopeError, match=r"http://here/out: a web server takes no results"):
        open_store("http://here/out")
