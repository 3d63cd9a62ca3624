"""Offers of phase 1 and phase 2, and offers that are odd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ikevd.policy.lives import Lifetime
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.policy.transforms import offer_phase1, offer_phase2
from ikevd.wire.attributes import Attribute
from ikevd.wire.registry import Group
from ikevd.wire.sa import SaPayload
from tests.builders import ESP_AES128_SHA256

DAY = Lifetime(86400)
HOUR = Lifetime(3600)
SPI = bytes.fromhex("0000a000")
PFS = replace(ESP_AES128_SHA256, group=Group.MODP_2048)

Alter = Callable[[tuple[Attribute, ...]], tuple[Attribute, ...]]


def altered(sa: SaPayload, change: Alter) -> SaPayload:
    """The offer with the attributes of its first transform changed."""
    proposal = sa.proposals[0]
    first = replace(proposal.transforms[0], attributes=change(proposal.transforms[0].attributes))
    return SaPayload((replace(proposal, transforms=(first, *proposal.transforms[1:])), *sa.proposals[1:]))


def with_attributes(*more: Attribute) -> Alter:
    return lambda attributes: (*attributes, *more)


def without(*kinds: int) -> Alter:
    return lambda attributes: tuple(a for a in attributes if a.type not in kinds)


def ike(*suites: IkeSuite, lifetime: Lifetime = DAY) -> SaPayload:
    return offer_phase1(suites, lifetime)


def esp(*suites: IpsecSuite, lifetime: Lifetime = HOUR, spi: bytes = SPI) -> SaPayload:
    return offer_phase2(suites, lifetime, spi)


def several(*offers: SaPayload) -> SaPayload:
    """The proposals of all offers, numbered anew."""
    proposals = [proposal for sa in offers for proposal in sa.proposals]
    return SaPayload(tuple(replace(proposal, number=number) for number, proposal in enumerate(proposals, start=1)))
