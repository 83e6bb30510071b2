"""Hands to other programs as they are seen: `ws://HOST:PORT` answers every WebSocket that asks there with frame after
frame, `osc://HOST:PORT` sends OSC over UDP to who listens there.

Nobody waits for a slow receiver: it gets the newest frame when it is ready. WebSockets are answered as pages and the
service are (`access`): to this machine alone, and to no page of another site, unless an address of this machine in the
network is given.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from handscope.apps.access import Access
from handscope.apps.newest import Newest
from handscope.errors import HandscopeError, missing_extra
from handscope.infer.messages import to_message, to_osc
from handscope.infer.video import VideoFrame
from handscope.paths import reason

MOST_RECEIVERS = 16
"""More WebSockets at a time are refused: each holds a thread."""


@runtime_checkable
class Sender(Protocol):
    """Takes frames as they are seen, then is closed."""

    @property
    def address(self) -> str:
        """Where it sends to, or answers."""
        ...

    def send(self, frame: VideoFrame, latency_ms: float) -> None:
        """Pass one frame on."""
        ...

    def close(self) -> None:
        """Give ports back."""
        ...


def open_sender(address: str, allowed_hosts: Sequence[str] = ()) -> Sender:
    """The sender of an address; HandscopeError says what is wrong with it."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("ws", "osc") or not host or port is None or parts.path not in ("", "/"):
        raise HandscopeError(f"--send {address}: expected ws://HOST:PORT or osc://HOST:PORT")
    return WebSocketSender(host, port, allowed_hosts) if parts.scheme == "ws" else OscSender(host, port)


class WebSocketSender:
    """A server of WebSockets at `host`:`port` (0: any that is free) that sends the newest frame's JSON message."""

    def __init__(self, host: str, port: int, allowed_hosts: Sequence[str] = ()) -> None:
        try:
            from websockets.sync.server import serve
        except ImportError as error:
            raise HandscopeError(missing_extra("--send ws://", error.name, "live")) from error
        self._access = Access(host, allowed_hosts)
        self._message: Newest[str] = Newest()
        self._counting, self._receivers = threading.Lock(), 0
        try:
            self._server = serve(self._answer, host, port, process_request=self._admit)
        except OSError as error:
            raise HandscopeError(f"--send ws://{host}:{port}: cannot be used ({reason(error)})") from error
        self.address = f"ws://{host}:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def send(self, frame: VideoFrame, latency_ms: float) -> None:
        """The newest frame, for everyone who is connected."""
        self._message.put(to_message(frame, latency_ms))

    def close(self) -> None:
        """End all connections and give the port back."""
        self._message.end()
        self._server.shutdown()

    def _admit(self, connection: Any, request: Any) -> Any:
        problem = self._access.refusal("GET", request.path, request.headers.raw_items())
        if problem is None and self._receivers >= MOST_RECEIVERS:
            problem = 503, "too_many", f"{MOST_RECEIVERS} receivers are connected, more are not served"
        return None if problem is None else connection.respond(HTTPStatus(problem[0]), f"{problem[2]}\n")

    def _answer(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        with self._counting:
            self._receivers += 1
        try:
            for message in self._message:
                connection.send(message)
        except ConnectionClosed:
            return
        finally:
            with self._counting:
                self._receivers -= 1


class OscSender:
    """OSC over UDP to `host`:`port`, a bundle a frame."""

    def __init__(self, host: str, port: int) -> None:
        try:
            from pythonosc.udp_client import UDPClient
        except ImportError as error:
            raise HandscopeError(missing_extra("--send osc://", error.name, "live")) from error
        try:
            self._client = UDPClient(host, port)
        except OSError as error:
            raise HandscopeError(f"--send osc://{host}:{port}: cannot be used ({reason(error)})") from error
        self.address = f"osc://{host}:{port}"

    def send(self, frame: VideoFrame, latency_ms: float) -> None:
        """One bundle; nobody listening is no error."""
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        bundle = OscBundleBuilder(IMMEDIATELY)
        for address, arguments in to_osc(frame, latency_ms):
            message = OscMessageBuilder(address)
            for argument in arguments:
                message.add_arg(argument)
            bundle.add_content(message.build())
        try:
            self._client.send(bundle.build())
        except OSError:  # nobody there: who comes later gets later frames
            return

    def close(self) -> None:
        """Give the port back."""
        self._client._sock.close()  # it has no other way
