"""A live picture on http://127.0.0.1:PORT by the standard library: a page, and JPEGs in one endless answer (MJPEG)."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.apps.access import Access
from handscope.apps.newest import Newest
from handscope.apps.slow_clients import PromptHandler, PromptServer
from handscope.errors import HandscopeError

PAGE = b"""<!doctype html><meta charset="utf-8"><title>handscope camera</title>
<style>body{margin:0;background:#19191c;display:grid;place-items:center;height:100vh}
img{max-width:100vw;max-height:100vh}</style><img src="stream" alt="the camera's picture with hands drawn in">
"""
HOST = "127.0.0.1"
BOUNDARY = "frame"


class Preview:
    """Shows the last picture to every browser on this machine that asks for `address`, which ends with a random token.

    Other machines cannot reach it; `allowed_hosts` as of `access.Access`.
    """

    def __init__(self, port: int, allowed_hosts: Sequence[str] = ()) -> None:
        self._access, self._token = Access(HOST, allowed_hosts), secrets.token_urlsafe(16)
        self._jpeg: Newest[bytes] = Newest()
        preview = self

        class Handler(PromptHandler):
            def do_GET(self) -> None:
                """Answer with the page, the stream or one picture."""
                preview._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        try:
            self._server = PromptServer((HOST, port), Handler)
        except OSError as error:
            raise HandscopeError(f"port {port}: cannot be used ({error.strerror or error}); choose --port") from error
        self.address = f"http://{HOST}:{self._server.server_address[1]}/{self._token}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def show(self, image: NDArray[np.uint8]) -> None:
        """The newest picture, RGB (H, W, 3)."""
        ok, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        if ok:
            self._jpeg.put(data.tobytes())

    def close(self) -> None:
        """End all streams and give the port back."""
        self._jpeg.end()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        stream = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        kinds = {"/": "text/html", "/frame.jpg": "image/jpeg", "/stream": stream}
        token, _, rest = request.path.partition("?")[0].removeprefix("/").partition("/")
        path = f"/{rest}"
        problem = self._access.refusal(request.command, path, request.headers.items())
        if problem is not None:
            return request.send_error(problem[0], explain=problem[2])
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return request.send_error(403, explain="ask for the address that `handscope camera` told, with its token")
        if path not in kinds or (path == "/frame.jpg" and self._jpeg.value is None):
            return request.send_error(404)
        request.send_response(200)
        request.send_header("Content-Type", kinds[path])
        request.send_header("Cache-Control", "no-store")
        request.send_header("Referrer-Policy", "no-referrer")
        request.end_headers()
        try:
            if path == "/stream":
                self._stream(request)
            else:
                request.wfile.write(PAGE if path == "/" else self._jpeg.value or b"")
        except OSError:
            pass  # the browser has gone
        return None

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        for jpeg in self._jpeg:
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            request.wfile.write(head.encode() + jpeg + b"\r\n")
