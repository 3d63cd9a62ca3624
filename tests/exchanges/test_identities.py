"""Identities of every type, through Main Mode and Aggressive Mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ikevd.conversation.effects import Raised
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Heard, Note
from ikevd.policy.identity import Identity
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import ExchangeType
from tests.builders import SeededEntropy, connection, mirrored
from tests.duet import Duet
from tests.exchanges.phase1_pair import main_mode_between
from tests.fuzz.stages import STAGES
from tests.hostile.crafted import crafted, facts_in
from tests.sayings import said

IDENTITIES = [
    "192.0.2.77",
    "2001:db8::77",
    "gw.example",
    "user@example.net",
    "keyid:group",
    "keyid:0x00ff",
    "10.0.0.0/8",
    "2001:db8::/32",
    "10.0.0.1-10.0.0.9",
    "::1-::9",
    "CN=gw,O=Example,C=DE",
    "gn:0x82026777",
]
MODES: dict[ExchangeType, Any] = {ExchangeType.MAIN_MODE: main_mode, ExchangeType.AGGRESSIVE: aggressive_mode}


@pytest.mark.parametrize("text", IDENTITIES)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_an_identity_of_every_type_chooses_the_connection(mode: ExchangeType, text: str) -> None:
    alice = connection(aggressive=True, local_id=Identity.parse(text), remote_id=Identity.parse(text))
    bob = mirrored(alice)
    others = tuple(
        mirrored(connection(aggressive=True, local_id=Identity.parse(other))) for other in IDENTITIES if other != text
    )
    initiate: Callable[..., Any] = MODES[mode].initiate
    respond: Callable[..., Any] = MODES[mode].respond
    duet = Duet(
        mode,
        lambda link, _: initiate(link, alice, SeededEntropy(1)),
        lambda link, _: respond(link, Candidates((*others, bob)), SeededEntropy(2)),
    ).run()
    assert str(duet.responder.result.remote_id) == str(duet.initiator.result.remote_id) == text


def test_a_name_is_known_whatever_its_string_types() -> None:
    der = "301f3110300e060355040a13074578616d706c65310b3009060355040313026777"  # PrintableString, as strongSwan sends
    alice = connection(local_id=Identity.parse(f"dn:0x{der}"))
    bob = mirrored(connection(local_id=Identity.parse("CN=gw,O=Example")))
    duet = main_mode_between(alice, bob)
    assert duet.responder.result.remote_id.data.hex() == der


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_host_name_is_known_in_other_case_and_shown_as_received(mode: ExchangeType) -> None:
    """Both roles: the initiator's name chooses the connection, the responder's must be the one that is configured."""
    alice = connection(
        aggressive=True, local_id=Identity.parse("GW-A.Example."), remote_id=Identity.parse("gw-b.example")
    )
    bob = mirrored(
        connection(aggressive=True, local_id=Identity.parse("gw-a.example"), remote_id=Identity.parse("Gw-B.EXAMPLE"))
    )
    duet = Duet(
        mode,
        lambda link, _: MODES[mode].initiate(link, alice, SeededEntropy(1)),
        lambda link, _: MODES[mode].respond(link, Candidates((bob,)), SeededEntropy(2)),
    ).run()
    assert str(duet.responder.result.remote_id) == "GW-A.Example."
    assert str(duet.initiator.result.remote_id) == "Gw-B.EXAMPLE"


@pytest.mark.parametrize(("protocol", "port"), [(0, 0), (17, 0), (17, 500), (17, 4500)])
@pytest.mark.parametrize("message", ["MM5", "MM6", "AM1", "AM2"])
def test_the_usual_protocols_and_ports_of_an_identity_are_no_note(message: str, protocol: int, port: int) -> None:
    assert not odd_notes(message, protocol, port)


@pytest.mark.parametrize(("protocol", "port"), [(6, 500), (17, 501), (0, 500), (50, 0), (255, 65535)])
@pytest.mark.parametrize("message", ["MM5", "MM6", "AM1", "AM2"])
def test_an_odd_protocol_or_port_of_an_identity_is_a_note_and_no_refusal(
    message: str, protocol: int, port: int
) -> None:
    (note,) = odd_notes(message, protocol, port)
    assert str(protocol) in note
    assert str(port) in note


def odd_notes(message: str, protocol: int, port: int) -> list[str]:
    """What is noted of the ID payload of a message that is accepted."""
    stage = STAGES[message]()
    payloads = [
        replace(payload, protocol=protocol, port=port) if isinstance(payload, IdPayload) else payload
        for payload in stage.genuine
    ]
    effects = stage.conversation.heard(crafted(stage, *payloads), stage.path, 0.0)
    heard, *facts = facts_in(effects)
    assert isinstance(heard, Heard)
    assert not [effect for effect in effects if isinstance(effect, Raised)]
    return [said(fact) for fact in facts if isinstance(fact, Note) and "ID payload" in said(fact)]
