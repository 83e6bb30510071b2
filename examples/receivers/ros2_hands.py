"""A ROS 2 node (rclpy; Humble or newer): joints of both hands as geometry_msgs/PoseArray, from `handscope camera`.

    handscope camera --send ws://127.0.0.1:9100
    python ros2_hands.py --ros-args -p address:=ws://127.0.0.1:9100

It needs `pip install websockets` beside ROS. Topics: hands/left, hands/right (21 poses, metres, frame_id
camera_color_optical_frame: x right, y down, z forward, as ROS's optical frames are) and hands/left/angles,
hands/right/angles (sensor_msgs/JointState, radians).
"""

from __future__ import annotations

import json
import math
import threading

import rclpy
from geometry_msgs.msg import Pose, PoseArray
from rclpy.node import Node
from sensor_msgs.msg import JointState
from websockets.sync.client import connect

SIDES = ("left", "right")


class Hands(Node):
    """Publishes what it hears."""

    def __init__(self) -> None:
        super().__init__("handscope")
        self.address = self.declare_parameter("address", "ws://127.0.0.1:9100").value
        self.frame = self.declare_parameter("frame_id", "camera_color_optical_frame").value
        self.places = {side: self.create_publisher(PoseArray, f"hands/{side}", 10) for side in SIDES}
        self.angles = {side: self.create_publisher(JointState, f"hands/{side}/angles", 10) for side in SIDES}
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Frame after frame, until the sender ends."""
        with connect(self.address) as socket:
            for text in socket:
                for hand in json.loads(text)["hands"]:
                    self.tell(hand)

    def tell(self, hand: dict) -> None:
        """One hand, on the topics of its side."""
        side, now = hand["handedness"], self.get_clock().now().to_msg()
        places = PoseArray()
        places.header.stamp, places.header.frame_id = now, self.frame
        for x, y, z in hand["joints_3d"]:
            pose = Pose()
            pose.position.x, pose.position.y, pose.position.z = x, y, z
            places.poses.append(pose)
        self.places[side].publish(places)
        angles = JointState()
        angles.header.stamp = now
        angles.name = [f"{side}_{name}" for name in hand["joint_angles"]]
        angles.position = [math.radians(degrees) for degrees in hand["joint_angles"].values()]
        self.angles[side].publish(angles)


def main() -> None:
    """Until Ctrl-C."""
    rclpy.init()
    rclpy.spin(Hands())


if __name__ == "__main__":
    main()
