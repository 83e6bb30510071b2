"""Sides with their probabilities."""

from handscope.compat.mediapipe.landmarks import Classification as Classification
from handscope.compat.mediapipe.landmarks import ClassificationList as ClassificationList
