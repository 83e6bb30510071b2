"""`handscope predict-dataset`, `eval` and `compare`, end to end; the worked example of docs/evaluation.md."""

import csv
import json
import re
import shlex
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.apps.cli import main
from handscope.data.freihand import FreiHAND
from handscope.evaluation.predictions import Predictions, load_predictions
from handscope.evaluation.truth import read_truth
from handscope.infer.weights import SHIPPED
from mano_files import open_hand_as_mano, write_mano
from toy_networks import blobs, paint, toy_joints

K = np.array([[480.0, 0, 112], [0, 480, 112], [0, 0, 1]])
RIGHT = np.array([1.0, 0, 0])


@pytest.fixture(autouse=True)
def small_editions(monkeypatch) -> None:
    """Stand-ins have few pictures: no edition's number is known."""
    monkeypatch.setattr("handscope.data.editions.COUNTS", {})


def octahedron() -> np.ndarray:
    """Joints 0-5 at +-1/32 m in x and y and +-1/64 m in z; the others in the middle, half a metre away."""
    joints = np.zeros((21, 3))
    joints[:6] = np.repeat(np.diag([1 / 32, 1 / 32, 1 / 64]), 2, 0) * np.array([[1], [-1]] * 3)
    return joints + np.array([0, 0, 0.5])


def write_freihand(root: Path, joints: list[np.ndarray], pictures: list[np.ndarray]) -> Path:
    """An evaluation set in FreiHAND's layout."""
    (root / "evaluation/rgb").mkdir(parents=True)
    for n, picture in enumerate(pictures):
        cv2.imwrite(str(root / f"evaluation/rgb/{n:08d}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    labels = {"K": [K.tolist()] * len(joints), "xyz": [j.tolist() for j in joints], "scale": [0.03] * len(joints)}
    labels["verts"] = [np.resize(j, (778, 3)).tolist() for j in joints]
    for name, values in labels.items():
        (root / f"evaluation_{name}.json").write_text(json.dumps(values))
    return root


@pytest.fixture
def example(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of the truth and the file of predictions of the worked example."""
    true = octahedron()
    root = write_freihand(tmp_path / "freihand", [true] * 4, [np.zeros((224, 224, 3), np.uint8)] * 4)
    moved = [true + mm / 1000 * RIGHT for mm in (10, 20, 30)]
    flat = (true @ K.T)[:, :2] / true[:, 2:]
    predictions = Predictions(
        keys=np.array([f"evaluation/{n:08d}#0" for n in range(4)]),
        found=np.ones(4, bool),
        joints_2d=np.stack([flat + px * RIGHT[:2] for px in (5.7, 0.9, 0.9, 0.9)]),
        joints_3d=np.stack([*moved, true * [-1, 1, 1]]),
        vertices=np.full((4, 1609, 3), 0.5),
        header={"dataset": "freihand"},
    )
    predictions.save(tmp_path / "preds.npz")
    return root, tmp_path / "preds.npz"


def run_eval(file: Path, root: Path, out: Path, *more: str) -> int:
    truth = ["--truth", "freihand", str(root), "--set", "split=evaluation"]
    return main(["eval", str(file), *truth, "--out", str(out), *more])


def figures(folder: Path) -> dict[tuple[str, str], float]:
    with (folder / "scores.csv").open() as file:
        return {(row["variant"], row["figure"]): float(row["value"]) for row in csv.DictReader(file)}


def test_the_worked_example(example, tmp_path, capsys) -> None:
    root, file = example
    assert run_eval(file, root, tmp_path / "out") == 0
    found = figures(tmp_path / "out")
    about = lambda value: pytest.approx(value, rel=1e-4)  # noqa: E731
    assert found["freihand_xyz", "mean"] == about((2 * (60 + 62.5) / 4 + 19 * 60 / 4) / 21) == about(16.4881)
    assert found["freihand_xyz", "auc"] == about((2 * 178.5 + 19 * 277.5) / 396 / 21) == about(0.676948)
    assert found["freihand_xyz_al", "mean"] == pytest.approx(0, abs=1e-4)
    assert 98.5 / 99 - 1e-5 <= found["freihand_xyz_al", "auc"] <= 1
    assert found["freihand_xyz_pa", "mean"] == about((4 * 250 / 36 + 2 * 250 / 9) / 21 / 4) == about(0.992063)
    assert found["2d_box", "mean"] == about((0.095 + 3 * 0.015) / 4) == about(0.035)
    assert found["2d_box", "auc"] == about((52.5 + 3 * 92.5) / 400) == about(0.825)
    text = capsys.readouterr().out
    assert "not scored: freihand_mesh," in text and "vertices do not correspond: 1609 predicted, 778 true" in text
    assert ("freihand_surface_pa", "mean") in found and ("freihand_f5_al", "mean") not in found
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "pck.png", "scores.csv", "scores.json", "scores.md", "values.npz",
    ]  # fmt: skip


def test_two_results_are_compared_on_the_same_hands(example, tmp_path, capsys) -> None:
    root, file = example
    better = load_predictions(file)
    replace(better, joints_3d=np.stack([octahedron()] * 4) + 0.001).save(tmp_path / "better.npz")
    for name in ("preds", "better"):
        run_eval(tmp_path / f"{name}.npz", root, tmp_path / name, "--protocol", "freihand_xyz")
    capsys.readouterr()
    results = [f"first={tmp_path / 'preds'}", str(tmp_path / "better")]
    assert main(["compare", *results, "--out", str(tmp_path / "both"), "--resamples", "200"]) == 0
    text = (tmp_path / "both/compare.md").read_text()
    assert text == capsys.readouterr().out and "| first | better | better - first |" in text
    assert "16.49 [" in text and "| 1.732 [1.732, 1.732]; [1.732, 1.732] |" in text and "(4 hands)" in text
    assert cv2.imread(str(tmp_path / "both/compare.png")) is not None


def test_predicting_a_dataset_and_scoring_it(toy_weights, tmp_path, capsys) -> None:
    hands = [blobs((112, 112), 70, angle, "right") for angle in (0.2, -0.4)]
    flat = [toy_joints(*hand) for hand in hands]
    true = [np.column_stack([(points - 112) / 480, np.ones(21)]) * 0.5 for points in flat]
    root = write_freihand(tmp_path / "freihand", true, [paint(224, 224, [hand]) for hand in hands])
    where = ["freihand", str(root), "--set", "split=evaluation", "--weights", str(toy_weights)]
    for boxes in ([], ["--oracle-boxes"]):
        zipped = tmp_path / "pred.zip"
        out = tmp_path / "p.npz"
        code = main(["predict-dataset", *where, "--out", str(out), "--masks", "--freihand", str(zipped), *boxes])
        assert code == 0 and "2 labelled hands, 2 found, 0 unreadable" in capsys.readouterr().out
        predictions = load_predictions(out)
        np.testing.assert_allclose(predictions.joints_2d, flat, atol=1.5)
        assert predictions.header["weights"]["estimator"]["version"] == "toy" and predictions.masks is not None
        assert len(predictions.masks) == 2 and predictions.masks[0].any()
        joints, vertices = json.loads(zipfile.ZipFile(zipped).read("pred.json"))
        np.testing.assert_allclose(joints, predictions.joints_3d, atol=1e-6)
        assert len(vertices) == 2
        assert run_eval(out, root, tmp_path / "scores", "--protocol", "2d", "--protocol", "mask") == 0
        assert "not scored: mask_iou, mask_iou_mesh: the truth has no masks" in capsys.readouterr().out
        assert figures(tmp_path / "scores")["2d_box", "mean"] < 0.02


def test_answers_in_manos_mesh_are_scored_vertex_by_vertex(toy_weights, tmp_path, capsys) -> None:
    hands = [blobs((112, 112), 70, angle, "right") for angle in (0.2, -0.4)]
    true = [np.column_stack([(toy_joints(*hand) - 112) / 480, np.ones(21)]) * 0.5 for hand in hands]
    root = write_freihand(tmp_path / "freihand", true, [paint(224, 224, [hand]) for hand in hands])
    where = ["freihand", str(root), "--set", "split=evaluation", "--weights", str(toy_weights)]
    mano = write_mano(tmp_path / "MANO_RIGHT.pkl", open_hand_as_mano())
    out = tmp_path / "p.npz"
    assert main(["predict-dataset", *where, "--out", str(out), "--vertices", "--hand-model", str(mano)]) == 0
    predictions = load_predictions(out)
    residual = predictions.refit_residual_mm
    assert predictions.vertices.shape == (2, 778, 3) and predictions.header["hand_model"] == "MANO"
    assert residual.shape == (2,) and (residual >= 0).all()
    assert f"MANO's joints lie {residual.mean():.2f} mm" in capsys.readouterr().out
    assert run_eval(out, root, tmp_path / "scores", "--protocol", "freihand") == 0
    text = capsys.readouterr().out
    assert ("freihand_mesh_al", "mean") in figures(tmp_path / "scores") and "do not correspond" not in text


def test_an_unreadable_picture_keeps_its_place_and_is_told(toy_weights, tmp_path, capsys) -> None:
    hands = [blobs((112, 112), 70, angle, "right") for angle in (0.2, -0.4, 0.1, 0.3)]
    true = [np.column_stack([(toy_joints(*hand) - 112) / 480, np.ones(21)]) * 0.5 for hand in hands]
    root = write_freihand(tmp_path / "freihand", true, [paint(224, 224, [hand]) for hand in hands])
    where = ["freihand", str(root), "--set", "split=evaluation", "--weights", str(toy_weights)]
    out, submission = tmp_path / "p.npz", tmp_path / "pred.json"
    assert main(["predict-dataset", *where, "--out", str(out), "--freihand", str(submission)]) == 0
    whole = np.array(json.loads(submission.read_text())[0])
    (root / "evaluation/rgb/00000002.jpg").write_bytes(b"")
    capsys.readouterr()
    before = out.read_bytes()
    assert main(["predict-dataset", *where, "--out", str(out), "--freihand", str(submission)]) == 1
    told = capsys.readouterr().err
    assert "1 of 4 pictures cannot be read" in told and "00000002.jpg" in told and len(told.splitlines()) == 1
    assert out.read_bytes() == before
    asked = ["--freihand", str(submission), "--skip-damaged"]
    assert main(["predict-dataset", *where, "--out", str(out), *asked]) == 0
    told = capsys.readouterr()
    assert "3 labelled hands, 3 found, 1 unreadable" in told.out and "stands in" in told.err
    holed = np.array(json.loads(submission.read_text())[0])
    np.testing.assert_array_equal(holed[[0, 1, 3]], whole[[0, 1, 3]])
    assert not holed[2].any() and load_predictions(out).found.tolist() == [True, True, False, True]
    assert run_eval(out, root, tmp_path / "scores", "--protocol", "2d") == 1
    told = capsys.readouterr().err
    assert "1 of 4 pictures cannot be read" in told and "00000002.jpg" in told and not (tmp_path / "scores").exists()
    assert run_eval(out, root, tmp_path / "scores", "--protocol", "2d", "--skip-damaged") == 0
    told = capsys.readouterr().err
    assert "00000002.jpg" in told and "1 of 4 pictures could not be read" in told
    assert figures(tmp_path / "scores")["2d_box", "mean"] < 0.02  # the others are scored as they are


def test_another_edition_is_scored_only_if_asked(example, tmp_path, capsys, monkeypatch) -> None:
    root, file = example
    monkeypatch.setattr("handscope.data.editions.COUNTS", {("freihand", "evaluation"): {3960: "FreiHAND_pub_v2"}})
    assert run_eval(file, root, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "labels of 4, expected 3960 (FreiHAND_pub_v2); --skip-damaged" in told and not (tmp_path / "out").exists()
    where = ["freihand", str(root), "--set", "split=evaluation", "--out", str(tmp_path / "p.npz")]
    assert main(["predict-dataset", *where]) == 1
    assert "labels of 4" in capsys.readouterr().err and not (tmp_path / "p.npz").exists()
    assert run_eval(file, root, tmp_path / "out", "--skip-damaged") == 0
    assert "scored all the same" in capsys.readouterr().err


def test_a_picture_is_read_once_and_damage_inside_is_told_before_anything_is_written(
    toy_weights, tmp_path, capsys, monkeypatch
) -> None:
    pictures = [paint(224, 224, [blobs((112, 112), 70, 0.2, "right")])] * 3
    root = write_freihand(tmp_path / "freihand", [octahedron()] * 3, pictures)
    where = ["freihand", str(root), "--set", "split=evaluation", "--weights", str(toy_weights)]
    read, item = [], FreiHAND.__getitem__
    monkeypatch.setattr(FreiHAND, "__getitem__", lambda self, i: read.append(i) or item(self, i))
    assert main(["predict-dataset", *where, "--out", str(tmp_path / "p.npz")]) == 0 and read == [0, 1, 2]
    broken = root / "evaluation/rgb/00000001.jpg"
    broken.write_bytes(b"\xff\xd8" + b"0" * 5000 + b"\xff\xd9")  # begins and ends as a JPEG does
    capsys.readouterr()
    assert main(["predict-dataset", *where, "--out", str(tmp_path / "q.npz")]) == 1
    assert "1 of 3 pictures cannot be read" in capsys.readouterr().err and not (tmp_path / "q.npz").exists()
    assert read[3:] == [0, 1, 2]


@pytest.mark.skipif(not (SHIPPED / "estimator.onnx").is_file(), reason="the weights are not in this checkout")
def test_the_page_goes_from_a_folder_to_a_figure(sets, tmp_path, monkeypatch) -> None:
    """docs/evaluation.md, "From a folder to a figure", as it stands, on the stand-in of FreiHAND."""
    page = (Path(__file__).parents[2] / "docs/evaluation.md").read_text().split("## From a folder to a figure")[1]
    (code, shell) = re.findall(r"^```(?:python)?\n(.*?)^```", page, re.M | re.S)[:2]
    (tmp_path / "FreiHAND_pub_v2").symlink_to(sets["freihand"][0])
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/evaluation.md", "exec"), {})
    for line in shell.splitlines():
        assert main(shlex.split(line)[1:]) == 0, line
    assert cv2.imread("figure/compare.png") is not None
    head, _, *rows = Path("figure/compare.md").read_text().splitlines()
    assert head == "| variant | figure | Ours | Theirs | A line | Theirs - Ours |"
    cells = {row.split(" | ")[1].split()[0]: row.strip("| ").split(" | ") for row in rows if row.startswith("|")}
    assert cells["auc"][4] == "0.5" and cells["mean"][4] == ""
    assert 4 < float(cells["mean"][3].split()[0]) < 8 and cells["mean"][5].endswith("(5 hands)")


def as_answers(kind: str, root: Path, folder: Path, found: list[int]) -> Path:
    """The labels of `root`, joints 7 mm and 4 px aside, in somebody's form."""
    truth = read_truth(FreiHAND(root, split="evaluation"))
    spatial, flat = truth.joints_3d + np.array([0, 0, 0.007]), truth.joints_2d + np.array([4.0, 0])
    if kind == "json":
        (folder / "a.json").write_text(json.dumps([spatial.tolist(), [[[0, 0, 0]]] * len(truth)]))
    elif kind == "zip":
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            archive.writestr("pred.json", json.dumps([spatial.tolist(), np.zeros((len(truth), 1, 3)).tolist()]))
    elif kind == "csv":
        names = [f"{a}{j}" for j in range(21) for a in "uv"] + [f"{a}{j}" for j in range(21) for a in "xyz"]
        numbers = np.concatenate([flat.reshape(len(truth), -1), spatial.reshape(len(truth), -1)], 1)
        lines = [",".join(["key", "found", *names])]
        lines += [
            ",".join([str(k)[:-2], str(f), *map(str, r)]) for k, f, r in zip(truth.keys, found, numbers, strict=True)
        ]
        (folder / "a.csv").write_text("\n".join([lines[0], *lines[:0:-1]]))
    else:
        keys = np.array([str(key) for key in truth.keys])
        np.savez(folder / "a.npz", keys=keys, joints_2d=flat, joints_3d=spatial, found=np.array(found))
    return folder / f"a.{kind}"


@pytest.mark.parametrize("kind", ["json", "zip", "csv", "npz"])
def test_anybodys_answers_are_scored(sets, tmp_path, capsys, kind) -> None:
    found = [1] * 5 if kind in ("json", "zip") else [1, 0, 1, 1, 1]
    file = as_answers(kind, sets["freihand"][0], tmp_path, found)
    assert (
        run_eval(
            file, sets["freihand"][0], tmp_path / "out", "--protocol", "freihand_xyz", "--protocol", "cmu_mmpose_auc"
        )
        == 0
    )
    scores = figures(tmp_path / "out")
    assert scores["freihand_xyz", "mean"] == pytest.approx(7, abs=1e-3)
    assert scores["freihand_xyz", "found"] == np.mean(found)
    if kind in ("csv", "npz"):
        assert scores["cmu_mmpose_auc", "mean"] == pytest.approx(4, abs=1e-3)
    else:
        assert "cmu_mmpose_auc: the predictions have no 2D joints" in capsys.readouterr().out


HEAD = ",".join(["key", *(f"{a}{j}" for j in range(21) for a in "uv")])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", "[[1, 2], [3]]", "a.json"),
        ("a.json", "{}", "a.json.*xyz, verts"),
        ("a.json", json.dumps([[[[0, 0, 0]] * 21] * 3, [[[0, 0, 0]]] * 3]), "3 rows .* 5 labelled hands"),
        ("a.zip", "no zip", "no .zip with a pred.json"),
        ("a.csv", "key,x0\na,1\n", "columns key and u0 to v20"),
        ("a.csv", "", "columns key"),
        ("a.csv", HEAD + "\na" + ",1" * 41 + ",x\n", "every cell"),
        ("a.csv", HEAD + ("\na" + ",1" * 42) * 2, "more than one row"),
        ("a.csv", HEAD + "\na" + ",1" * 42, "no row for evaluation/0"),
    ],
)  # fmt: skip
def test_answers_in_no_known_form_are_one_sentence(sets, tmp_path, capsys, name, content, told) -> None:
    (tmp_path / name).write_text(content)
    assert run_eval(tmp_path / name, sets["freihand"][0], tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert re.search(told, error) and "Traceback" not in error and error.count("\n") == 1


@pytest.mark.parametrize("damage", ["text", "cut", "keys", "pickle"])
def test_damaged_predictions_are_one_sentence(example, tmp_path, capsys, damage) -> None:
    root, file = example
    if damage == "text":
        file.write_text("hello")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-400])
    elif damage == "pickle":
        np.savez(file, header=np.array([{}], dtype=object))
    else:
        whole = load_predictions(file)
        replace(whole, keys=np.array([f"other/{n}" for n in range(4)])).save(file)
    assert run_eval(file, root, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith("handscope: ") and "Traceback" not in error and "predict-dataset" in error


def test_unknown_protocols_and_other_hands_are_told(example, tmp_path, capsys) -> None:
    root, file = example
    assert run_eval(file, root, tmp_path / "out", "--protocol", "nonsense") == 2
    assert "there are freihand, rhd" in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "nowhere")]) == 2
    assert "handscope eval --out" in capsys.readouterr().err
