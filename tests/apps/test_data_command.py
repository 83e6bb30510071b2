"""`handscope data`: names, counts, damage, laws and a contact sheet, for every dataset."""

import shutil
from dataclasses import replace

import cv2
import pytest

from dataset_fixtures import NAMES
from handscope.apps.cli import main
from handscope.data.catalog import DATASETS, Entry


@pytest.fixture(autouse=True)
def small_editions(monkeypatch) -> None:
    """Stand-ins have few pictures: no edition's number is known."""
    monkeypatch.setattr("handscope.data.editions.COUNTS", {})


def test_list_names_every_dataset_and_its_card(capsys) -> None:
    assert main(["data", "list"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in (*NAMES, "shards", "photos")) and "docs/data/rhd.md" in told


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_dataset_passes(sets, name: str, tmp_path, capsys) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", name, str(sets[name][0]), "--tiles", "4", "--limit", "5", "--sheet", str(sheet)]) == 0
    told = capsys.readouterr().out
    assert "5 read, 0 of them unreadable" in told and "WRONG?" not in told
    picture = cv2.imread(str(sheet))
    assert picture.shape == (280, 4 * 280, 3) and picture.std() > 20


class Swapped:
    """FreiHAND whose hands are said to be left ones."""

    def __init__(self, folder) -> None:
        self.inner = DATASETS["freihand"].open(folder, variant="gs")

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, i: int):
        sample = self.inner[i]
        return replace(sample, hands=tuple(replace(hand, handedness="left") for hand in sample.hands))


def test_wrong_labels_and_unreadable_files_are_told(sets, tmp_path, capsys, monkeypatch) -> None:
    root = tmp_path / "copy"
    root.mkdir()
    for path in sets["freihand"][0].iterdir():
        if path.name != "training":
            (root / path.name).symlink_to(path)
    (root / "training").mkdir()
    (root / "training/mask").symlink_to(sets["freihand"][0] / "training/mask")
    (root / "training/rgb").mkdir()
    for path in (sets["freihand"][0] / "training/rgb").iterdir():
        data = path.read_bytes()
        (root / "training/rgb" / path.name).write_bytes(data[:2000] if path.stem == "00000003" else data)
    monkeypatch.setitem(DATASETS, "swapped", Entry(Swapped, "docs/data/freihand.md"))
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", "swapped", str(root)]) == 1
    told = capsys.readouterr().out
    assert "5 read, 1 of them unreadable" in told and "00000003.jpg" in told and "hand side" in told
    assert (tmp_path / "swapped-check.png").is_file()


def test_another_edition_and_lacking_files_are_told(sets, tmp_path, capsys, monkeypatch) -> None:
    root = tmp_path / "copy"
    shutil.copytree(sets["freihand"][0], root)
    (root / "training_scale.json").unlink()
    for number in (7, 11):
        (root / f"training/rgb/{number:08d}.jpg").unlink()
    (root / "training/mask/00000004.jpg").write_bytes((root / "training/mask/00000004.jpg").read_bytes()[:-9])
    monkeypatch.setattr("handscope.data.editions.COUNTS", {("freihand", "training"): {32560: "FreiHAND_pub_v2"}})
    assert main(["data", "check", "freihand", str(root), "--limit", "1", "--tiles", "0"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "training_K.json: labels of 5, expected 32560 (FreiHAND_pub_v2)" in told
    assert "training_scale.json: FreiHAND_pub_v2 has it; this is another version" in told
    assert "6 of 20 pictures have files that are missing or cut short" in told  # a mask holds for four pictures
    assert "00000004.jpg" in told and "00000007.jpg" in told and "and 3 more" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing", "."], "no dataset is called"),
        (["rhd", "./nowhere"], "no such folder"),
        (["rhd", ".", "--set", "split"], "OPTION=VALUE"),
        (["rhd", ".", "--set", "colour=1"], "root_joint"),
    ],
)
def test_wrong_requests_are_explained(arguments: list[str], told: str, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", *arguments]) == 2
    assert told in capsys.readouterr().err
