"""MediaPipe's hands, as its users call them: `import handscope.compat.mediapipe as mp` and nothing else changes.

Both faces are here, `mp.solutions.hands` (with `drawing_utils` and `drawing_styles`) and
`mp.tasks.vision.HandLandmarker`, with MediaPipe's names, fields, orders and units; docs/mediapipe.md says what differs.
"""

from handscope import __version__ as __version__
from handscope.compat.mediapipe import framework as framework
from handscope.compat.mediapipe import solutions as solutions
from handscope.compat.mediapipe import tasks as tasks
from handscope.compat.mediapipe.images import Image as Image
from handscope.compat.mediapipe.images import ImageFormat as ImageFormat
