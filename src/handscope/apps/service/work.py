"""From an upload to its answer: inspected and decoded in processes of their own, through the networks, written.

What pictures take is counted: bytes that are read from uploads, pixels that are decoded and wait for the networks, and
pixels times hands where an answer holds masks. Pictures that cost much to decode go one at a time, in a lane of their
own where few may wait, so that the others do not wait for them. None of the three is held while another one of the same
kind is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from handscope.apps.service.batching import Batcher, BusyError, Job
from handscope.infer.cameras import CameraLike
from handscope.infer.decoding import Header
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.inputs import prepare
from handscope.infer.results import Hands

UPLOAD_BYTES = 128 * 2**20
"""Of uploads held in memory at once; the others wait where they came, on disk if they are large."""
LIGHT = 16_000_000
"""Pixels, each counted as often as its format costs more than a plain JPEG, up to which a picture is decoded beside
others.
"""
COSTS = {"AVIF": 4, "JPEG2000": 8}
"""How much longer a pixel of these formats takes."""
HEAVY_WAITING = 2
"""So many costly pictures wait for the one that is decoded."""
MASK_BYTES = 160_000_000
"""Of the masks of all answers that are written at once, one a pixel and hand."""


class MasksTooLargeError(Exception):
    """The masks of one answer are more than is written at all."""


class Upload(Protocol):
    """What is used of Starlette's UploadFile."""

    size: int | None

    async def read(self) -> bytes:
        """All of it."""
        ...


class Budget:
    """So much of something for all: who wants a part waits in the order of coming until there is enough. Who wants more
    than all gets all.
    """

    def __init__(self, total: int) -> None:
        self._total, self._free = total, total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, amount: int) -> AsyncIterator[None]:
        """Have that much until the end of the block."""
        amount = min(amount, self._total)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        self._serve()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._free += amount
            else:
                turn.cancel()
            self._serve()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not turn.done() for _, turn in self._waiting)

    def _serve(self) -> None:
        while self._waiting:
            amount, turn = self._waiting[0]
            if not turn.done():
                if amount > self._free:
                    return
                self._free -= amount
                turn.set_result(None)
            self._waiting.popleft()


class Work:
    """What a service does, one of it a process: `hands_of` and `written`."""

    def __init__(self, decoders: DecodingPool, batcher: Batcher, max_pixels: int, wait_s: float) -> None:
        self._decoders, self._batcher, self._wait_s = decoders, batcher, wait_s
        self._bytes = Budget(UPLOAD_BYTES)
        self._light, self._heavy = Budget(max(max_pixels, LIGHT)), Budget(1)
        self._masks = Budget(MASK_BYTES)

    async def hands_of(self, upload: Upload, name: str, K: CameraLike, check: Callable[[Header], None]) -> Hands:
        """The hands of a picture whose header passes `check`; ImageError if it cannot be decoded, BusyError if it would
        have to wait too long for others, HandscopeError if `K` is not its camera.
        """
        until = time.monotonic() + self._wait_s
        async with AsyncExitStack() as lane:
            async with AsyncExitStack() as room:
                await _in_time(room, self._bytes.hold(upload.size or 0), until)
                data = await upload.read()
                header = await asyncio.wrap_future(self._decoders.inspect(data, name))
                check(header)
                pixels = header.width * header.height
                heavy = pixels * COSTS.get(header.format, 1) > LIGHT
                if heavy and self._heavy.waiting >= HEAVY_WAITING:
                    raise BusyError
                await _in_time(lane, self._heavy.hold(1) if heavy else self._light.hold(pixels), until)
                start = time.monotonic()
                picture = await asyncio.wrap_future(self._decoders.decode(data, name))
                until += time.monotonic() - start  # its own work, no waiting for others
                del data
            given = await asyncio.to_thread(prepare, picture, K)
            del picture
            found = await asyncio.wrap_future(self._batcher.submit(Job(given, until)))
            return found.of_source(name, given.notes)

    async def written(self, hands: Hands, encode: Callable[[Hands], str | bytes], with_masks: bool) -> str | bytes:
        """The answer; MasksTooLargeError for masks that are more than is written at once."""
        amount = len(hands) * hands.width * hands.height if with_masks else 0
        if amount > MASK_BYTES:
            raise MasksTooLargeError
        async with self._masks.hold(amount):
            return await asyncio.to_thread(encode, hands)


async def _in_time(stack: AsyncExitStack, hold: AbstractAsyncContextManager[None], until: float) -> None:
    """Enter `hold`, to be left with `stack`; BusyError if it is not one's turn by then (the event loop's clock is the
    monotonic one).
    """
    try:
        async with asyncio.timeout_at(until):
            await stack.enter_async_context(hold)
    except TimeoutError:
        raise BusyError from None
