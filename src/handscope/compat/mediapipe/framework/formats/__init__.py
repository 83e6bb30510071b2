"""The messages that drawing takes."""

from handscope.compat.mediapipe.framework.formats import classification_pb2 as classification_pb2
from handscope.compat.mediapipe.framework.formats import landmark_pb2 as landmark_pb2
