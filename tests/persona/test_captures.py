"""The persona's messages against those of two captured sessions of IOS routers, octet by octet.

Left out of the comparison is only what is random in each session: cookies, public values, nonces, NAT-D hashes (which
are checked below) and the last half of IOS's own vendor ID.
"""

from __future__ import annotations

import pytest

from ikevd.exchanges.nat import endpoint_hash
from ikevd.sa.model import Cookies
from ikevd.wire.registry import ExchangeType, Group, Hash
from ikevd.wire.vendor_ids import name_of
from tests.duet import Duet
from tests.persona import phase1
from tests.persona.captures import Captured, session
from tests.persona.octets import IOS_MASK, KE, NONCE, VID
from tests.persona.router import IOS_12, IOS_15, Policy, Release, Router

HEADER = 28
SESSIONS = [
    pytest.param("ios-2008", IOS_12, Policy(group=Group.MODP_768), 15, id="ios-2008"),
    pytest.param("ios-2015", IOS_15, Policy(), 20, id="ios-2015"),
]
NAT_D = (15, 20)
CLEAR = slice(0, 4)
RESPONDER = (1, 3, 5, 7)


def chain(octets: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each payload, read without the daemon's decoder."""
    found, kind, position = [], octets[16], HEADER
    while kind:
        length = int.from_bytes(octets[position + 2 : position + 4], "big")
        assert octets[position + 1] == 0
        found.append((kind, octets[position + 4 : position + length]))
        kind, position = octets[position], position + length
    assert position == len(octets)
    return found


def steady(octets: bytes, sender_cookie: bytes) -> tuple[bytes, bytes, list[tuple[int, bytes | int]]]:
    """Header and payloads without what differs from session to session."""
    mark = bytes(a ^ b for a, b in zip(sender_cookie, IOS_MASK, strict=True))
    payloads: list[tuple[int, bytes | int]] = []
    for kind, body in chain(octets):
        if kind in (KE, NONCE, *NAT_D):
            payloads.append((kind, len(body)))
        elif kind == VID and body.startswith(mark):
            payloads.append((kind, b"IOS" + bytes(len(body) - 8)))
        else:
            payloads.append((kind, body))
    return octets[16:20], octets[20:HEADER], payloads


def cookies_of(octets: bytes) -> tuple[bytes, bytes]:
    return octets[:8], octets[8:16]


def sent_by(duet: Duet) -> list[bytes]:
    pairs = zip(duet.initiator.sent, duet.responder.sent, strict=True)
    return [octets for pair in pairs for octets in pair]


def two_routers(release: Release, policy: Policy) -> list[bytes]:
    """All six messages of Main Mode between two personas."""
    router = Router(b"a m4rked-secret", release, (policy,))
    duet = Duet(
        ExchangeType.MAIN_MODE,
        lambda link, _: phase1.initiate_main_mode(link, router),
        lambda link, _: phase1.respond_main_mode(link, router),
    ).run()
    return sent_by(duet)


@pytest.mark.parametrize(("name", "release", "policy", "number"), SESSIONS)
def test_messages_1_to_4_are_those_of_the_captures(name: str, release: Release, policy: Policy, number: int) -> None:
    captured = [message.octets for message in session(name)][CLEAR]
    ours = two_routers(release, policy)[CLEAR]

    for position, (theirs, made) in enumerate(zip(captured, ours, strict=True)):
        of_sender = position in RESPONDER
        cookie = cookies_of(captured[3])[of_sender], cookies_of(ours[3])[of_sender]
        assert steady(made, cookie[1]) == steady(theirs, cookie[0])
    assert [kind for kind, _ in chain(ours[2])][-2:] == [number, number]


@pytest.mark.parametrize(("name", "release", "policy", "number"), SESSIONS)
def test_messages_5_and_6_are_as_long_as_those_of_the_captures(
    name: str, release: Release, policy: Policy, number: int
) -> None:
    captured = [len(message.octets) for message in session(name)]
    ours = [len(octets) for octets in two_routers(release, policy)]

    assert ours[4:] == captured[4:6] == [108, 76]


@pytest.mark.parametrize("name", ["ios-2008", "ios-2015"])
def test_our_endpoint_hash_gives_the_nat_d_payloads_of_the_captures(name: str) -> None:
    messages = session(name)
    for message in messages[2:4]:
        cookies = Cookies(*cookies_of(message.octets))
        expected = [endpoint_hash(Hash.SHA1, cookies, end) for end in (message.destination, message.source)]
        assert [body for kind, body in chain(message.octets) if kind in NAT_D] == expected


@pytest.mark.parametrize("name", ["ios-2008", "ios-2015"])
def test_every_vendor_id_of_the_captures_has_a_name(name: str) -> None:
    messages = session(name)[CLEAR]
    names = {name_of(body, sender(message)) for message in messages for body in vendor_ids(message)}

    assert "Cisco IOS device" in names
    assert not [name for name in names if name.startswith("unknown")]


def vendor_ids(message: Captured) -> list[bytes]:
    return [body for kind, body in chain(message.octets) if kind == VID]


def sender(message: Captured) -> bytes:
    initiator = session("ios-2008")[0].source, session("ios-2015")[0].source
    return cookies_of(message.octets)[0 if message.source in initiator else 1]
