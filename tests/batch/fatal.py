"""An annotator that some pictures kill, as a crash in a library would."""

import os
from dataclasses import dataclass
from pathlib import Path

from handscope.batch.annotator import Annotator, Settings


class FatalAnnotator(Annotator):
    """Ends its process over pictures that `deadly` names; over those of `once` the first time. (`once` has a folder for
    its memory.)"""

    def _rows(self, window, fetched):
        for item in window:
            name = item.address.rsplit("/", 1)[-1]
            if name in self._settings.deadly:
                os._exit(3)
            memory = Path(self._settings.memory) / name
            if name in self._settings.once and not memory.exists():
                memory.touch()
                os._exit(4)
        return super()._rows(window, fetched)


@dataclass(frozen=True, kw_only=True)
class FatalSettings(Settings):
    deadly: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    memory: str = ""
    starts: bool = True

    def annotator(self):
        if not self.starts:
            os._exit(5)
        return FatalAnnotator(self)

    def told(self):
        return Settings(weights=self.weights, batch=self.batch).told()
