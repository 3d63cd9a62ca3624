"""Fetching: from a real server, within bounds, and never from this machine or its link."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address

import pytest
from aiohttp import web

from ikevd.addresses import Address
from ikevd.fetch.http import MAX_OCTETS, NotFetchedError, get
from ikevd.fetch.targets import forbidden

HOST = "crl.example.net"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """On a port of the loopback interface, which the tests alone may ask."""

    def __init__(self) -> None:
        self.answers = dict[str, Answer]()
        self.asked = list[str]()
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        return await self.answers[request.path](request)

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    async def get(self, path: str) -> bytes:
        return await get(self.url(path), resolve=to_loopback, why_not=nothing_forbidden)


async def to_loopback(host: str, port: int) -> list[str]:
    assert host == HOST
    return ["127.0.0.1"]


def nothing_forbidden(address: Address) -> str | None:
    return None


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server, app = Server(), web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


def body(data: bytes, **how: object) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, **how)  # type: ignore[arg-type]

    return answer


def moved(to: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": to})

    return answer


async def refusal(awaitable: Awaitable[bytes]) -> str:
    with pytest.raises(NotFetchedError) as caught:
        await awaitable
    return str(caught.value)


async def test_the_octets_of_a_crl_come(server: Server) -> None:
    server.answers["/a.crl"] = body(b"crl")
    assert await server.get("/a.crl") == b"crl"


async def test_redirects_are_followed_a_few_times(server: Server) -> None:
    server.answers |= {"/1": moved("/2"), "/2": moved(server.url("/3")), "/3": body(b"crl"), "/loop": moved("/loop")}
    assert await server.get("/1") == b"crl"
    assert await refusal(server.get("/loop")) == "more than 3 redirects"
    assert server.asked.count("/loop") == 4


@pytest.mark.parametrize("status", [404, 500, 204, 206])
async def test_another_answer_is_no_crl(server: Server, status: int) -> None:
    server.answers["/"] = body(b"", status=status)
    assert await refusal(server.get("/")) == f"the server answers {status}"


async def test_an_answer_without_end_is_cut(server: Server) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 20))

    server.answers["/"] = endless
    assert await refusal(server.get("/")) == f"more than {MAX_OCTETS} octets"


async def test_a_compressed_answer_is_not_unpacked(server: Server) -> None:
    packed = gzip.compress(bytes(1 << 20))
    server.answers["/"] = body(packed, headers={"Content-Encoding": "gzip"})
    assert await server.get("/") == packed


async def test_a_server_that_drips_is_left_in_time(server: Server) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    server.answers["/"] = drip
    asked = get(server.url("/"), resolve=to_loopback, why_not=nothing_forbidden, seconds=0.2)
    assert await refusal(asked) == "no whole answer within 0.2 s"


@pytest.mark.parametrize(
    "url",
    [
        "https://crl.example.net/",
        "ftp://crl.example.net/",
        "file:///etc/passwd",
        "ldap://x/",
        "http:///x",
        "x",
        "http://[/",
    ],
)
async def test_nothing_but_http_is_asked(url: str) -> None:
    await refusal(get(url))


async def test_a_url_with_a_password_is_not_asked() -> None:
    assert "a user or a password" in await refusal(get("http://user:pass@crl.example.net/"))


@pytest.mark.parametrize("to", ["https://crl.example.net/", "file:///etc/passwd", "http://u:p@crl.example.net/"])
async def test_a_redirect_leads_to_nothing_but_http(server: Server, to: str) -> None:
    server.answers["/"] = moved(to)
    assert await refusal(server.get("/"))


LOCAL = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
]


@pytest.mark.parametrize("address", LOCAL)
async def test_this_machine_and_its_link_are_not_asked_whatever_the_notation(address: str) -> None:
    assert forbidden(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    said = await refusal(get(f"http://{host}:9/"))
    assert said.endswith(("is this machine itself", "is link-local", "is no address of one machine"))


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "10.1.2.3", "192.168.0.1", "2001:db8::1", "fd00::1", "64:ff9b::a01:203"]
)
def test_other_machines_may_be_asked_those_of_private_networks_too(address: str) -> None:
    assert forbidden(ip_address(address)) is None


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost"])
async def test_odd_notations_of_this_machine_are_not_asked(host: str) -> None:
    said = await refusal(get(f"http://{host}:9/"))
    assert said.endswith(("this machine itself", "is not a canonical IPv4 address"))


async def test_a_name_that_gives_this_machine_is_not_asked(server: Server) -> None:
    assert "127.0.0.1 is this machine itself" in await refusal(get(server.url("/"), resolve=to_loopback))
    assert server.asked == []


async def test_a_name_that_gives_another_address_the_second_time_leads_nowhere(server: Server) -> None:
    """DNS rebinding: what was looked at is what is connected to, and a name is resolved once for each request."""
    times = list[str]()

    async def rebinding(host: str, port: int) -> list[str]:
        times.append(host)
        return ["192.0.2.1"] if len(times) == 1 else ["127.0.0.1"]

    def tried(address: Address) -> str | None:
        return forbidden(address) or f"{address} was looked at"

    assert "192.0.2.1 was looked at" in await refusal(get(server.url("/"), resolve=rebinding, why_not=tried))
    assert times == [HOST]
    assert server.asked == []


async def test_a_redirect_to_this_machine_is_not_followed(server: Server) -> None:
    """By its address, and by a name."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    def first_only(address: Address) -> str | None:
        return forbidden(address) if server.asked else None

    for number, to in enumerate((f"http://127.0.0.1:{server.port}/in", f"http://inside.example.net:{server.port}/in")):
        server.asked.clear()
        server.answers[f"/{number}"] = moved(to)
        said = await refusal(get(server.url(f"/{number}"), resolve=resolve, why_not=first_only))
        assert "this machine itself" in said
        assert server.asked == [f"/{number}"]


async def test_of_several_addresses_only_those_are_asked_that_may_be(server: Server) -> None:
    async def several(host: str, port: int) -> list[str]:
        return ["169.254.169.254", "127.0.0.1", "nonsense"]

    server.answers["/"] = body(b"crl")
    allowed = await get(server.url("/"), resolve=several, why_not=lambda one: "no" if one.is_link_local else None)
    assert allowed == b"crl"


async def test_nobody_there_is_said_in_words(server: Server) -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        return []

    assert f"{HOST}: no address" in await refusal(get(server.url("/"), resolve=nowhere))
