"""Quick Mode between our two roles, or against a script that says what it likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ikevd.exchanges import phase2, quick_mode
from ikevd.exchanges.link import HostCall, Link
from ikevd.policy.child import Child
from ikevd.policy.lives import Lifetime
from ikevd.policy.transforms import offer_phase2
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import Message
from ikevd.wire.payloads import NoncePayload, Payload
from ikevd.wire.registry import ExchangeType, Group
from ikevd.wire.sa import SaPayload
from tests.builders import ESP_AES128_SHA256, SeededEntropy, child
from tests.duet import Duet, HostInMemory
from tests.exchanges.phase1_pair import under_isakmp_sa

PFS = replace(ESP_AES128_SHA256, group=Group.CURVE25519)
NI = SeededEntropy(3).octets(32)
SPI = bytes.fromhex("0000a000")
IDCR = child().remote.to_id()


def swapped(ours: Child) -> Child:
    """The same child as the other side configures it."""
    return replace(ours, local=ours.remote, remote=ours.local)


def quick_mode_between(alice: Child, *bob: Child, **options: Any) -> Duet:
    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, alice, SeededEntropy(3)),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, bob, SeededEntropy(4)),
        **options,
    ).run()


Script = Callable[[Link, IsakmpSa], Any]


def against_responder(script: Script, *bob: Child, **options: Any) -> Duet:
    """A hand-written initiator against our responder."""

    async def play(link: Link, sa: IsakmpSa) -> Any:
        return await script(link, sa)

    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, _: play(link, sa),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, bob, SeededEntropy(4)),
        **options,
    ).run()


def against_initiator(alice: Child, script: Script, **options: Any) -> Duet:
    """Our initiator against a hand-written responder."""

    async def play(link: Link, sa: IsakmpSa) -> Any:
        return await script(link, sa)

    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, alice, SeededEntropy(3)),
        lambda sa: lambda link, _: play(link, sa),
        **options,
    ).run()


def sends_first(*payloads: Payload) -> Script:
    """A peer whose first message holds these payloads behind a right HASH(1), and that then answers as it should."""

    async def script(link: Link, sa: IsakmpSa) -> Message:
        first = phase2.Hashes(sa, link.message_id).with_1(*payloads)
        second: Message = await link.ask(
            *first, accept=lambda message: phase2.Hashes(sa, link.message_id).accept_2(NI, message)
        )
        await link.answer(phase2.Hashes(sa, link.message_id).third(NI, second.one(NoncePayload).body))
        return second

    return script


def answers(make: Callable[[Message], Sequence[Payload]]) -> Script:
    """A peer that answers message 1 with what `make` makes of it, behind a right HASH(2)."""

    async def script(link: Link, sa: IsakmpSa) -> None:
        asked = await link.receive(phase2.Hashes(sa, link.message_id).accept_1)
        ni_b = asked.one(NoncePayload).body
        await link.answer(*phase2.Hashes(sa, link.message_id).with_2(ni_b, *make(asked)))

    return script


def offer(*suites: Any, spi: bytes = SPI) -> SaPayload:
    return offer_phase2(suites or (ESP_AES128_SHA256,), Lifetime(3600), spi)


def opened(host: HostInMemory) -> list[type[HostCall]]:
    return [type(call) for call in host.opened]
