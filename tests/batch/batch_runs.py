"""Runs as the simplest engine does them, and their rows; tiny pictures."""

import io

import numpy as np
from PIL import Image

from handscope.batch import parts
from handscope.batch.manifest import freeze
from handscope.batch.rows import VARYING
from handscope.batch.run import Run
from handscope.batch.sources import absolute, items_of
from handscope.batch.store import open_store
from toy_networks import blobs, paint


def png(number: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(paint(64, 48, [blobs((30, 24), 20, 0.1 * number, "left")]))).save(buffer, "PNG")
    return buffer.getvalue()


def begin(out, source, settings, rows=8):
    store, sources = open_store(str(out)), absolute([str(source)])
    return Run(store, freeze(store, items_of(sources, print), sources, shard_rows=rows), settings)


def work_through(run, *, most=10**9, retry_failed=False):
    """As the simplest engine does it."""
    done = 0
    with run.settings.annotator() as annotator:
        for work in run.works(retry_failed=retry_failed):
            if done == most:
                break
            run.finish(work, [row for rows in annotator.annotate_windows(work.windows) for row in rows])
            done += 1
    return done


def rows_of(run):
    """All rows, without what varies."""
    tables = [parts.read_table(run.store, part) for _, part in sorted(run.done.items())]
    return [{k: v for k, v in row.items() if k not in VARYING} for table in tables for row in table.to_pylist()]
