"""`mediapipe.framework.formats`, as far as hands need it."""

from handscope.compat.mediapipe.framework import formats as formats
