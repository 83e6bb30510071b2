"""An annotator that takes its time, so that something can happen meanwhile."""

import time
from dataclasses import dataclass

from handscope.batch.annotator import Annotator, Settings


class SlowAnnotator(Annotator):
    """A second a window longer."""

    def _rows(self, window, fetched, begin):
        time.sleep(1.0)
        return super()._rows(window, fetched, begin)


@dataclass(frozen=True, kw_only=True)
class SlowSettings(Settings):
    def annotator(self):
        return SlowAnnotator(self)

    def told(self):
        return Settings(weights=self.weights, batch=self.batch).told()
