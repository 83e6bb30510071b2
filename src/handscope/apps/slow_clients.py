"""Clients that are slower than any honest one: a header must come whole within `HEADER_S`, a body at `LEAST_RATE` after
`GRACE_S`. One rule for service, page and preview; without it half a request holds a place for ever.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from typing import Any

from handscope.apps.access import App, Message, Problem, Receive, Scope, Send, send_problem

HEADER_S = 10.0
GRACE_S = 3.0
LEAST_RATE = 16 * 1024
"""Bytes a second of a body, since it began."""
LONGEST_S = 300.0
"""For a body, where nothing else is said."""
MOST_CONNECTIONS = 64
"""To the preview."""


class RefusedBodyError(Exception):
    """Raised inside an application whose request's body is not taken any further."""


class SteadyBody:
    """A request's body as it comes; `problem` says what is wrong with it, and then `receive` raises RefusedBodyError.

    `longest_s` is what a body may take however fast it comes.
    """

    def __init__(self, receive: Receive, longest_s: float = LONGEST_S) -> None:
        self._receive, self._longest_s = receive, longest_s
        self._clock: asyncio.Timeout | None = None
        self.started = asyncio.get_running_loop().time()
        self.bytes, self.complete = 0, False
        self.problem: Problem | None = None

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        if self.problem is not None:
            raise RefusedBodyError
        if self.complete:
            return await self._receive()  # waits for the client to go
        message = await self.next_part()
        if message is None:
            self.problem = self.problem or self._too_slow()
            raise RefusedBodyError
        return message

    async def next_part(self) -> Message | None:
        """The body's next part, None if it does not come in time."""
        deadline = self.started + min(GRACE_S + self.bytes / LEAST_RATE, self._longest_s)
        try:
            async with asyncio.timeout_at(deadline) as self._clock:
                message = await self._receive()
        except TimeoutError:
            return None
        self.bytes += len(message.get("body", b""))
        self.complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    def rate(self) -> float:
        """Bytes a second so far."""
        return self.bytes / max(asyncio.get_running_loop().time() - self.started, 1e-3)

    def refuse(self, problem: Problem) -> None:
        """Wait for it no longer."""
        self.problem = problem
        if self._clock is not None and not self._clock.expired():
            self._clock.reschedule(asyncio.get_running_loop().time())

    def _too_slow(self) -> Problem:
        if asyncio.get_running_loop().time() >= self.started + self._longest_s:
            return 408, "too_slow", f"the request did not arrive within {self._longest_s:g} s"
        return 408, "too_slow", f"the request came at less than {LEAST_RATE / 1024:g} KiB a second"


class SteadyBodies:
    """ASGI middleware: answers 408 to what comes too slowly."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, started = SteadyBody(receive), False

        async def told(message: Message) -> None:
            nonlocal started
            if body.problem is None or started:
                started = True
                await send(message)

        with suppress(RefusedBodyError):
            await self.app(scope, body.receive, told)
        if body.problem is not None and not started:
            await send_problem(send, body.problem, ((b"connection", b"close"),))


def http_protocol() -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1 by h11, whose connections are cut when a request's header is not there in time, or when what
    is told is not taken at the least rate.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class PromptHeaders(H11Protocol):
        _header_clock: asyncio.TimerHandle | None = None
        _answer_clock: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._header_clock = self.loop.call_later(HEADER_S, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._header_clock = _stopped(self._header_clock)
            elif self._header_clock is None:
                self._header_clock = self.loop.call_later(HEADER_S, self.transport.abort)

        def pause_writing(self) -> None:
            super().pause_writing()
            seconds = HEADER_S + self.transport.get_write_buffer_size() / LEAST_RATE
            self._answer_clock = self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._answer_clock = _stopped(self._answer_clock)
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._header_clock, self._answer_clock = _stopped(self._header_clock), _stopped(self._answer_clock)
            super().connection_lost(exc)

    return PromptHeaders


def _stopped(clock: asyncio.TimerHandle | None) -> None:
    if clock is not None:
        clock.cancel()


class PromptServer(ThreadingHTTPServer):
    """The standard library's server for `PromptHandler`: at most `MOST_CONNECTIONS` at once. When all places are taken,
    the one who has kept it waiting longest for a header makes room; if there is none, who comes is sent away.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[PromptHandler]) -> None:
        super().__init__(address, handler)
        self._places, self._lock = threading.BoundedSemaphore(MOST_CONNECTIONS), threading.Lock()
        self._awaited: dict[socket, None] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, if there is a place."""
        if not self._places.acquire(blocking=False):
            with self._lock:
                slowest = next(iter(self._awaited), None)
            if slowest is not None:
                cut(slowest)
            if slowest is None or not self._places.acquire(timeout=1):
                self.shutdown_request(request)
                return
        with self._lock:
            self._awaited[request] = None
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In its thread; the place is free again behind it."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.header_came(request)
            self._places.release()

    def header_came(self, request: socket) -> None:
        """This one is not waited for any more."""
        with self._lock:
            self._awaited.pop(request, None)


class PromptHandler(BaseHTTPRequestHandler):
    """A handler whose connection is cut when the header is not there in time, or when the client takes nothing for as
    long; one request a connection.
    """

    timeout = HEADER_S
    server: PromptServer

    def setup(self) -> None:
        """The clock runs from the beginning."""
        super().setup()
        self._header_clock = threading.Timer(HEADER_S, cut, [self.connection])
        self._header_clock.daemon = True
        self._header_clock.start()

    def parse_request(self) -> bool:
        """The header; it has come when this returns."""
        sound = super().parse_request()
        self._header_clock.cancel()
        self.server.header_came(self.connection)
        return sound

    def finish(self) -> None:
        """Nothing is left to cut."""
        self._header_clock.cancel()
        super().finish()


def cut(connection: socket) -> None:
    """End a connection that another thread reads from."""
    with suppress(OSError):  # it may have gone
        connection.shutdown(SHUT_RDWR)
