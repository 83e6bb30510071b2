"""A camera's hands to other programs: a plain WebSocket client, and a plain UDP socket, on this machine."""

from __future__ import annotations

import json
import socket
import struct
import threading

import jsonschema
import numpy as np
import pytest
from referencing import Registry, Resource

from clips import FakeCapture, toy_frames
from handscope.apps import camera as camera_command
from handscope.apps import sending
from handscope.apps.sending import open_sender
from handscope.errors import HandscopeError
from handscope.infer.formats import schema
from handscope.infer.live import CameraReader
from handscope.infer.messages import live_schema
from handscope.infer.pipeline import load
from handscope.infer.results import Hands
from handscope.infer.video import VideoFrame
from posed_hands import posed_hand

websockets = pytest.importorskip("websockets.sync.client")
pytest.importorskip("pythonosc")


def frame(index=0):
    hands = Hands([posed_hand(64, 48), posed_hand(64, 48, "left")], width=64, height=48)
    return VideoFrame(index, 0.25 * index, np.zeros((48, 64, 3), np.uint8), hands)


def check(message):
    registry = Registry().with_resource("urn:handscope:hands:1", Resource.from_contents(schema()))
    jsonschema.Draft202012Validator(live_schema(), registry=registry).validate(message)


def test_whoever_connects_gets_the_newest_frame_in_the_documented_form():
    sender = open_sender("ws://127.0.0.1:0")
    try:
        for index in range(3):
            sender.send(frame(index), 12.3)
        with websockets.connect(sender.address) as client, websockets.connect(sender.address) as other:
            message = json.loads(client.recv(timeout=5))
            check(message)
            assert message["frame"] == 2 and message["latency_ms"] == 12.3
            assert [hand["handedness"] for hand in message["hands"]] == ["right", "left"]
            assert message["hands"][0]["joint_angles"]["index_pip_flexion"] == pytest.approx(np.degrees(0.3), abs=0.1)
            assert json.loads(other.recv(timeout=5)) == message
            sender.send(frame(3), 1.0)
            assert json.loads(client.recv(timeout=5))["frame"] == 3
    finally:
        sender.close()


def test_so_many_receivers_and_no_more(monkeypatch):
    monkeypatch.setattr(sending, "MOST_RECEIVERS", 1)
    sender = open_sender("ws://127.0.0.1:0")
    try:
        with websockets.connect(sender.address) as first:
            sender.send(frame(), 1.0)
            assert first.recv(timeout=5)
            with pytest.raises(Exception, match="HTTP 503"):
                websockets.connect(sender.address)
    finally:
        sender.close()


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_pages_of_other_sites_get_nothing(headers):
    sender = open_sender("ws://127.0.0.1:0")
    try:
        with pytest.raises(Exception, match="HTTP 403"):
            websockets.connect(sender.address, additional_headers=headers)
    finally:
        sender.close()


def test_osc_is_a_bundle_a_frame():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        sender = open_sender(f"osc://127.0.0.1:{listening.getsockname()[1]}")
        sender.send(frame(7), 20.0)
        packet = listening.recv(65536)
        sender.close()
    assert packet[:8] == b"#bundle\0"
    messages = {}
    at = 16
    while at < len(packet):
        (length,) = struct.unpack(">i", packet[at : at + 4])
        content = packet[at + 4 : at + 4 + length]
        address = content[: content.index(b"\0")].decode()
        messages.setdefault(address, content)
        at += 4 + length
    assert set(messages) == {"/handscope/frame"} | {
        f"/handscope/hand/0/{part}" for part in ("about", "joints_2d", "joints_3d", "angles")
    }
    joints = struct.unpack(">63f", messages["/handscope/hand/0/joints_3d"][-252:])
    np.testing.assert_allclose(joints, posed_hand(64, 48).joints_3d.ravel(), rtol=1e-5)


@pytest.mark.parametrize("address", ["ws://", "http://127.0.0.1:80", "ws://127.0.0.1", "osc://h:x", "ws://h:1/path"])
def test_addresses_are_checked(address):
    with pytest.raises(HandscopeError, match="expected ws://HOST:PORT or osc://HOST:PORT"):
        open_sender(address)


def test_a_port_in_use_is_one_sentence():
    sender = open_sender("ws://127.0.0.1:0")
    try:
        with pytest.raises(HandscopeError, match="cannot be used"):
            open_sender(sender.address)
    finally:
        sender.close()


def test_a_camera_sends_what_it_sees(toy_weights, monkeypatch, capsys):
    received = []
    opened = camera_command.open_sender

    def open_and_listen(address, allowed):
        sender = opened(address, allowed)
        client = websockets.connect(sender.address)
        threading.Thread(target=lambda: received.extend(client), daemon=True).start()
        return sender

    monkeypatch.setattr(camera_command, "open_sender", open_and_listen)
    options = camera_command.parser().parse_args(["--port", "0", "--send", "ws://127.0.0.1:0"])
    camera = CameraReader(FakeCapture(toy_frames(6)))
    assert camera_command.watch(camera, load(toy_weights, threads=1), options) == 0
    for text in received:
        check(json.loads(text))
    assert received and "from picture to answer" in capsys.readouterr().out
