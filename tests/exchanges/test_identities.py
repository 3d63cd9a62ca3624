"""Identities of every type, through Main Mode and Aggressive Mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.phase1 import Candidates
from ikevd.policy.identity import Identity
from ikevd.wire.registry import ExchangeType
from tests.builders import SeededEntropy, connection, mirrored
from tests.duet import Duet

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
    duet = Duet(
        ExchangeType.MAIN_MODE,
        lambda link, _: main_mode.initiate(link, alice, SeededEntropy(1)),
        lambda link, _: main_mode.respond(link, Candidates((bob,)), SeededEntropy(2)),
    ).run()
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
