"""What real peers said in captures, through our exchanges as far as one can go without their secrets; no part of it was
made here. Captures under other licences are used in place."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path as File
from typing import Any

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Effect, Transmit
from ikevd.conversation.timing import Timing
from ikevd.crypto.secret import Secret
from ikevd.exchanges import main_mode
from ikevd.exchanges.link import Exchange, Link, Situation
from ikevd.exchanges.nat import endpoint_hash
from ikevd.exchanges.phase1 import Candidates, Keying
from ikevd.facts import Dropped, Fact, Heard, Sent
from ikevd.policy.connection import Connection, PreSharedKey
from ikevd.policy.nat import NatMethod
from ikevd.policy.suites import IkeSuite
from ikevd.sa.model import Cookies
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import Cipher, ExchangeType, Group, Hash, PayloadType
from tests.builders import SeededEntropy, connection
from tests.persona.captures import Captured, session

DIGEST_OCTETS = {16: Hash.MD5, 20: Hash.SHA1, 32: Hash.SHA2_256}
OCTETS = ("g_xi", "g_xr", "cky_i", "cky_r", "sai_b", "idir_b", "ni_b", "nr_b", "hash_r")
IOS = [
    pytest.param("ios-2008", Group.MODP_768, NatMethod.DRAFT_07, id="IOS of 2008"),
    pytest.param("ios-2015", Group.MODP_1024, NatMethod.RFC_3947, id="IOS of 2015"),
]


def captured(testdata: File, name: str) -> list[Captured]:
    """The datagrams of one capture, without non-ESP markers."""
    rows = json.loads((testdata / "messages" / f"{name}.json").read_text())["messages"]
    return [_captured(row) for row in rows]


def _captured(row: dict[str, Any]) -> Captured:
    octets, ports = bytes.fromhex(row["payload"]), (row["sport"], row["dport"])
    ends = Endpoint(ip_address(row["src"]), ports[0]), Endpoint(ip_address(row["dst"]), ports[1])
    return Captured(*ends, octets[4:] if 4500 in ports else octets)


def cookies_of(octets: bytes) -> Cookies:
    return Cookies(octets[:8], octets[8:16])


# -- NAT-D ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "frame", "translated"),
    [
        pytest.param("no-keys__zeek-ipsec.cap", 5, False, id="strongSwan initiator"),
        pytest.param("no-keys__zeek-ipsec.cap", 6, False, id="strongSwan responder"),
        pytest.param("with-keys__wireshark-ikev1-bug-12620.pcapng.gz", 2, False, id="strongSwan, Aggressive Mode 2"),
        pytest.param("with-keys__wireshark-ikev1-bug-12620.pcapng.gz", 3, False, id="Android, Aggressive Mode 3"),
        pytest.param("openswan__v1rwnat__3-v1rwnatM2.pcap", 1, True, id="Openswan behind a NAT"),
        pytest.param("openswan__v1rwnat__4-v1rwnatN2.pcap", 1, False, id="Openswan facing it"),
        pytest.param("openswan__parent__3-parentM2.pcap", 1, True, id="Openswan behind a NAT, SHA-256"),
    ],
)
def test_our_endpoint_hash_is_that_of_other_implementations(
    testdata: File, name: str, frame: int, translated: bool
) -> None:
    message = captured(testdata, name)[frame - 1]
    header = Header.decode_untrusted(message.octets)
    payloads = Message.decode_untrusted(header, message.octets[HEADER_OCTETS:]).payloads
    theirs = [payload.body for payload in payloads if payload.TYPE == PayloadType.NAT_D]
    hash, cookies = DIGEST_OCTETS[len(theirs[0])], cookies_of(message.octets)

    assert theirs[0] == endpoint_hash(hash, cookies, message.destination)
    assert (endpoint_hash(hash, cookies, message.source) not in theirs[1:]) is translated


# -- Main Mode with IOS --------------------------------------------------------------------------------------------


def as_in_the_capture(group: Group, method: NatMethod) -> Connection:
    suite = IkeSuite(Cipher.AES_CBC, 128, Hash.SHA1, group)
    return connection(suites=(suite,), nat_methods=(method,), local=None, remote=None)


def conversation(
    exchange: Callable[[Link], Exchange], path: Path, cookies: Cookies, *, initiator: bool
) -> Conversation:
    known = Cookies(cookies.initiator)
    situation = Situation(known, 0, path)
    return Conversation(
        exchange(Link(situation)),
        ExchangeType.MAIN_MODE,
        situation,
        Timing(),
        initiator=initiator,
        minted=cookies.responder,
    )


def sent(effects: list[Effect]) -> list[bytes]:
    return [effect.octets for effect in effects if isinstance(effect, Transmit)]


def labels(effects: list[Effect]) -> list[str]:
    facts = [effect for effect in effects if isinstance(effect, Fact)]
    assert not [fact for fact in facts if isinstance(fact, Dropped)]
    return [fact.label for fact in facts if isinstance(fact, Heard | Sent)]


@pytest.mark.parametrize(("name", "group", "method"), IOS)
def test_as_responder_we_answer_message_1_of_ios_with_the_octets_that_ios_answers(
    name: str, group: Group, method: NatMethod
) -> None:
    first, second, third = session(name)[:3]
    view, cookies = as_in_the_capture(group, method), cookies_of(second.octets)
    path = Path(first.destination, first.source)
    us = conversation(
        lambda link: main_mode.respond(link, Candidates((view,)), SeededEntropy(1)), path, cookies, initiator=False
    )
    us.start(0.0)

    assert sent(us.heard(first.octets, path, 0.0)) == [second.octets]
    effects = us.heard(third.octets, path, 1.0)
    assert labels(effects) == ["MM3", "MM4"]


@pytest.mark.parametrize(("name", "group", "method"), IOS)
def test_as_initiator_we_understand_messages_2_and_4_of_ios(name: str, group: Group, method: NatMethod) -> None:
    first, second, _, fourth = session(name)[:4]
    view, cookies = as_in_the_capture(group, method), cookies_of(second.octets)
    path = Path(first.source, first.destination)
    us = conversation(lambda link: main_mode.initiate(link, view, SeededEntropy(1)), path, cookies, initiator=True)
    us.start(0.0)

    assert labels(us.heard(second.octets, path, 1.0)) == ["MM2", "MM3"]
    effects = us.heard(fourth.octets, path, 2.0) + us.resume(False, 2.0)  # no, IOS is no stranger
    assert labels(effects) == ["MM4", "MM5"]
    assert us.path.local.port == 500, "the NAT-D payloads of IOS say that there is no NAT"
    assert Header.decode_untrusted(*sent(effects)).encrypted


# -- Aggressive Mode -----------------------------------------------------------------------------------------------


def test_hash_r_of_our_keying_is_that_of_real_gateways(testdata: File) -> None:
    cases = json.loads((testdata / "vectors" / "aggressive_hash_r.json").read_text())
    assert len(cases) == 5
    for case in cases:
        octets = {name: bytes.fromhex(case[name]) for name in OCTETS}
        keying = Keying.derive(
            PreSharedKey(Secret(case["psk"].encode()), "vector"),
            IkeSuite(Cipher.TRIPLE_DES_CBC, 0, {"md5": Hash.MD5, "sha1": Hash.SHA1}[case["prf"]], Group.MODP_1024),
            Cookies(octets["cky_i"], octets["cky_r"]),
            octets["sai_b"],
            (octets["g_xi"], octets["g_xr"]),
            (octets["ni_b"], octets["nr_b"]),
            Secret(b"not part of HASH_R"),
        )
        assert keying.hash_r(IdPayload.decode(octets["idir_b"])).body == octets["hash_r"]
