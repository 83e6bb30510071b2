"""MediaPipe's older face, which 0.10.31 took away."""

from handscope.compat.mediapipe.absent import hands_only
from handscope.compat.mediapipe.solutions import drawing_styles as drawing_styles
from handscope.compat.mediapipe.solutions import drawing_utils as drawing_utils
from handscope.compat.mediapipe.solutions import hands as hands

__getattr__ = hands_only("solutions", ("hands", "drawing_utils", "drawing_styles"))
