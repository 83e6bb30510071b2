"""`handscope bench calibrate`: the logistic that makes joint scores probabilities, fitted, checked and kept."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace

from handscope.apps.bench_pictures import Bars, Spread, rendered
from handscope.data.dev_sets import JointsDev
from handscope.data.photos import PhotoDataset
from handscope.evaluation import calibration
from handscope.evaluation.real import SOURCES
from handscope.files import writable_folder, write_file
from handscope.infer.calibration import Calibration, logit
from handscope.infer.models import open_models
from handscope.infer.pipeline import Pipeline
from handscope.infer.weights import SHIPPED
from handscope.types import Sample

SEAL = "; scripts/seal_weights.py makes it the one that ships"


def calibrate(options: argparse.Namespace) -> int:
    """Fit, check and, if asked, keep the calibration."""
    models = open_models(options.weights, threads=options.threads, device=options.compute)
    model = Pipeline(replace(models, assembler=replace(models.assembler, calibration=Calibration())))  # raw scores
    fitted_on, checked_on = _calibration_sets(options)
    with Bars() as show:
        judged = {
            name: calibration.judge(
                (samples[i] for i in range(len(samples))),
                model,
                lambda done, name=name, samples=samples: show(name, done, len(samples)),
            )
            for name, samples in (fitted_on | checked_on).items()
        }
    learnt = [judged[name] for name in fitted_on]
    offset, slope = calibration.fit_logistic([logit(one.scores) for one in learnt], [one.correct for one in learnt])
    new = Calibration(round(offset, 3), round(slope, 3))
    before = {name: judged[name] for name in checked_on}
    after = {name: calibration.Judged(new(one.scores), one.correct) for name, one in before.items()}
    entry = {
        "offset": new.offset,
        "slope": new.slope,
        "correct": f"within {calibration.CORRECT} of the larger side of the joints' box",
        "fitted_on": {name: len(judged[name].scores) for name in fitted_on},
        "ece": {name: round(calibration.calibration_error(one), 3) for name, one in after.items()},
    }
    if options.plot is not None:
        calibration.plot(before, after, options.plot)
    if options.out is not None:
        write_file(writable_folder(options.out) / "calibration.json", json.dumps(entry, indent=1) + "\n")
    print(f"sigmoid({new.offset} + {new.slope} logit(score)), fitted on {', '.join(fitted_on)}\n")
    print(calibration.report(before, after))
    if options.write:
        path = models.estimator.network.path.with_suffix(".json")
        card = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_file(path, json.dumps(card | {"calibration": entry}, indent=1) + "\n")
        print(f"\n{path}: calibration written" + (SEAL if path.parent == SHIPPED else ""))
    return 0


def _calibration_sets(options: argparse.Namespace) -> tuple[dict[str, Sequence[Sample]], dict[str, Sequence[Sample]]]:
    """What the calibration is fitted on and what it is checked on; joints-dev never fits anything."""
    fitted: dict[str, Sequence[Sample]] = {f"rendered, seed {options.seed}": rendered(options, options.seed)}
    checked: dict[str, Sequence[Sample]] = {"rendered": rendered(options, options.seed + 1)}
    if options.data is not None:
        photos = {
            split: PhotoDataset(options.data, options.labels, split=split, sources=SOURCES)
            for split in ("train", "held-out")
        }
        fitted["photographs, train split"] = Spread(photos["train"], options.limit or options.count)
        checked["photographs held out"] = Spread(photos["held-out"], options.limit)
        checked["joints-dev"] = Spread(JointsDev(options.data), options.limit)
    return fitted, checked
