"""What a study found: a table, claims with intervals and verdicts, curves as the paper's Figures 7, 8 and 10, one page.

table.csv, table.json and report.md hold the same; nothing in them depends on when or how fast it was made.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.ablation.intervals import Difference, Layout, Values, difference, laid_out
from handscope.ablation.study import Claim, Job, Study, scores_name
from handscope.errors import HandscopeError
from handscope.evaluation.columns import AT_2D, AT_3D, AT_MASK, COLUMNS
from handscope.evaluation.report import INK
from handscope.files import NewFile, write_file
from handscope.paths import as_cell

Floats = NDArray[np.float64]
FIGURES = {
    "joints_3d": ("3D PCK (Figure 7)", "mm", AT_3D.values * 1000),
    "joints_2d_mesh": ("2D PCK† (Figure 8)", "box sides", AT_2D.values),
    "mask_mesh": ("IoU PCK† (Figure 8)", "IoU", AT_MASK),
    "mesh": ("3D PCK of vertices (Figure 8)", "mm", AT_3D.values * 1000),
}
"""Which curves are drawn."""
LINES = ("joints_2d", "joints_2d_mesh", "mask", "mask_mesh")
"""The columns of Figure 10."""


@dataclass(frozen=True)
class Scores:
    """Of one evaluation set: `keys` (n,) of its hands, `values` and `curves` by column, row and seed."""

    keys: NDArray[np.character]
    values: dict[str, dict[str, dict[int, Floats]]]
    curves: dict[str, dict[str, dict[int, Floats]]]


def collected(study: Study, jobs: Sequence[Job], out: Path, source: str) -> Scores:
    """The scores of every run that is done on one set, row by row, seed by seed; HandscopeError if none is."""
    values: dict[str, dict[str, dict[int, Floats]]] = {column: {} for column in COLUMNS}
    curves: dict[str, dict[str, dict[int, Floats]]] = {column: {} for column in COLUMNS}
    keys: NDArray[np.character] | None = None
    for job in jobs:
        path = out / job.name / scores_name(study)
        if job.cell is None or not path.exists():
            continue
        with np.load(path, allow_pickle=False) as arrays:
            here = arrays[f"{source}/keys"]
            if keys is not None and not np.array_equal(keys, here):
                raise HandscopeError(f"{path}: scored on other hands than the runs before; remove it and run again")
            keys = here
            last = max(int(name.split("/")[1]) for name in arrays.files if name.count("/") == 2)
            blocks = {f"{job.cell}@{k}": k for k in range(1, last + 1)} if study.blocks and last > 1 else {}
            for row, block in (blocks or {job.cell: last}).items():
                for column in COLUMNS:
                    found = arrays[f"{source}/{block}/{column}"].astype(np.float64)
                    if not np.isnan(found).all():
                        values[column].setdefault(row, {})[job.seed] = found
                        curve = arrays[f"{source}/{block}/{column}/curve"].astype(np.float64)
                        curves[column].setdefault(row, {})[job.seed] = curve
    if keys is None:
        raise HandscopeError(f"{out}: no run of {study.title!r} is done yet")
    return Scores(keys, values, curves)


@dataclass(frozen=True)
class Answer:
    """A claim on one column of one set, and what was found; `printed` is the paper's difference, if it has one."""

    claim: Claim
    source: str
    column: str
    found: Difference
    printed: float | None


def answered(study: Study, source: str, scores: Scores) -> list[Answer]:
    """Every claim on every column of which both rows are known."""
    answers = []
    layouts = {column: laid_out(rows) for column, rows in scores.values.items() if rows}
    for claim in study.claims:
        better, worse = (_row(study, scores, name) for name in (claim.better, claim.worse))
        for column in claim.columns:
            rows: Values = scores.values[column]
            if better in rows and worse in rows:
                found = difference(layouts[column], rows, scores.keys, better, worse)
                answers.append(Answer(claim, source, column, found, _printed(study, claim, column)))
    return answers


def _row(study: Study, scores: Scores, name: str) -> str:
    """The row of a cell: its last block where every block is one."""
    if "@" in name:
        return name
    rows = {row for column in scores.values.values() for row in column if row.partition("@")[0] == name}
    return max(rows, key=lambda row: int(row.partition("@")[2] or 0)) if rows else name


def _printed(study: Study, claim: Claim, column: str) -> float | None:
    told = [study.cells[row.partition("@")[0]].printed.get(_block_column(row, column)) for row in
            (claim.better, claim.worse)]  # fmt: skip
    return None if told[0] is None or told[1] is None else told[0] - told[1]


def _block_column(row: str, column: str) -> str:
    """The key of a printed number: the column, or COLUMN@K of the K-th block."""
    _, at, block = row.partition("@")
    return f"{column}@{block}" if at else column


def write(study: Study, jobs: Sequence[Job], out: Path, folder: Path) -> Path:
    """All files in `folder`; returns report.md's path."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = {source: collected(study, jobs, out, source) for source in study.evaluate}
    order = [*study.primary, *[name for name in sets if name not in study.primary]]
    answers = [answer for source in order for answer in answered(study, source, sets[source])]
    tables = {source: table(study, sets[source]) for source in order}
    write_file(folder / "table.csv", _as_csv(tables))
    content = {
        "title": study.title,
        "primary": study.primary,
        "tables": tables,
        "claims": [_as_dict(answer) for answer in answers],
    }
    write_file(folder / "table.json", json.dumps(content, indent=1) + "\n")
    for source in order:
        draw_curves(sets[source], folder / curves_name(study, source))
    if study.series:
        draw_series(study, [sets[name] for name in study.primary], folder / "series.png")
    text = _as_markdown(study, jobs, out, tables, answers)
    return write_file(folder / "report.md", text)


def table(study: Study, scores: Scores) -> dict[str, dict[str, dict[str, Any]]]:
    """By row and column: `mean` over hands and seeds, `spread` of a run by its luck (pooled over the rows; None if
    nothing is left over), `seeds`, and the paper's number (`printed`).
    """
    rows = dict.fromkeys(row for column in scores.values.values() for row in column)
    layouts = {column: laid_out(found) for column, found in scores.values.items() if found}
    return {
        row: {
            column: _cell(study, layouts[column], scores.values[column], row, column)
            for column in COLUMNS
            if row in scores.values[column]
        }
        for row in rows
    }


def _cell(study: Study, layout: Layout, values: Values, row: str, column: str) -> dict[str, Any]:
    printed = study.cells[row.partition("@")[0]].printed.get(_block_column(row, column))
    mean = float(np.mean([np.nanmean(found) for found in values[row].values()]))
    spread = None if math.isnan(layout.variance) else round(math.sqrt(layout.variance), 5)
    return {"mean": round(mean, 5), "spread": spread, "seeds": sorted(values[row]), "printed": printed}


def _as_csv(tables: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "row", "column", "mean", "spread", "seeds", "printed"])
    for source, rows in tables.items():
        for row, columns in rows.items():
            for column, cell in columns.items():
                printed, spread = ("" if cell[name] is None else cell[name] for name in ("printed", "spread"))
                writer.writerow(
                    [as_cell(source), as_cell(row), column, cell["mean"], spread, len(cell["seeds"]), printed]
                )
    return text.getvalue()


def _as_dict(answer: Answer) -> dict[str, Any]:
    finite = [value if math.isfinite(value) else None for value in (answer.found.low, answer.found.high)]
    return {
        "claim": answer.claim.claim,
        "set": answer.source,
        "column": answer.column,
        "better": answer.claim.better,
        "worse": answer.claim.worse,
        "difference": round(answer.found.value, 5),
        "interval": [None if value is None else round(value, 5) for value in finite],
        "printed": answer.printed if answer.printed is None else round(answer.printed, 4),
        "verdict": answer.found.verdict,
    }


def _as_markdown(
    study: Study,
    jobs: Sequence[Job],
    out: Path,
    tables: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]],
    answers: Sequence[Answer],
) -> str:
    done = sum(job.cell is not None and (out / job.name / scores_name(study)).exists() for job in jobs)
    wanted = sum(job.cell is not None for job in jobs)
    lines = [f"# {study.title}", ""]
    if done < wanted:
        lines += [f"{done} of {wanted} runs are done: what follows is not the whole.", ""]
    for source, rows in tables.items():
        role = "primary" if source in study.primary else "secondary"
        lines += [f"## {source} ({role}); in brackets the paper's numbers", ""]
        lines += [f"| | seeds | {' | '.join(COLUMNS.values())} |", "|---|---|" + "---|" * len(COLUMNS)]
        for row, columns in rows.items():
            seeds = max((len(cell["seeds"]) for cell in columns.values()), default=0)
            told = [_told(columns[column]) if column in columns else "-" for column in COLUMNS]
            lines.append(f"| {row} | {seeds} | {' | '.join(told)} |")
        lines.append("")
    if answers:
        lines += [
            "## Claims",
            "",
            "| claim | set | column | difference | interval (95 %) | paper | verdict |",
            "|---|---|---|---|---|---|---|",
        ]
        for answer in answers:
            found = answer.found
            limits = f"{found.low:+.4f} to {found.high:+.4f}" if math.isfinite(found.low) else "one run each"
            printed = "" if answer.printed is None else f"{answer.printed:+.3f}"
            verdict = found.verdict if answer.source in study.primary else f"({found.verdict})"
            lines.append(
                f"| {answer.claim.claim} | {answer.source} | {COLUMNS[answer.column]} | {found.value:+.4f} | "
                f"{limits} | {printed} | {verdict} |"
            )
        lines += ["", "In brackets what a secondary set says: primary ones decide.", ""]
    for source in tables:
        if any(tables[source].values()):
            lines += [f"![PCK curves, {source}]({curves_name(study, source)})", ""]
    if study.series:
        lines += ["![By the share of labels](series.png)", ""]
    return "\n".join(lines)


def curves_name(study: Study, source: str) -> str:
    """The file of a set's curves."""
    return "curves.png" if source == study.primary[0] else f"curves-{source}.png"


def _told(cell: Mapping[str, Any]) -> str:
    printed = "" if cell["printed"] is None else f" ({cell['printed']:.3f})"
    return f"{cell['mean']:.4f}{printed}"


def draw_curves(scores: Scores, path: Path) -> None:
    """One panel for each of `FIGURES` that anything is known of; a line is a row's mean over its seeds."""
    panels = {column: FIGURES[column] for column in FIGURES if scores.curves[column]}
    if not panels:
        return
    figure, axes = _axes(len(panels))
    for axis, (column, (title, unit, at)) in zip(axes, panels.items(), strict=True):
        for number, (row, runs) in enumerate(scores.curves[column].items()):
            shares = np.mean(list(runs.values()), axis=0)
            area = np.mean([np.nanmean(values) for values in scores.values[column][row].values()])
            axis.plot(at, shares, color=INK[number % len(INK)], label=f"{row} ({area:.3f})", linewidth=1.4)
        axis.set(title=title, xlabel=unit, ylim=(0, 1), xlim=(at[0], at[-1]))
        axis.legend(fontsize=6)
    _save(figure, path)


def draw_series(study: Study, sets: Sequence[Scores], path: Path) -> None:
    """Figure 10: each column over the share of labelled pictures, a line for each of the study's series; by the first
    of the sets that knows the column.
    """
    figure, axes = _axes(len(LINES))
    for axis, column in zip(axes, LINES, strict=True):
        values = next((scores.values[column] for scores in sets if scores.values[column]), {})
        for number, (label, cells) in enumerate(study.series.items()):
            known = {share: values[cell] for share, cell in cells.items() if cell in values}
            means = [np.mean([np.nanmean(values) for values in runs.values()]) for runs in known.values()]
            axis.plot(
                [float(share) for share in known], means, "o-", color=INK[number % len(INK)], label=label, linewidth=1.4
            )
        axis.set(title=COLUMNS[column], xlabel="share of pictures with labels")
        axis.legend(fontsize=6)
    _save(figure, path)


def _axes(count: int) -> tuple[Any, Sequence[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * count, 3.1), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, count, squeeze=False).ravel())


def _save(figure: Any, path: Path) -> None:
    with NewFile(path) as beside, beside.open("wb") as file:
        figure.savefig(file, format="png", dpi=130)
