"""What is told of a dataset that is partly there."""

import json
import shutil

import pytest

from dataset_fixtures import NAMES
from handscope.data.catalog import open_dataset
from handscope.data.inventory import damaged, incomplete, refusal, unlike_published
from handscope.errors import HandscopeError, ImageError


class Partly:
    """Ten pictures of which the odd ones are lost."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> int:
        if i % 2:
            raise ImageError(f"{i}.jpg: lost")
        return i


def test_damaged_pictures_are_counted_and_the_first_named() -> None:
    problems = damaged(Partly())  # pyright: ignore[reportArgumentType]
    assert problems == [f"{i}.jpg: lost" for i in (1, 3, 5, 7, 9)]
    assert damaged(Partly(), 4) == problems[:2]  # pyright: ignore[reportArgumentType]
    told = refusal(problems, 10)
    assert told.startswith("5 of 10 pictures") and "5.jpg" in told and "7.jpg" not in told and "2 more" in told
    assert "--skip-damaged" in told and "more" not in refusal(problems[:3], 10)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_file_is_seen_without_decoding_any(sets, tmp_path, name: str) -> None:
    shutil.copytree(sets[name][0], tmp_path / name)
    dataset = open_dataset(name, tmp_path / name)
    assert incomplete(dataset) == []
    lost = dataset.files(1)[-1]
    lost.write_bytes(lost.read_bytes()[:-2000])
    (problem, *_) = incomplete(dataset)
    assert str(lost) in problem
    dataset.files(2)[0].unlink()
    assert len(incomplete(dataset)) >= 2
    assert set(damaged(dataset)) >= {problem for problem in incomplete(dataset) if str(lost) not in problem}


@pytest.mark.parametrize("name", ["freihand", "rhd", "stb", "cmu", "ho3d"])
def test_a_copy_with_other_numbers_is_no_published_edition(sets, name: str) -> None:
    told = unlike_published(open_dataset(name, sets[name][0]))
    assert told and all("expected" in sentence for sentence in told)


def test_numbers_of_either_version_are_published_ones(sets, monkeypatch) -> None:
    monkeypatch.setattr("handscope.data.editions.COUNTS", {("ho3d", "train"): {5: "HO-3D v2", 83_325: "HO-3D v3"}})
    assert unlike_published(open_dataset("ho3d", sets["ho3d"][0])) == []


def test_hiu_with_other_fields_or_lonely_labels_is_told(sets, tmp_path) -> None:
    shutil.copytree(sets["hiu"][0], tmp_path / "hiu")
    folder = tmp_path / "hiu/to_cv_community"
    assert unlike_published(open_dataset("hiu", folder)) == []
    first = open_dataset("hiu", folder).rows[0][0]
    row = json.loads(first.read_text())
    first.write_text(json.dumps({"pts2d_2hand": row["pts2d_2hand"], "side": 1}))
    (folder / "99.json").write_text("{}")
    lonely, fields = unlike_published(open_dataset("hiu", folder))
    assert "1 labels without a picture" in lonely and "99.json" in lonely
    assert "lacks hand_type, pts3d_2hand, pts3d_w_2hand" in fields


@pytest.mark.parametrize(("name", "lost"), [("stb", "images/B3Random"), ("dexter_object", "data/Pinch")])
def test_lacking_sequences_are_left_out_only_if_asked(sets, tmp_path, name: str, lost: str) -> None:
    shutil.copytree(sets[name][0], tmp_path / name)
    whole = len(open_dataset(name, tmp_path / name))
    shutil.rmtree(tmp_path / name / lost)
    with pytest.raises(HandscopeError, match=rf"1 of \d+ sequences .*{lost}.*partial=yes"):
        open_dataset(name, tmp_path / name)
    assert 0 < len(open_dataset(name, tmp_path / name, {"partial": "yes"})) < whole
