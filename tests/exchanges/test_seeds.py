"""A seed reproduces a handshake: the same seeds, the same octets and the same keys, in both roles and both modes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.exchanges import aggressive_mode, main_mode, quick_mode
from ikevd.exchanges.phase1 import Candidates
from ikevd.host.entropy import SeededEntropy
from ikevd.policy.nat import Encap
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import ExchangeType, Group
from tests.builders import AES128_SHA256_X25519, ESP_AES128_SHA256, child, connection, mirrored
from tests.duet import Duet, HostInMemory
from tests.exchanges.phase1_pair import under_isakmp_sa

OF_EACH_KIND = (
    Group.CURVE25519,
    Group.CURVE448,
    Group.ECP_256,
    Group.ECP_521,
    Group.BRAINPOOL_256,
    Group.MODP_1024,
    Group.MODP_2048,
    Group.MODP_2048_256,
)
MODES = {ExchangeType.MAIN_MODE: main_mode, ExchangeType.AGGRESSIVE: aggressive_mode}
Sent = tuple[list[bytes], list[bytes]]


def entropy(seed: int) -> SeededEntropy:
    return SeededEntropy(seed.to_bytes(32, "big"))


def phase1(kind: ExchangeType, group: Group, seeds: tuple[int, int]) -> Duet:
    """With random octets in the place of a NAT-D payload, which are drawn after the key pairs."""
    alice = connection(suites=(replace(AES128_SHA256_X25519, group=group),), encap=Encap.FORCE)
    return Duet(
        kind,
        lambda link, _: MODES[kind].initiate(link, alice, entropy(seeds[0])),
        lambda link, _: MODES[kind].respond(link, Candidates((mirrored(alice),)), entropy(seeds[1])),
    ).run()


def under_sas(sas: tuple[IsakmpSa, IsakmpSa], group: Group | None, seeds: tuple[int, int]) -> Duet:
    ours = child(suites=(replace(ESP_AES128_SHA256, group=group),))
    theirs = replace(ours, local=ours.remote, remote=ours.local)
    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, ours, entropy(seeds[0])),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, (theirs,), entropy(seeds[1])),
        sas=sas,
        hosts=(HostInMemory(first_spi=0x1000), HostInMemory(first_spi=0x2000)),
    ).run()


def sent(duet: Duet) -> Sent:
    assert (duet.initiator.error, duet.responder.error) == (None, None)
    return duet.initiator.sent, duet.responder.sent


@pytest.mark.parametrize("kind", MODES, ids=str)
@pytest.mark.parametrize("group", OF_EACH_KIND, ids=str)
def test_the_same_seeds_give_the_same_phase_1_octet_by_octet(kind: ExchangeType, group: Group) -> None:
    once, again = phase1(kind, group, (1, 2)), phase1(kind, group, (1, 2))
    assert sent(once) == sent(again)
    assert (once.initiator.result, once.responder.result) == (again.initiator.result, again.responder.result)


@pytest.mark.parametrize("group", [None, *OF_EACH_KIND], ids=str)
def test_the_same_seeds_give_the_same_quick_mode_octet_by_octet(group: Group | None) -> None:
    first = phase1(ExchangeType.MAIN_MODE, Group.CURVE25519, (1, 2))
    sas = first.initiator.result, first.responder.result
    once, again = under_sas(sas, group, (3, 4)), under_sas(sas, group, (3, 4))
    assert sent(once) == sent(again)
    assert [side.host.opened for side in (once.initiator, once.responder)] == [
        side.host.opened for side in (again.initiator, again.responder)
    ]


@pytest.mark.parametrize("kind", MODES, ids=str)
def test_another_seed_of_either_side_gives_other_keys(kind: ExchangeType) -> None:
    secrets = {phase1(kind, Group.CURVE25519, seeds).initiator.result.keys for seeds in ((1, 2), (1, 3), (4, 2))}
    assert len(secrets) == 3
