"""What is let in: so many requests at once, so many bytes each, in so much time. Plain ASGI, before any parsing.

A refused request's body is read and thrown away as far as it is of decent size: a client that is still sending would
otherwise see a broken connection instead of the answer.
"""

from __future__ import annotations

import asyncio
import json
import time

from handscope.apps.access import App, Message, Receive, Scope, Send, error_content
from handscope.apps.service.metrics import Metrics

RETRY_AFTER_S = 1
FORM_BYTES = 64 * 1024
"""What a multipart form may weigh beyond its picture."""


class _Refused(Exception):
    """Raised inside the application when the body is too much or too slow."""


class Admission:
    """Wraps the application: `path` is limited, everything else passes."""

    def __init__(
        self,
        app: App,
        *,
        path: str,
        capacity: int,
        max_bytes: int,
        timeout_s: float,
        metrics: Metrics,
    ) -> None:
        self.app, self.path, self.capacity, self.metrics = app, path, capacity, metrics
        self.max_bytes, self.timeout_s = max_bytes + FORM_BYTES, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        body = _Body(receive, self.max_bytes, self.timeout_s)
        answer = _Answer(send, body)
        try:
            await self._admit(scope, body, answer)
        finally:
            self.metrics.count_response(answer.status, time.perf_counter() - started)

    async def _admit(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        if _length(scope) > self.max_bytes:
            await answer.refuse(body.too_large())
        elif self.metrics.in_flight >= self.capacity:
            message = f"{self.capacity} requests are being answered; try again in {RETRY_AFTER_S} s"
            await answer.refuse((429, "busy", message))
        else:
            self.metrics.in_flight += 1
            try:
                await self.app(scope, body.receive, answer.send)
            except _Refused:
                pass
            finally:
                self.metrics.in_flight -= 1
            if body.problem is not None:
                await answer.refuse(body.problem)


def _length(scope: Scope) -> int:
    """What the request says its body weighs; 0 if it does not say."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


class _Body:
    """Hands the body on until it is too large or too slow; then `problem` says what is wrong."""

    def __init__(self, receive: Receive, max_bytes: int, timeout_s: float) -> None:
        self._receive, self._max_bytes, self._timeout_s = receive, max_bytes, timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._bytes, self._complete = 0, False
        self.problem: tuple[int, str, str] | None = None

    def too_large(self) -> tuple[int, str, str]:
        """Status, code and message of a body above the limit."""
        limit = (self._max_bytes - FORM_BYTES) / 2**20
        return 413, "too_large", f"the request is larger than the limit of {limit:g} MiB"

    async def receive(self) -> Message:
        """ASGI's `receive`, with limits."""
        if self.problem is not None:
            raise _Refused
        if self._complete:
            return await self._receive()  # waits for the client to go
        try:
            message = await asyncio.wait_for(self._receive(), max(self._deadline - time.monotonic(), 0))
        except TimeoutError:
            self.problem = 408, "too_slow", f"the request did not arrive within {self._timeout_s:g} s"
            raise _Refused from None
        self._note(message)
        if self._bytes > self._max_bytes:
            self.problem = self.too_large()
            raise _Refused
        return message

    def _note(self, message: Message) -> None:
        self._bytes += len(message.get("body", b""))
        self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)

    async def discard(self) -> None:
        """Throw the rest away: as many bytes again as are allowed, within a second."""
        limit, end = self._bytes + self._max_bytes, time.monotonic() + 1.0
        while not self._complete and self._bytes <= limit and (left := end - time.monotonic()) > 0:
            try:
                self._note(await asyncio.wait_for(self._receive(), left))
            except TimeoutError:
                return


class _Answer:
    """Passes the application's answer on, unless its body has been refused; notes the status."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send, self._body = send, body
        self.status = 500
        self._started = False

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if self._body.problem is not None and not self._started:
            return  # what the application makes of half a body
        if message["type"] == "http.response.start":
            self.status, self._started = message["status"], True
        await self._send(message)

    async def refuse(self, problem: tuple[int, str, str]) -> None:
        """Answer with an error, if nothing has been answered yet."""
        if self._started:
            return
        await self._body.discard()
        status, code, message = problem
        content = json.dumps(error_content(code, message)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        if status in (429, 503):
            headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
        self.status, self._started = status, True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": content})
