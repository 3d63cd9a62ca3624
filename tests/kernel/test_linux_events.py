"""The events of a real kernel: none that counts is lost, none brings a key."""

import asyncio
import time

import pytest

from ikevd.host.events import Lost, SaExpired, SasFlushed
from ikevd.host.policies import Action
from ikevd.host.sas import SaId
from ikevd.kernel.event_filter import hear_others_only
from ikevd.kernel.netlink import HEADER, NETLINK_XFRM, EventSocket, Message
from ikevd.kernel.xfrm_events import OCTETS as EVENT_OCTETS
from ikevd.kernel.xfrm_layout import Group, Msg
from ikevd.policy.lives import Lifetime
from ikevd.policy.proposals import parse_esp
from ikevd.sa.model import Spi
from tests.eventually import eventually_async
from tests.kernel.bench import told_by
from tests.kernel.namespaces import Namespace
from tests.kernel.places import LEFT, RIGHT, TO_RIGHT, Pair, kernel_in
from tests.kernel.samples import AES_SHA256, PEER, REQID, SPI, add, policy_of, sa_of

pytestmark = pytest.mark.kernel


async def test_a_late_word_of_a_reservation_is_not_of_the_sa(namespace: Namespace) -> None:
    """The reservation ends, we install anew, and only then hear that it ended."""
    namespace.run("sysctl", "-qw", "net.core.xfrm_acq_expires=1")
    with kernel_in(namespace) as kernel:
        told = told_by(kernel)
        spi = await kernel.reserve_spi(PEER, LEFT, REQID)
        time.sleep(2.1)  # noqa: ASYNC251
        await add(kernel, sa_of(spi, source=PEER, destination=LEFT), reserved=True)
        await asyncio.sleep(0.1)
        assert told == []
        assert [found.larval for found in await kernel.dump_sas()] == [False]


async def test_of_more_events_than_the_buffer_holds_some_are_told_as_lost(namespace: Namespace) -> None:
    """Of 500 SAs that end together the buffer holds a few."""
    with kernel_in(namespace, event_buffer=4096) as kernel:
        told = told_by(kernel)
        for number in range(0x1000, 0x1000 + 500):
            await add(kernel, sa_of(Spi(number), lifetime=Lifetime(1)))
        time.sleep(2.5)  # the loop does not get to read  # noqa: ASYNC251
        await eventually_async(lambda: Lost() in told)
        assert len(told) < 500
        assert await kernel.dump_sas() == []
        told.clear()  # and the socket still hears
        await add(kernel, sa_of(Spi(0xAAAA), lifetime=Lifetime(1)))
        await eventually_async(lambda: told)
        assert told == [SaExpired(SaId(PEER, Spi(0xAAAA)), REQID, hard=True)]


async def test_our_own_changes_fill_no_buffer(namespace: Namespace) -> None:
    with kernel_in(namespace, event_buffer=4096) as kernel:
        told = told_by(kernel)
        for number in range(0x1000, 0x1000 + 500):
            await add(kernel, sa_of(Spi(number)))
            await kernel.delete_sa(SaId(PEER, Spi(number)))
        namespace.run("ip", "xfrm", "policy", "flush")
        await add(kernel, sa_of())
        namespace.run("ip", "xfrm", "state", "flush")
        await eventually_async(lambda: told)
        assert told == [SasFlushed()]


async def test_no_event_brings_a_key(namespace: Namespace) -> None:
    heard: list[Message] = []
    with namespace.entered():
        events = EventSocket(
            NETLINK_XFRM,
            (Group.SA,),
            heard.append,
            lambda: None,
            lambda opened: hear_others_only(opened, 1, EVENT_OCTETS),
        )
    with kernel_in(namespace) as kernel:
        for suite in (AES_SHA256, parse_esp("aes256gcm16"), parse_esp("null-sha512")):
            await add(kernel, sa_of(suite=suite))
            await kernel.limit_sa(SaId(PEER, SPI), 60)
            await kernel.delete_sa(SaId(PEER, SPI))
    await eventually_async(lambda: len(heard) == 9)
    assert {message.kind for message in heard} == {Msg.NEWSA, Msg.UPDSA, Msg.DELSA}
    for message in heard:
        assert len(message.body) + HEADER.size <= EVENT_OCTETS
        assert bytes(range(4, 16)) not in message.body
    events.close()


async def test_a_larval_sa_of_an_acquire_hinders_nothing(pair: Pair) -> None:
    """A tunnel without an SA, and a packet for it: where some program waits for acquires, the kernel keeps an SA with
    SPI 0 for 30 s. No second acquire is told meanwhile."""
    acquires: list[Message] = []
    with pair[0].entered():
        listener = EventSocket(NETLINK_XFRM, (Group.ACQUIRE,), acquires.append, lambda: None, lambda opened: None)
    with kernel_in(pair[0]) as kernel:
        policy = policy_of("10.1.0.0/24", "10.2.0.0/24", ends=(LEFT, RIGHT))
        await kernel.put_policy(policy)
        for _ in range(2):
            pair[0].run("sh", "-c", "ping -c 1 -W 1 10.2.0.1 || true")
        await eventually_async(lambda: acquires)
        assert "spi 0x00000000" in pair[0].run("ip", "xfrm", "state")
        assert len(acquires) == 1
        assert [found.asked for found in await kernel.dump_sas()] == [True]
        await kernel.put_policy(policy_of("10.1.0.0/24", "10.2.0.0/24", ends=(LEFT, RIGHT), action=Action.BLOCK))
        assert "spi 0x00000000" in pair[0].run("ip", "xfrm", "state")
        await add(kernel, sa_of(TO_RIGHT, source=LEFT, destination=RIGHT))
        await kernel.put_policy(policy)
        assert [found.id for found in await kernel.dump_sas()] == [SaId(RIGHT, TO_RIGHT)]
        pair[0].run("sh", "-c", "ping -c 1 -W 1 10.2.0.1 || true")
        counters = await kernel.counters(SaId(RIGHT, TO_RIGHT))
        assert counters is not None
        assert counters.packets == 1
    listener.close()
