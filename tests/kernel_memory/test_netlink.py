"""Netlink sockets, on NETLINK_ROUTE: it needs no privilege and no IPsec."""

import asyncio
import errno
import struct
from collections.abc import AsyncIterator, Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.kernel.netlink import (
    NLM_F_ACK_TLVS,
    NLMSG_ERROR,
    Message,
    NetlinkError,
    RequestSocket,
    attribute,
    attributes,
    pack,
    read_error,
    split,
)

NETLINK_ROUTE = 0
RTM_GETLINK = 18


@pytest.fixture
async def requests() -> AsyncIterator[RequestSocket]:
    requests = RequestSocket(NETLINK_ROUTE, deadline=0.02)
    yield requests
    requests.close()


async def test_a_dump(requests: RequestSocket) -> None:
    links = await requests.dump(RTM_GETLINK, bytes, struct.pack("=BxHiII", 0, 0, 0, 0, 0))
    assert any(kind == 3 and value == b"lo\0" for link in links for kind, value in attributes(link[16:]))


async def test_an_answer_and_a_refusal(requests: RequestSocket) -> None:
    (link,) = await requests.ask(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
    assert struct.unpack_from("=BxHi", link)[2] == 1
    with pytest.raises(NetlinkError) as caught:
        await requests.ask(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 2**31 - 1, 0, 0))
    assert caught.value.code == errno.ENODEV


async def test_a_request_that_is_never_answered(requests: RequestSocket) -> None:
    with pytest.raises(NetlinkError, match=r"no answer in 0.2 s") as caught:
        await requests.dump(RTM_GETLINK, bytes)  # too short: Linux passes over it in silence
    assert caught.value.code == errno.ETIMEDOUT


async def test_a_closed_socket_refuses(requests: RequestSocket) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_code_of(requests.dump(RTM_GETLINK, bytes)))
        await asyncio.sleep(0)
        requests.close()
    requests.close()
    assert waiting.result() == errno.ECANCELED
    assert await _code_of(requests.dump(RTM_GETLINK, bytes)) == errno.EBADF


async def _code_of(request: Awaitable[object]) -> int:
    with pytest.raises(NetlinkError) as caught:
        await request
    return caught.value.code


async def test_a_family_that_the_kernel_lacks() -> None:
    with pytest.raises(OSError):
        RequestSocket(31)


@given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40))))
def test_attributes_are_read_as_they_are_built(values: list[tuple[int, bytes]]) -> None:
    assert list(attributes(b"".join(attribute(kind, value) for kind, value in values))) == values


@given(st.binary(max_size=200))
def test_any_octets_are_split(octets: bytes) -> None:
    list(split(octets))
    list(attributes(octets))


def test_messages_of_one_datagram() -> None:
    first, second = pack(16, 2, 7, 9, b"abcd"), pack(3, 0, 7, 9, b"")
    assert list(split(first + second)) == [Message(16, 2, 7, b"abcd"), Message(3, 0, 7, b"")]


def test_an_error_with_its_text() -> None:
    body = struct.pack("=i", -errno.EINVAL) + bytes(16) + attribute(2, bytes(4)) + attribute(1, b"Invalid key\0")
    error = read_error(Message(NLMSG_ERROR, NLM_F_ACK_TLVS, 1, body))
    assert error is not None
    assert (error.code, error.detail) == (errno.EINVAL, "Invalid key")
    assert read_error(Message(NLMSG_ERROR, 0, 1, bytes(20))) is None
