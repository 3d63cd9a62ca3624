"""One GET by HTTP, bounded in time, octets and redirects, and never to this machine or its link.

Names are resolved once, here, and only what was looked at is connected to: a name that gives another address the next
time (DNS rebinding) leads nowhere.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ikevd.addresses import Address
from ikevd.fetch.targets import forbidden, literal

SECONDS = 5.0
"""For all of it: name, redirects, octets."""
MAX_OCTETS = 2 * 1024 * 1024
"""Some 60,000 entries, which take 90 ms to judge."""
MAX_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
CHUNK = 65_536

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host."""
Forbidden = Callable[[Address], str | None]
"""Why an address is not asked."""


class NotFetchedError(Exception):
    """With a reason in words."""


async def system_resolve(host: str, port: int) -> list[str]:
    """As this machine resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def get(
    url: str, *, resolve: Resolve = system_resolve, why_not: Forbidden = forbidden, seconds: float = SECONDS
) -> bytes:
    """The octets there. Raises `NotFetchedError`."""
    try:
        async with asyncio.timeout(seconds):
            return await _get(_parsed(url), resolve, why_not)
    except TimeoutError:
        raise NotFetchedError(f"no whole answer within {seconds:g} s") from None
    except (ClientError, OSError, ValueError) as error:
        raise NotFetchedError(_plain(error)) from None


def _plain(error: BaseException) -> str:
    if isinstance(error, ClientConnectorError):
        error = error.os_error
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error))[:200] or type(error).__name__


async def _get(url: URL, resolve: Resolve, why_not: Forbidden) -> bytes:
    connector = TCPConnector(resolver=_Guarded(resolve, why_not), use_dns_cache=False, force_close=True)
    jar, headers = DummyCookieJar(), {"User-Agent": "ikevd", "Accept-Encoding": "identity"}
    async with ClientSession(connector=connector, cookie_jar=jar, headers=headers, auto_decompress=False) as session:
        for _ in range(MAX_REDIRECTS + 1):
            _check_literal(url, why_not)
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status not in REDIRECTS:
                    return await _body(answer)
                url = _parsed(str(url.join(URL(answer.headers.get("Location", "")))))
        raise NotFetchedError(f"more than {MAX_REDIRECTS} redirects")


def _parsed(text: str) -> URL:
    url = URL(text)
    if url.scheme != "http" or not url.host:
        raise NotFetchedError(f"{text[:80]} is no http:// URL")
    if url.user or url.password:
        raise NotFetchedError("a URL with a user or a password")
    return url


def _check_literal(url: URL, why_not: Forbidden) -> None:
    """An address in the URL itself is resolved by nobody."""
    address = literal(url.host or "")
    if address and (why := why_not(address)):
        raise NotFetchedError(why)


async def _body(answer: ClientResponse) -> bytes:
    if answer.status != 200:
        raise NotFetchedError(f"the server answers {answer.status}")
    octets = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK):
        octets += chunk
        if len(octets) > MAX_OCTETS:
            raise NotFetchedError(f"more than {MAX_OCTETS} octets")
    return bytes(octets)


class _Guarded(AbstractResolver):
    """Gives only addresses that may be asked."""

    def __init__(self, resolve: Resolve, why_not: Forbidden) -> None:
        self._resolve, self._why_not = resolve, why_not

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError where none is left."""
        found, reasons = list[ResolveResult](), list[str]()
        for text in await self._resolve(host, port):
            address = literal(text)
            why = self._why_not(address) if address else f"{text[:80]} is no address"
            if address is None or why:
                reasons.append(str(why))
                continue
            kind = socket.AF_INET if address.version == 4 else socket.AF_INET6
            flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            found.append(
                ResolveResult(hostname=host, host=str(address), port=port, family=kind, proto=0, flags=int(flags))
            )
        if not found:
            raise OSError(None, f"{host}: {reasons[0] if reasons else 'no address'}")
        return found

    async def close(self) -> None:
        """Nothing is open."""
