"""The control API as a server. One request, one handler; every error is one plain sentence in JSON."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ikevd import __version__
from ikevd.control import shapes
from ikevd.control.command import Command
from ikevd.control.connections import IDLE_SECONDS, Connections, room
from ikevd.control.interface import Controller, NotAllowed, Progress, UnknownName
from ikevd.control.pace import Pace, paced
from ikevd.control.query import Query, WrongParameter
from ikevd.control.sockets import ListeningSocket
from ikevd.control.status import status_pieces
from ikevd.control.stream import send
from ikevd.dissect.lazy import pieces
from ikevd.errors import IkeError
from ikevd.observe import log
from ikevd.observe.words import say_error
from ikevd.policy.settings import Control, Looks
from ikevd.wording import names_of_children

MAX_REQUEST = 64 * 1024
DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 3600.0
LAST = 20
MAX_RECORDS = 2000
MAX_DECODED = 200
"""Trees are some ten times as large, and take some time to make."""
LOOK_UP_SECONDS = 8.0
"""Longer takes no look-up; the client waits a little longer."""
SENDING_SECONDS = 15.0
"""So much longer a client may take to read an answer."""
RELOAD_SECONDS = 120.0
"""A file of 65,000 pairs of networks takes a minute to read."""
FILTERS = ("spi", "connection", "peer")
LIMIT = web.RequestKey("limit", asyncio.Timeout)
"""When an answer must have been made; while a long one is sent it moves on."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Action = Callable[[Progress], Awaitable[None]]
Add = Callable[[str, Handler], object]


class ControlServer:
    """Opens the socket, answers requests, removes the socket."""

    def __init__(self, controller: Controller, settings: Control | Looks) -> None:
        """With `Looks` nothing can be changed through it, and no key be read."""
        self._controller = controller
        self._settings = settings
        self._listening: ListeningSocket | None = None
        self._connections: Connections | None = None
        app = web.Application(client_max_size=MAX_REQUEST, middlewares=[self._within_bounds, _plain_errors])
        self._only_looks = isinstance(settings, Looks)
        for look, add, path, handler in self._routes(app.router):
            add(path, handler if look or not self._only_looks else _refuse)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_aiohttp_log(),
            handle_signals=False,
            handler_cancellation=True,
            keepalive_timeout=IDLE_SECONDS,
            shutdown_timeout=1.0,
        )

    def _routes(self, router: web.UrlDispatcher) -> Iterator[tuple[bool, Add, str, Handler]]:
        """Each with how to add it. The first: is it for who may only look?"""
        get, post = router.add_get, router.add_post
        yield True, get, "/v1/version", self._version
        yield True, get, "/v1/status", self._status
        yield True, get, "/v1/names", self._names
        yield True, get, "/v1/trace", self._trace
        yield True, get, "/v1/capture", self._capture
        yield False, get, "/v1/keys", self._keys
        yield False, post, "/v1/up/{name:.+}", self._up
        yield False, post, "/v1/down", self._down
        yield False, post, "/v1/down/{name:.+}", self._down
        yield False, post, "/v1/rekey/{name:.+}", self._rekey
        yield False, post, "/v1/reset/{name:.+}", self._reset
        yield False, post, "/v1/reload", self._reload

    async def start(self) -> None:
        """Listen; raises `ConfigError` or `CannotStart` where the socket cannot be made."""
        self._listening = ListeningSocket(self._settings)
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = Connections(self._listening.socket, self._runner.server, room(looks=self._only_looks))

    async def close(self) -> None:
        """Stop answering and remove the socket file."""
        if self._connections is not None:
            self._connections.close()
        await self._runner.cleanup()
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    @web.middleware
    async def _within_bounds(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The connection ends where an answer takes too long to make or to be read."""
        assert self._connections is not None
        with self._connections.busy(request.protocol, LOOK_UP_SECONDS + SENDING_SECONDS):
            return await handler(request)

    async def _version(self, request: web.Request) -> web.Response:
        _query(request)
        version: shapes.Version = {"schema": shapes.SCHEMA, "version": __version__}
        return web.json_response(version)

    async def _status(self, request: web.Request) -> web.StreamResponse:
        query, pace = _query(request, "name", "peer"), Pace()
        head, connections = await self._controller.status(query.name("name"), query.address("peer"), pace)
        return await self._send(request, status_pieces(head, connections, pace))

    async def _names(self, request: web.Request) -> web.Response:
        _query(request)
        return web.json_response({"schema": shapes.SCHEMA, "connections": self._controller.names()})

    async def _trace(self, request: web.Request) -> web.StreamResponse:
        query = _query(request, *FILTERS, "last", "decode")
        decode = query.flag("decode")
        last = query.count("last", LAST, MAX_DECODED if decode else MAX_RECORDS)
        records = await self._controller.trace(*self._filters(query), last, decode=decode)
        answer = pieces({"schema": shapes.SCHEMA, "records": records})
        return await self._send(request, paced(map(str.encode, answer)))

    async def _capture(self, request: web.Request) -> web.StreamResponse:
        """The pcap file itself."""
        query = _query(request, *FILTERS, "last")
        capture = await self._controller.capture(*self._filters(query), query.count("last", LAST, MAX_RECORDS))
        return await self._send(request, paced(capture), "application/vnd.tcpdump.pcap")

    async def _keys(self, request: web.Request) -> web.Response:
        lines = await self._controller.keys(*self._filters(_query(request, *FILTERS)))
        self._log_who(request)
        keys: shapes.Keys = {"schema": shapes.SCHEMA, "keys": lines}
        return web.json_response(keys)

    async def _up(self, request: web.Request) -> web.StreamResponse:
        name, timeout = request.match_info["name"], _timeout(_query(request, "timeout"))
        self._controller.expect(name)
        return await self._run(request, timeout, lambda progress: self._controller.up(name, progress))

    async def _down(self, request: web.Request) -> web.StreamResponse:
        """Without a name: all connections."""
        name, query = request.match_info.get("name"), _query(request, "timeout", "open")
        timeout, in_clear = _timeout(query), query.flag("open")
        if name is not None:
            self._controller.expect(name)
        return await self._run(
            request, timeout, lambda progress: self._controller.down(name, progress, in_clear=in_clear)
        )

    async def _rekey(self, request: web.Request) -> web.StreamResponse:
        name, query = request.match_info["name"], _query(request, "timeout", "ike")
        timeout, phase1 = _timeout(query), query.flag("ike")
        self._controller.expect(name)
        return await self._run(request, timeout, lambda progress: self._controller.rekey(name, progress, phase1=phase1))

    async def _reset(self, request: web.Request) -> web.StreamResponse:
        name, timeout = request.match_info["name"], _timeout(_query(request, "timeout"))
        self._controller.expect_connection(name)
        return await self._run(request, timeout, lambda progress: self._controller.reset(name, progress))

    async def _reload(self, request: web.Request) -> web.Response:
        """What the file changes; with `dry_run` nothing is done."""
        dry_run = _query(request, "dry_run").flag("dry_run")
        if self._connections is not None:
            self._connections.allow(request.protocol, RELOAD_SECONDS)
        if not dry_run:
            self._log_who(request)
        return web.json_response(await self._controller.reload(dry_run=dry_run))

    async def _run(self, request: web.Request, within: float, action: Action) -> web.StreamResponse:
        """One JSON line for each fact as it happens, and a last one with the outcome."""
        self._log_who(request)
        if self._connections is not None:
            self._connections.allow(request.protocol, within + SENDING_SECONDS)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        async with Command(action, within) as command:
            await response.prepare(request)
            async for line in command:
                await response.write(json.dumps({"schema": shapes.SCHEMA, **line}).encode() + b"\n")
        await response.write_eof()
        return response

    async def _send(
        self, request: web.Request, answer: AsyncIterator[bytes], kind: str = "application/json"
    ) -> web.StreamResponse:
        """Each part of a long answer may take `SENDING_SECONDS`."""

        def more_time() -> None:
            request[LIMIT].reschedule(asyncio.get_running_loop().time() + SENDING_SECONDS)
            if self._connections is not None:
                self._connections.allow(request.protocol, SENDING_SECONDS)

        return await send(request, answer, kind, more_time)

    def _filters(self, query: Query) -> tuple[str | None, str | None, str | None]:
        """Which negotiations are meant; raises `UnknownName` for a connection or child that is not configured."""
        connection, peer = query.name("connection"), query.address("peer")
        names = self._controller.names()
        if connection is not None and not any(connection in (c, *names_of_children(its)) for c, its in names.items()):
            self._controller.expect(connection)
        return query.spi("spi"), connection, None if peer is None else str(peer)

    def _log_who(self, request: web.Request) -> None:
        peer = self._connections and self._connections.peer(request.protocol)
        if peer:
            log.commanded(f"{request.method} {request.path}", peer.pid, peer.uid)


class _IntoOurLog(logging.Handler):
    """What aiohttp says of its own accord: rubbish instead of HTTP is no bug, everything else is."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            log.warning("control: a request that is not HTTP was refused")
        else:
            log.internal_error(f"control: {record.getMessage()}", error)


def _aiohttp_log() -> logging.Logger:
    logger = logging.Logger("ikevd.control", logging.ERROR)
    logger.addHandler(_IntoOurLog())
    return logger


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is one sentence in JSON; a bug is logged here and shows nothing of itself to the client."""
    try:
        if request.method == "GET":
            async with asyncio.timeout(LOOK_UP_SECONDS) as request[LIMIT]:
                return await handler(request)
        return await handler(request)
    except web.HTTPException as refusal:
        return _error(refusal.status, f"{refusal.reason}: {request.method} {request.path}")
    except WrongParameter as error:
        return _error(400, f"{error}: {request.method} {request.path}")
    except UnknownName as error:
        return _error(404, str(error))
    except NotAllowed as error:
        return _error(403, str(error))
    except IkeError as error:
        return _error(409, say_error(error))
    except TimeoutError:
        return _error(504, f"{request.path} took longer than {LOOK_UP_SECONDS:g} s")
    except ConnectionError:
        return web.Response()  # the client has gone: nobody to tell, and no fault of ours
    except Exception as bug:
        log.internal_error(f"{request.method} {request.path}", bug)
        return _error(500, "internal error; see the log of ikevd")


async def _refuse(request: web.Request) -> web.StreamResponse:
    raise NotAllowed(f"{request.method} {request.path}: this socket is only for looking; wanted that of control.socket")


def _error(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


def _timeout(query: Query) -> float:
    return query.seconds("timeout", DEFAULT_TIMEOUT, MAX_TIMEOUT)


def _query(request: web.Request, *known: str) -> Query:
    return Query(request.query.items(), known)
