"""Landmarks and lists of them."""

from handscope.compat.mediapipe.landmarks import Landmark as Landmark
from handscope.compat.mediapipe.landmarks import LandmarkList as LandmarkList
from handscope.compat.mediapipe.landmarks import NormalizedLandmark as NormalizedLandmark
from handscope.compat.mediapipe.landmarks import NormalizedLandmarkList as NormalizedLandmarkList
