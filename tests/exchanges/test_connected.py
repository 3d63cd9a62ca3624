"""The commit bit in message 2 of a Quick Mode: our outbound SA waits for CONNECTED, but not for long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ikevd.exchanges import phase2, quick_mode
from ikevd.exchanges.connected import WITHIN
from ikevd.exchanges.link import Host, Link, OpenInbound, OpenOutbound, ReserveSpi
from ikevd.facts import Dropped, Note
from ikevd.sa.model import IpsecSa, IsakmpSa
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, Protocol
from tests.builders import SeededEntropy, child
from tests.duet import Duet, Network
from tests.exchanges.phase1_pair import under_isakmp_sa
from tests.exchanges.quick_mode_pair import opened, quick_mode_between, swapped
from tests.sayings import said

EXCHANGE, FLAGS = 18, 19
"""Octets of the header."""
CONNECTED = NotifyPayload(Protocol.ESP, NotifyType.CONNECTED)
OTHER = NotifyPayload(Protocol.ESP, NotifyType.REPLAY_STATUS)
ALL = [ReserveSpi, OpenInbound, OpenOutbound]


class Wire:
    """Sets the commit bit in message 2, and sends message 4 as an exchange of that kind."""

    def __init__(self, fourth: ExchangeType = ExchangeType.QUICK_MODE) -> None:
        self._fourth = fourth
        self._seen: list[bytes] = []

    def __call__(self, sender: str, datagram: bytes) -> list[bytes]:
        if sender != "responder":
            return [datagram]
        if datagram not in self._seen:
            self._seen.append(datagram)
        altered = bytearray(datagram)
        if self._seen.index(datagram) == 0:
            altered[FLAGS] |= int(Flags.COMMIT)
        else:
            altered[EXCHANGE] = int(self._fourth)
        return [bytes(altered)]


def with_the_commit_bit(wire: Callable[[str, bytes], list[bytes]], *says: Payload, anew: bool = False) -> Duet:
    """The responder says `says` after message 3. `anew`: its IV chain begins anew for that."""

    async def respond(link: Link, host: Host, sa: IsakmpSa) -> IpsecSa:
        pair = await quick_mode.respond(link, host, sa, (swapped(child()),), SeededEntropy(4))
        if anew:
            await link.protect(*phase2.chains(sa, link.message_id))
        if says:
            await link.answer(*phase2.Hashes(sa, link.message_id).with_1(*says))
        return pair

    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, child(), SeededEntropy(3)),
        lambda sa: lambda link, host: respond(link, host, sa),
        network=Network(tamper=wire),
    ).run()


def notes(duet: Duet) -> Sequence[str]:
    return [said(note) for note in duet.initiator.facts_of(Note)]


@pytest.mark.parametrize("fourth", [ExchangeType.QUICK_MODE, ExchangeType.INFORMATIONAL])
@pytest.mark.parametrize("anew", [False, True], ids=["the chain goes on", "the chain begins anew"])
def test_connected_opens_the_outbound_sa(fourth: ExchangeType, *, anew: bool) -> None:
    """As the fourth message of the Quick Mode, or as an Informational message with its message ID."""
    duet = with_the_commit_bit(Wire(fourth), CONNECTED, anew=anew)
    assert duet.agreed()
    assert opened(duet.initiator.host) == ALL[1:]
    assert duet.initiator.ended_at == pytest.approx(0.04), "two round trips"


def test_without_the_word_it_is_used_all_the_same_after_4_s() -> None:
    duet = with_the_commit_bit(Wire())
    assert duet.agreed()
    assert duet.initiator.ended_at == pytest.approx(0.02 + WITHIN)
    assert notes(duet)[-1] == "the peer set the commit bit and did not say CONNECTED within 4 s: the SA is used"


def test_another_word_is_not_it() -> None:
    duet = with_the_commit_bit(Wire(), OTHER)
    assert duet.initiator.ended_at == pytest.approx(0.02 + WITHIN)
    (dropped,) = duet.initiator.facts_of(Dropped)
    assert said(dropped) == "it does not say CONNECTED"


def test_without_the_bit_nothing_waits() -> None:
    duet = quick_mode_between(child(), swapped(child()))
    assert duet.initiator.ended_at == pytest.approx(0.02)


def test_we_never_set_it() -> None:
    duet = quick_mode_between(child(), swapped(child()))
    assert not any(
        datagram[FLAGS] & int(Flags.COMMIT) for side in (duet.initiator, duet.responder) for datagram in side.sent
    )


def test_a_responder_whose_peer_sets_it_waits_for_message_3_as_ever() -> None:
    def set_it(sender: str, datagram: bytes) -> list[bytes]:
        altered = bytearray(datagram)
        if sender == "initiator":
            altered[FLAGS] |= int(Flags.COMMIT)
        return [bytes(altered)]

    duet = quick_mode_between(child(), swapped(child()), network=Network(tamper=set_it))
    assert duet.agreed()
    assert duet.responder.ended_at == pytest.approx(0.03)
