"""Long answers, sent while they are made, so that neither the event loop nor memory holds a whole one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from time import perf_counter

from aiohttp import web

CHUNK = 64 * 1024
"""Octets that are sent at once,"""
WAIT = 0.2
"""or after so many seconds what there is: who waits for an answer sees that it is coming."""


async def send(
    request: web.Request, answer: AsyncIterator[bytes], kind: str, more_time: Callable[[], None]
) -> web.StreamResponse:
    """The answer, part by part; `more_time` is called before each.

    What `answer` raises before the first part is raised here; later the answer breaks off, so that nobody takes it for
    whole.
    """
    response = web.StreamResponse(headers={"Content-Type": kind})
    part, began = bytearray(), perf_counter()
    try:
        async for piece in answer:
            part += piece
            if len(part) >= CHUNK or perf_counter() - began >= WAIT:
                await _write(request, response, part, more_time)
                part, began = bytearray(), perf_counter()
        await _write(request, response, part, more_time)
        await response.write_eof()
    except BaseException:
        if response.prepared and request.transport is not None:
            request.transport.abort()
        raise
    return response


async def _write(
    request: web.Request, response: web.StreamResponse, part: bytearray, more_time: Callable[[], None]
) -> None:
    more_time()
    if not response.prepared:
        await response.prepare(request)
    if part:
        await response.write(bytes(part))
