"""MediaPipe's newer face: `mp.tasks.BaseOptions`, `mp.tasks.vision`; also as `tasks.python`."""

from handscope.compat.mediapipe.absent import hands_only
from handscope.compat.mediapipe.tasks import python as python
from handscope.compat.mediapipe.tasks.python import BaseOptions as BaseOptions
from handscope.compat.mediapipe.tasks.python import components as components
from handscope.compat.mediapipe.tasks.python import vision as vision

__getattr__ = hands_only("tasks", ("BaseOptions", "vision", "components"))
