"""Queries that break or bring things twice, with a stand-in for Daft: every shard is made once (Daft itself:
test_engines.py).
"""

import importlib.util

import pytest
from batch_runs import begin, rows_of

from handscope.apps.cli import main
from handscope.batch import daft_engine
from handscope.batch.daft_engine import QueryError, work_with_daft
from handscope.batch.local import work_locally
from handscope.batch.ray_data import WithHands
from handscope.batch.rows import hand_type, table_of, tally_of
from handscope.batch.run import Watch
from handscope.errors import HandscopeError
from handscope.infer.pipeline import load

pa = pytest.importorskip("pyarrow")


@pytest.fixture
def queries(settings, monkeypatch):
    """What `_answers` was asked for; each query brings two shards, the first of them twice, and breaks."""
    asked = []

    def answers(daft, given, works, workers, stopping, address):
        shards = dict(works)
        asked.append((list(shards), workers))
        with given.annotator() as annotator:
            first, *others = list(shards)[:2]
            for number in [first, first, *others]:
                rows = [row for told in annotator.annotate_windows(shards[number].windows) for row in told]
                yield number, [_bytes(rows)], tally_of(rows)
        raise QueryError("a machine was lost")

    monkeypatch.setattr(daft_engine, "import_daft", lambda: None)
    monkeypatch.setattr(daft_engine, "_connected", lambda *given: lambda: 7)
    monkeypatch.setattr(daft_engine, "_answers", answers)
    return asked


def _bytes(rows):
    sink, table = pa.BufferOutputStream(), table_of(rows)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_what_a_broken_query_has_not_brought_is_asked_again_and_nothing_is_made_twice(
    queries, pictures, settings, tmp_path
):
    run, told = begin(tmp_path / "daft", pictures, settings, rows=8), []
    work_with_daft(run, run.works(), Watch(on_rows=told.append))
    assert [shards for shards, _ in queries] == [[0, 1, 2, 3], [2, 3]]
    assert queries[0][1] == 7 and sum(counts["rows"] for counts in told) == 30
    whole = begin(tmp_path / "local", pictures, settings, rows=8)
    work_locally(whole, whole.works(), Watch(), processes=0)
    assert rows_of(run) == rows_of(whole)
    assert len(list((tmp_path / "daft" / "parts").iterdir())) == 4


def test_three_queries_without_a_result_are_one_sentence(queries, pictures, settings, tmp_path, monkeypatch):
    def nothing(*given):
        raise QueryError("no machine")
        yield

    monkeypatch.setattr(daft_engine, "_answers", nothing)
    run = begin(tmp_path, pictures, settings)
    with pytest.raises(
        HandscopeError, match=r"^3 times Daft gave no more results \(no machine\); what is done is kept$"
    ):
        work_with_daft(run, run.works(), Watch())
    monkeypatch.setattr(daft_engine, "_answers", lambda *given: iter(()))
    with pytest.raises(HandscopeError, match="its query ended without them"):
        work_with_daft(run, run.works(), Watch())


def test_what_lies_in_this_process_alone_is_refused(queries, memory, settings):
    memory.pipe_file("/in/a.png", b"")
    run = begin("memory://out", "memory://in", settings)
    with pytest.raises(HandscopeError, match="memory://"):
        work_with_daft(run, run.works(), Watch())


@pytest.mark.skipif(importlib.util.find_spec("daft") is not None, reason="daft is installed here")
def test_without_daft_its_engine_is_one_sentence(tmp_path, capsys):
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "out"), "--engine", "daft"]) == 2
    assert "needs daft" in (told := capsys.readouterr().err) and "'.[daft]'" in told and told.count("\n") == 1
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "out"), "--ray", "auto"]) == 2
    assert "--engine daft" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_tables_of_pictures_get_a_column_of_hands(pictures, settings):
    """What Ray Data is handed; in a cluster: test_engines.py."""
    content = [(pictures / name).read_bytes() for name in ("p1.png", "text.png", "p2.png")]
    table = pa.table({"name": ["a", "b", "c", "d"], "image": [*content, None]})
    told = WithHands(settings)(table)
    assert told.column_names == ["name", "image", "hands"] and told.schema.field("hands").type == pa.list_(hand_type())
    one, two, three, four = told["hands"].to_pylist()
    assert two is None and four is None
    for hands, name in ((one, "p1.png"), (three, "p2.png")):
        expected = load(settings.weights)(str(pictures / name))
        assert [hand["kp2d"] for hand in hands] == [pytest.approx(their.joints_2d, abs=1e-3) for their in expected]
