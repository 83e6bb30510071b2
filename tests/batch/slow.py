"""Annotators that take their time, so that something can happen meanwhile."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from handscope.batch.annotator import Annotator, Settings


class SlowAnnotator(Annotator):
    """A second a window longer."""

    def _rows(self, window, fetched):
        time.sleep(1.0)
        return super()._rows(window, fetched)


@dataclass(frozen=True, kw_only=True)
class SlowSettings(Settings):
    def annotator(self):
        return SlowAnnotator(self)

    def told(self):
        return Settings(weights=self.weights, batch=self.batch).told()


class WatchedAnnotator(Annotator):
    """Writes down its windows, in a file a process, and takes a twentieth of a second for each; after the first one it
    waits until three processes have theirs, or half a minute."""

    def _rows(self, window, fetched):
        seen = Path(self._settings.memory)
        own, until = seen / str(os.getpid()), time.monotonic() + 30
        is_first = not own.exists()
        with own.open("a") as file:
            file.write(f"{window[0].index}\n")
        while is_first and len(list(seen.iterdir())) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        return super()._rows(window, fetched)


@dataclass(frozen=True, kw_only=True)
class WatchedSettings(Settings):
    memory: str = ""

    def annotator(self):
        return WatchedAnnotator(self)

    def told(self):
        return Settings(weights=self.weights, batch=self.batch).told()
