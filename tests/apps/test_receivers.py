"""examples/receivers against messages as they are sent: ROS's own modules are stood in for, Godot's script is read."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from handscope.infer.formats import schema
from handscope.infer.messages import to_message
from handscope.infer.results import Hands
from handscope.infer.video import VideoFrame
from posed_hands import posed_hand

RECEIVERS = Path(__file__).parents[2] / "examples" / "receivers"


@pytest.fixture
def message():
    hands = Hands([posed_hand(64, 48), posed_hand(64, 48, "left")], width=64, height=48)
    return json.loads(to_message(VideoFrame(0, 0.0, np.zeros((48, 64, 3), np.uint8), hands), 1.0))


class Node:
    def __init__(self, name):
        self.published = {}

    def declare_parameter(self, name, value):
        return SimpleNamespace(value=value)

    def create_publisher(self, kind, topic, depth):
        return SimpleNamespace(publish=lambda told: self.published.setdefault(topic, told))

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: "now"))


def of_ros(**more):
    return SimpleNamespace(header=SimpleNamespace(), **more)


def test_the_ros_node_publishes_what_it_hears(message, monkeypatch):
    for name, content in {
        "rclpy": {},
        "rclpy.node": {"Node": Node},
        "geometry_msgs": {},
        "geometry_msgs.msg": {
            "Pose": lambda: SimpleNamespace(position=SimpleNamespace()),
            "PoseArray": lambda: of_ros(poses=[]),
        },
        "sensor_msgs": {},
        "sensor_msgs.msg": {"JointState": of_ros},
    }.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    pytest.importorskip("websockets")
    spec = importlib.util.spec_from_file_location("ros2_hands", RECEIVERS / "ros2_hands.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script.Hands, "listen", lambda self: None)
    node = script.Hands()
    for hand in message["hands"]:
        node.tell(hand)
    places = node.published["hands/left"]
    assert places.header.frame_id == "camera_color_optical_frame"
    told = [(p.position.x, p.position.y, p.position.z) for p in places.poses]
    np.testing.assert_allclose(told, message["hands"][1]["joints_3d"])
    angles = node.published["hands/right/angles"]
    bend = dict(zip(angles.name, angles.position, strict=True))["right_index_pip_flexion"]
    assert bend == pytest.approx(0.3, abs=1e-3)


def test_godots_script_asks_for_fields_that_there_are(message):
    text = (RECEIVERS / "hands.gd").read_text()
    asked = set(re.findall(r'(?:hand|\))\["(\w+)"\]', text))
    assert asked == {"hands", "joints_3d", "handedness"}
    assert asked - {"hands"} <= set(schema()["$defs"]["hand"]["properties"]) and "hands" in message
