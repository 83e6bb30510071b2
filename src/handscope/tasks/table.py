"""The table of tasks: a new one is a file beside this and an entry here.

Recipes choose by name: `network.tasks` of `MAPS`, `network.heads` of `HEADS`. In the paper's Table 4, whose columns are
pose, mask and mesh, the POF belongs to the mesh: it is there for the bones' depths. Pose alone has one task.
"""

from __future__ import annotations

from handscope.tasks.heatmap import HEATMAP
from handscope.tasks.mask import MASK
from handscope.tasks.pof import POF
from handscope.tasks.presence import PRESENCE
from handscope.tasks.side import SIDE
from handscope.tasks.task import HeadTask, MapTask
from handscope.tasks.visibility import VISIBILITY

MAPS: dict[str, MapTask] = {task.name: task for task in (HEATMAP, MASK, POF)}
HEADS: dict[str, HeadTask] = {task.name: task for task in (SIDE, VISIBILITY, PRESENCE)}
