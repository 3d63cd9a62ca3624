"""What only a real kernel shows: `ip xfrm` agrees, packets pass, privileges are missed."""

import asyncio
import errno
import os
import re
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused, MissingPrivilege
from ikevd.host.events import KernelEvent, SaExpired
from ikevd.host.policies import Direction
from ikevd.host.sas import Counters, SaId, UdpPorts
from ikevd.kernel.adapter import XfrmKernel
from ikevd.kernel.bypass import bypass_ipsec
from ikevd.kernel.encapsulation import take_esp
from ikevd.kernel.netlink import MESSAGES_PER_WAKE, NETLINK_XFRM, NetlinkError, RequestSocket, attribute
from ikevd.kernel.xfrm_layout import Attr, Msg
from ikevd.kernel.xfrm_sas import build_sa
from ikevd.policy.lives import Lifetime
from ikevd.policy.proposals import format_esp, parse_esp
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import Spi
from tests.eventually import PATIENCE, eventually_async
from tests.kernel.namespaces import Namespace
from tests.kernel.places import LEFT, LEFT6, RIGHT, RIGHT6, TO_LEFT, TO_RIGHT, Ends, Pair, kernel_in
from tests.kernel.samples import (
    AES_SHA1,
    AES_SHA256,
    EVERY_CIPHER,
    EVERY_INTEGRITY,
    HERE,
    PEER,
    REQID,
    SPI,
    add,
    keys_of,
    policy_of,
    sa_of,
)

pytestmark = pytest.mark.kernel


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without capabilities."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# -- as ip sees it


async def test_an_sa_as_ip_sees_it(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        await add(kernel, sa_of(lifetime=Lifetime(3600, 2000)))
        await add(kernel, sa_of(Spi(0x1111), suite=AES_SHA1, replay_window=32))
    text = namespace.run("ip", "-s", "xfrm", "state", "list", "spi", f"0x{SPI}")
    assert "src 192.0.2.1 dst 198.51.100.1" in text
    assert f"reqid {REQID}(0x{REQID:08x}) mode tunnel" in text
    assert "replay-window 0 seq 0x00000000 flag af-unspec" in text
    assert f"auth-trunc hmac(sha256) 0x{bytes(range(32)).hex()} (256 bits) 128" in text
    assert f"enc cbc(aes) 0x{bytes(range(32)).hex()} (256 bits)" in text
    assert "replay_window 128, bitmap-length 4" in text
    assert "limit: soft (INF)(bytes), hard 2048000(bytes)" in text
    assert "expire add: soft 3540(sec), hard 3600(sec)" in text
    text = namespace.run("ip", "-s", "xfrm", "state", "list", "spi", "0x1111")
    assert f"auth-trunc hmac(sha1) 0x{bytes(range(20)).hex()} (160 bits) 96" in text
    assert "replay-window 32" in text


@pytest.mark.parametrize(
    ("suite", "seen"),
    [
        ("aes256gcm16", f"aead rfc4106(gcm(aes)) 0x{bytes(range(36)).hex()} (288 bits) 128"),
        ("aes128gcm8", f"aead rfc4106(gcm(aes)) 0x{bytes(range(20)).hex()} (160 bits) 64"),
        ("aes128ccm12", f"aead rfc4309(ccm(aes)) 0x{bytes(range(19)).hex()} (152 bits) 96"),
        ("aes192gmac", f"aead rfc4543(gcm(aes)) 0x{bytes(range(28)).hex()} (224 bits) 128"),
        ("aes128ctr-sha1", f"enc rfc3686(ctr(aes)) 0x{bytes(range(20)).hex()} (160 bits)"),
        ("null-sha384", f"auth-trunc hmac(sha384) 0x{bytes(range(48)).hex()} (384 bits) 192"),
        ("null-sha512", "enc ecb(cipher_null)"),
        ("3des-aesxcbc", f"auth-trunc xcbc(aes) 0x{bytes(range(16)).hex()} (128 bits) 96"),
        ("3des-md5", f"enc cbc(des3_ede) 0x{bytes(range(24)).hex()} (192 bits)"),
    ],
)
async def test_algorithms_as_ip_sees_them(namespace: Namespace, suite: str, seen: str) -> None:
    with kernel_in(namespace) as kernel:
        await add(kernel, sa_of(suite=parse_esp(suite)))
    assert seen in namespace.run("ip", "-s", "xfrm", "state", "list", "spi", f"0x{SPI}")


async def test_an_icv_of_96_bits_as_ip_sees_it(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        await add(kernel, replace(sa_of(), icv_bits=96))
    text = namespace.run("ip", "-s", "xfrm", "state", "list", "spi", f"0x{SPI}")
    assert f"auth-trunc hmac(sha256) 0x{bytes(range(32)).hex()} (256 bits) 96" in text


async def test_a_policy_as_ip_sees_it(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        await kernel.put_policy(policy_of(ports=(6, 0, 443)))
        await kernel.put_policy(policy_of(ports=(6, 0, 443), ends=(HERE, IPv4Address("203.0.113.9"))))
        await kernel.put_policy(policy_of("10.9.0.0/16", direction=Direction.FWD))
    text = namespace.run("ip", "xfrm", "policy")
    assert "src 10.1.0.0/24 dst 10.2.0.0/24 proto tcp dport 443" in text
    assert f"dir out priority {policy_of(ports=(6, 0, 443)).priority} " in text
    assert "tmpl src 192.0.2.1 dst 203.0.113.9" in text
    assert "dst 198.51.100.1" in text  # the fwd policy; the replaced out policy is gone
    assert f"proto esp reqid {REQID} mode tunnel" in text
    number = policy_of("10.9.0.0/16").priority
    assert re.search(rf"src 10.9.0.0/16 dst 10.2.0.0/24 \n\tdir fwd priority {number} ", text)


async def test_a_dump_of_many_sas(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        for number in range(0x1000, 0x1000 + 6000):
            await add(kernel, sa_of(Spi(number)))
        first, second = await asyncio.gather(kernel.dump_sas(), kernel.dump_sas())
        assert len({found.id for found in first}) == len(first) == len(second) == 6000
        dump, turns = asyncio.ensure_future(kernel.dump_sas()), 0
        while not dump.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 6000 / (2 * MESSAGES_PER_WAKE), "others have their turns meanwhile"
        with namespace.entered():
            hasty = RequestSocket(NETLINK_XFRM, deadline=0.0)
        with pytest.raises(NetlinkError) as caught:
            await hasty.dump(Msg.GETSA, bytes)
        assert caught.value.code == errno.ETIMEDOUT
        hasty.close()


# -- packets


@asynccontextmanager
async def connected(
    pair: Pair, suite: IpsecSuite, lifetime: Lifetime, ends: Ends = (LEFT, RIGHT), encap: UdpPorts | None = None
) -> AsyncIterator[tuple[XfrmKernel, XfrmKernel]]:
    """SAs and policies between 10.1.0.0/24 and 10.2.0.0/24."""
    networks = ("10.1.0.0/24", "10.2.0.0/24")
    left_end, right_end = ends
    with kernel_in(pair[0]) as left, kernel_in(pair[1]) as right:
        for kernel in (left, right):
            for spi, source, destination in ((TO_RIGHT, left_end, right_end), (TO_LEFT, right_end, left_end)):
                sa = sa_of(spi, suite=suite, source=source, destination=destination, lifetime=lifetime)
                await add(kernel, replace(sa, encap=encap))
                inner = networks if source == left_end else networks[::-1]
                outward = (source == left_end) == (kernel is left)
                for direction in (Direction.OUT,) if outward else (Direction.IN, Direction.FWD):
                    await kernel.put_policy(policy_of(*inner, direction=direction, ends=(source, destination)))
        yield left, right


ONE_LENGTH = tuple({suite.transform: suite for suite in EVERY_CIPHER}.values())
"""Each cipher with one of its key lengths."""


@pytest.mark.parametrize("suites", [ONE_LENGTH, EVERY_INTEGRITY], ids=["ciphers", "integrity"])
async def test_packets_pass_through_every_suite(pair: Pair, suites: Iterable[IpsecSuite]) -> None:
    """One pair of namespaces for all, since they are slow to make."""
    for suite in suites:
        async with connected(pair, suite, Lifetime(3600)):
            assert "1 received" in pair[0].run("ping", "-c", "1", "-W", "5", "10.2.0.1"), format_esp(suite)
        for namespace in pair:
            namespace.run("ip", "xfrm", "state", "flush")
            namespace.run("ip", "xfrm", "policy", "flush")


@pytest.mark.parametrize("suite", [AES_SHA256, AES_SHA1], ids=["sha256", "sha1"])
async def test_packets_pass_and_are_counted(pair: Pair, suite: IpsecSuite) -> None:
    async with connected(pair, suite, Lifetime(3600)) as kernels:
        assert "5 received" in pair[0].run("ping", "-c", "5", "-i", "0.05", "-W", "5", "10.2.0.1")
        for kernel in kernels:
            for sa in (SaId(RIGHT, TO_RIGHT), SaId(LEFT, TO_LEFT)):
                assert await kernel.counters(sa) == Counters(octets=5 * 84, packets=5)
        policies = [policy_of("10.1.0.0/24", "10.2.0.0/24", direction=way).id for way in (Direction.OUT, Direction.FWD)]
        taken, not_taken = [await kernels[0].idle_seconds(policy) for policy in policies]
        assert taken is not None
        assert not_taken is None


async def test_packets_with_another_key_are_counted_as_forged(pair: Pair) -> None:
    async with connected(pair, AES_SHA256, Lifetime(3600)) as (_, right):
        inbound = sa_of(TO_RIGHT, suite=AES_SHA256, source=LEFT, destination=RIGHT, lifetime=Lifetime(3600))
        await right.delete_sa(inbound.id)
        await right.add_sa(inbound, replace(keys_of(AES_SHA256), integrity=Secret(bytes(32))), reserved=False)
        assert "0 received" in pair[0].run("sh", "-c", "ping -c 3 -i 0.05 -W 0.5 10.2.0.1 || true")
        assert await right.counters(inbound.id) == Counters(octets=0, packets=0, replayed=0, forged=3)


@pytest.mark.parametrize("ends", [(LEFT, RIGHT), (LEFT6, RIGHT6)], ids=["ipv4", "ipv6"])
async def test_esp_in_udp_goes_to_ipsec_and_ike_to_the_socket(pair: Pair, ends: Ends) -> None:
    """An SA with encapsulation takes no bare ESP, and the other way round (xfrm_input)."""
    sockets = [nat_socket(namespace, address) for namespace, address in zip(pair, ends, strict=True)]
    async with connected(pair, AES_SHA256, Lifetime(3600), ends, UdpPorts(4500, 4500)) as kernels:
        assert "5 received" in pair[0].run("ping", "-c", "5", "-i", "0.05", "-W", "5", "10.2.0.1")
        for kernel in kernels:
            for sa in (SaId(ends[1], TO_RIGHT), SaId(ends[0], TO_LEFT)):
                assert await kernel.counters(sa) == Counters(octets=5 * 84, packets=5)
        left, right = sockets
        for octets in (b"\xff", bytes(4) + b"ike"):
            left.sendto(octets, (str(ends[1]), 4500))
        assert right.recv(100) == bytes(4) + b"ike"
    for opened in sockets:
        opened.close()


def nat_socket(namespace: Namespace, address: Address) -> socket.socket:
    with namespace.entered():
        opened = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    take_esp(opened)
    opened.settimeout(PATIENCE)
    with namespace.entered():
        opened.bind((str(address), 4500))
    return opened


async def test_an_sa_ends_by_volume(pair: Pair) -> None:
    told: list[KernelEvent] = []
    async with connected(pair, AES_SHA256, Lifetime(3600, 1)) as (left, _):
        left.on_event(told.append)
        # 12 * 84 < 1024 <= 13 * 84: the packet that reaches the limit still passes
        assert "13 received" in pair[0].run("ping", "-c", "20", "-i", "0.01", "-W", "1", "10.2.0.1")
        await eventually_async(lambda: SaExpired(SaId(RIGHT, TO_RIGHT), REQID, hard=True) in told)
        assert await left.counters(SaId(RIGHT, TO_RIGHT)) is None


@pytest.mark.parametrize("version", [4, 6])
async def test_a_bypassing_socket_ignores_the_policies(pair: Pair, version: int) -> None:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    here, there = ("192.0.2.1", "192.0.2.2") if version == 4 else ("2001:db8::1", "2001:db8::2")
    sockets = []
    for namespace, address in zip(pair, (here, there), strict=True):
        with namespace.entered():
            for _ in range(2):
                opened = socket.socket(family, socket.SOCK_DGRAM)
                opened.bind((address, 0))
                opened.settimeout(PATIENCE)
                sockets.append(opened)
    plain, ike, other_plain, other_ike = sockets
    plain.sendto(b"before", other_plain.getsockname()[:2])
    assert other_plain.recv(100) == b"before"
    for namespace in pair:  # policies without SAs for all UDP: nothing passes, in or out
        with kernel_in(namespace) as kernel:
            for direction in (Direction.OUT, Direction.IN):
                both = (here, there) if (direction == Direction.OUT) == (namespace is pair[0]) else (there, here)
                await kernel.put_policy(policy_of(*both, ports=(17, 0, 0), direction=direction))
    bypass_ipsec(ike)
    bypass_ipsec(other_ike)
    ike.sendto(b"ike", other_ike.getsockname()[:2])
    assert other_ike.recv(100) == b"ike"
    other_plain.settimeout(0.3)
    plain.setblocking(False)
    try:
        plain.sendto(b"plain", other_plain.getsockname()[:2])
    except OSError:
        pass  # the kernel may say so at once
    with pytest.raises(TimeoutError):
        other_plain.recv(100)
    for opened in sockets:
        opened.close()


# -- refusals


async def test_missing_privileges(namespace: Namespace) -> None:
    with as_nobody(), pytest.raises(MissingPrivilege, match="CAP_NET_ADMIN"):
        XfrmKernel()
    with kernel_in(namespace) as kernel, as_nobody():
        with pytest.raises(MissingPrivilege, match=r"install ESP SA 0a0b0c0d to 198\.51.*CAP_NET_ADMIN"):
            await add(kernel, sa_of())
        with pytest.raises(MissingPrivilege, match="list the SAs"):
            await kernel.dump_sas()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ike, as_nobody():  # noqa: SIM117
        with pytest.raises(MissingPrivilege, match=r"exempt the IKE socket from IPsec.*CAP_NET_ADMIN"):
            bypass_ipsec(ike)


async def test_a_closed_kernel_refuses(namespace: Namespace) -> None:
    kernel = kernel_in(namespace)
    kernel.close()
    kernel.close()
    with pytest.raises(KernelRefused, match="EBADF"):
        await kernel.delete_sa(SaId(PEER, SPI))


async def test_the_extended_acknowledgement_is_read(namespace: Namespace) -> None:
    with namespace.entered():
        requests = RequestSocket(NETLINK_XFRM)
    with pytest.raises(NetlinkError) as caught:
        await requests.ask(Msg.NEWSA, build_sa(sa_of(), keys_of(AES_SHA256)) + attribute(Attr.ALG_AEAD, b"short"))
    assert (caught.value.code, caught.value.detail) == (errno.ERANGE, "Attribute failed policy validation")
    requests.close()
