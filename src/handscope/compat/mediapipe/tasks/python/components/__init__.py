"""`tasks.python.components`: the containers of landmarks and sides."""

from handscope.compat.mediapipe.tasks.python.components import containers as containers
