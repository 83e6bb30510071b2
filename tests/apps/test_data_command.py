"""`handscope data`: names, counts, damage, laws and a contact sheet, for every dataset."""

from dataclasses import replace

import cv2
import pytest

from dataset_fixtures import NAMES
from handscope.apps.cli import main
from handscope.data.catalog import DATASETS, Entry


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
