"""What is collected is what one picture after the other would have given."""

import csv
import dataclasses
import json

import pytest
from batch_runs import begin, rows_of, work_through
from pyarrow import parquet

from clips import toy_frames, write_video
from handscope.apps.cli import main
from handscope.infer.pipeline import load
from handscope.infer.results import Hands

KINDS = ("coco", "csv", "jsonl", "parquet")


@pytest.fixture(scope="module")
def run(pictures, settings, tmp_path_factory):
    made = begin(tmp_path_factory.mktemp("run"), pictures, dataclasses.replace(settings, batch=None))
    work_through(made)
    return made


@pytest.fixture(scope="module")
def answers(run, settings):
    """What the model itself says of each sound picture alone."""
    model = load(settings.weights, threads=1)
    told = model.stream([row["uri"] for row in rows_of(run)], workers=0, batch=1)
    return {index: hands for index, hands in enumerate(told) if isinstance(hands, Hands)}


def collect(run, tmp_path, kind, *more):
    path = tmp_path / f"all.{kind}"
    assert main(["collect", run.store.address, f"--{kind}", str(path), *more]) == 0
    return path


def test_csv_is_the_single_pictures_lines_one_after_the_other(run, answers, tmp_path):
    text = collect(run, tmp_path, "csv").read_text()
    head, _, _ = next(iter(answers.values())).to_csv().partition("\n")
    assert text == head + "\n" + "".join(hands.to_csv().partition("\n")[2] for hands in answers.values())
    assert len(list(csv.reader(text.splitlines()))) == 1 + 21 * sum(map(len, answers.values()))


def test_coco_has_the_single_pictures_annotations_with_numbers_of_their_own(run, answers, tmp_path):
    content = json.loads(collect(run, tmp_path, "coco").read_text())
    each = [json.loads(hands.to_coco()) for hands in answers.values()]
    assert content["categories"] == each[0]["categories"]
    assert [one["file_name"] for one in content["images"]] == [one["images"][0]["file_name"] for one in each]
    assert [one["id"] for one in content["images"]] == [index + 1 for index in answers]
    wanted = [
        one | {"image_id": index + 1} for index, of in zip(answers, each, strict=True) for one in of["annotations"]
    ]
    assert content["annotations"] == [one | {"id": number} for number, one in enumerate(wanted, 1)]


def test_lines_have_the_single_pictures_hands_and_say_what_failed(run, answers, tmp_path):
    lines = [json.loads(line) for line in collect(run, tmp_path, "jsonl").read_text().splitlines()]
    assert len(lines) == 30
    for index, (line, row) in enumerate(zip(lines, rows_of(run), strict=True)):
        assert line["source"] == row["uri"]
        if index in answers:
            told = answers[index].to_dict()
            assert (line["width"], line["hands"]) == (told["image"]["width"], told["hands"]) and "problem" not in line
        else:
            assert (line["problem"], line["kind"], line["hands"]) == (row["error"], row["error_kind"], [])


def test_parquet_is_all_rows_in_order(run, tmp_path):
    table = parquet.read_table(collect(run, tmp_path, "parquet"))
    rows = [{k: v for k, v in row.items() if k not in ("attempts", "seconds")} for row in table.to_pylist()]
    assert rows == rows_of(run)


def test_frames_are_told_by_number_and_time(settings, tmp_path):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "clip.mp4", toy_frames(5))
    run = begin(tmp_path / "out", tmp_path / "in", settings)
    work_through(run)
    lines = [json.loads(line) for line in collect(run, tmp_path, "jsonl").read_text().splitlines()]
    assert [(line["frame"], line["time"]) for line in lines] == [(n, pytest.approx(n / 30, abs=1e-4)) for n in range(5)]
    images = json.loads(collect(run, tmp_path, "coco").read_text())["images"]
    assert images[3]["file_name"] == f"{tmp_path / 'in' / 'clip.mp4'}#3"


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_has_not_ended_is_collected_only_if_that_is_asked_for(pictures, settings, tmp_path, capsys, kind):
    run = begin(tmp_path / "out", pictures, settings)
    work_through(run, most=1)
    assert main(["collect", str(tmp_path / "out"), f"--{kind}", str(tmp_path / "file")]) == 2
    assert "3 of 4 parts are not there yet" in capsys.readouterr().err and not (tmp_path / "file").exists()
    collect(run, tmp_path, kind, "--partial")
    run.store.remove(run.done[0].name)
    collect(run, tmp_path, kind, "--partial")


@pytest.mark.parametrize("words", [["/nowhere", "--csv", "a"], ["/tmp"], ["memory://nothing", "--coco", "a"]])
def test_what_cannot_be_collected_is_one_sentence(memory, capsys, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["collect", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("handscope: ") and said.count("\n") == 1 and not list(tmp_path.iterdir())
