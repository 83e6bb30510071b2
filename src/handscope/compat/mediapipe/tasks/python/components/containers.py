"""`tasks.python.components.containers`: what results are made of."""

from handscope.compat.mediapipe.landmarks import Category as Category
from handscope.compat.mediapipe.landmarks import Landmark as Landmark
from handscope.compat.mediapipe.landmarks import NormalizedLandmark as NormalizedLandmark
