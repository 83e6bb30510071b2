"""`from mediapipe.tasks import python`: `BaseOptions`, `vision`, `components`."""

from handscope.compat.mediapipe.tasks.python import components as components
from handscope.compat.mediapipe.tasks.python import vision as vision
from handscope.compat.mediapipe.tasks.python.base_options import BaseOptions as BaseOptions
