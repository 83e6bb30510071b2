"""What is let in: so many requests at once, so many bytes each, in so much time. Plain ASGI, before any parsing.

A request counts once its body is there, and until its answer begins: who sends or reads slowly takes no place from
others. Bodies on their way have places of their own, and when those are taken, the slowest one makes room. What still
comes of a refused request is thrown away for a while behind the answer: a client that is still sending would otherwise
see a broken connection instead of it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from handscope.apps.access import App, Message, Problem, Receive, Scope, Send, send_problem
from handscope.apps.service.metrics import Metrics
from handscope.apps.slow_clients import GRACE_S, RefusedBodyError, SteadyBody

RETRY_AFTER_S = 1
FORM_BYTES = 64 * 1024
"""What a multipart form may weigh beyond its picture."""
ARRIVING = 4
"""So many times as many bodies may be on their way as requests may be answered at once."""


class Admission:
    """Wraps the application: `path` is limited, everything else passes."""

    def __init__(
        self,
        app: App,
        *,
        path: str,
        capacity: int,
        wait_s: float,
        max_bytes: int,
        timeout_s: float,
        metrics: Metrics,
    ) -> None:
        self.app, self.path, self.capacity, self.wait_s, self.metrics = app, path, capacity, wait_s, metrics
        self.max_bytes, self.timeout_s = max_bytes + FORM_BYTES, timeout_s
        self._arriving: set[_Body] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        body = _Body(receive, self)
        answer = _Answer(send, body)
        try:
            await self._admit(scope, body, answer)
        finally:
            body.leave()
            self.metrics.count_response(answer.status, time.perf_counter() - started)

    async def _admit(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        if _length(scope) > self.max_bytes:
            await answer.refuse(body.too_large())
        elif len(self._arriving) >= ARRIVING * self.capacity and not self._make_room():
            await answer.refuse((429, "busy", f"{len(self._arriving)} requests are arriving; {_LATER}"))
        else:
            self._arriving.add(body)
            with suppress(RefusedBodyError):
                await self.app(scope, body.receive, answer.send)
            if body.problem is not None:
                await answer.refuse(body.problem)

    def _make_room(self) -> bool:
        """Refuse the slowest of the bodies that have had their time; whether there was one."""
        late = asyncio.get_running_loop().time() - GRACE_S
        slow = [body for body in self._arriving if body.started < late]
        if slow:
            min(slow, key=SteadyBody.rate).refuse((408, "too_slow", f"others came faster; {_LATER}"))
        return bool(slow)

    def arrived(self, body: _Body) -> Problem | None:
        """A body is whole; why its request cannot be answered now, None if it is let in. How long it would wait is
        guessed by what the last pictures took: on a busy machine fewer are let in.
        """
        self._arriving.discard(body)
        waiting, wait_s = self.metrics.in_flight, self.metrics.in_flight * self.metrics.seconds_a_picture
        if waiting >= self.capacity or wait_s > self.wait_s:
            return 429, "busy", f"{waiting} requests are being answered; {_LATER}"
        self.metrics.in_flight += 1
        return None

    def left(self, body: _Body, counted: bool) -> None:
        """A request's answer begins, or there is none."""
        self._arriving.discard(body)
        self.metrics.in_flight -= counted


_LATER = f"try again in {RETRY_AFTER_S} s"


def _length(scope: Scope) -> int:
    """What the request says its body weighs; 0 if it does not say."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


class _Body(SteadyBody):
    """Hands the body on until it is too large or too slow, or nobody has time for it when it is there."""

    def __init__(self, receive: Receive, gate: Admission) -> None:
        super().__init__(receive, gate.timeout_s)
        self._gate, self._counted = gate, False

    def too_large(self) -> Problem:
        """Status, code and message of a body above the limit."""
        limit = (self._gate.max_bytes - FORM_BYTES) / 2**20
        return 413, "too_large", f"the request is larger than the limit of {limit:g} MiB"

    async def next_part(self) -> Message | None:
        """The body's next part, None if it is not taken."""
        message = await super().next_part()
        if message is None:
            return None
        if self.bytes > self._gate.max_bytes:
            self.problem = self.too_large()
        elif self.complete and message["type"] != "http.disconnect":
            self.problem = self._gate.arrived(self)
            self._counted = self.problem is None
        return message if self.problem is None else None

    def leave(self) -> None:
        """Take no place any more."""
        self._gate.left(self, self._counted)
        self._counted = False

    async def discard(self) -> None:
        """Throw away what else comes, as long as it comes fast enough."""
        while not self.complete and await super().next_part() is not None:
            pass


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
            self._body.leave()
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with an error, if nothing has been answered yet."""
        if self._started:
            return
        self._body.leave()
        self.status, self._started = problem[0], True
        retry = ((b"retry-after", str(RETRY_AFTER_S).encode()),) if problem[0] in (429, 503) else ()
        close = () if self._body.complete else ((b"connection", b"close"),)

        async def send(message: Message) -> None:
            ends = "body" in message
            await self._send({**message, "more_body": True} if ends else message)
            if ends:
                await self._body.discard()
                await self._send({"type": "http.response.body", "body": b""})

        await send_problem(send, problem, retry + close)
