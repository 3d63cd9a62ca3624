"""The peer says that an SA ends sooner than was agreed (RESPONDER-LIFETIME in an Informational message)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from ikevd.exchanges import lifetimes
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_facts import PhaseOneUp
from ikevd.peer.facts import Due
from ikevd.peer.message_facts import Informed
from ikevd.peer.rekey import soft_seconds
from ikevd.peer.renewal import first_at
from ikevd.policy.lives import Lifetime
from ikevd.policy.transforms import responder_lifetime
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, NotifyType, Protocol
from tests.peer.records import NOW, A, ipsec, isakmp, isakmp_sa, ours, pair, peer, theirs, told

UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
"""Its pair was born 600 s ago and ends in 3000 s."""


def claim_of_pair(seconds: int, spi: int) -> NotifyPayload:
    data = responder_lifetime(Lifetime(seconds), Protocol.ESP)
    return NotifyPayload(Protocol.ESP, NotifyType.RESPONDER_LIFETIME, spi.to_bytes(4, "big"), data)


def claim(seconds: int) -> NotifyPayload:
    return lifetimes.claim(isakmp_sa(seconds=seconds))


@pytest.mark.parametrize(
    ("claimed", "ends"),
    [(3600, 500 + 3600), (600, 500 + 600), (500, NOW + 60), (1, NOW + 60), (0, 86900), (90_000, 86900)],
)
def test_the_isakmp_sa_ends_sooner_but_leaves_a_minute_for_a_new_one(claimed: int, ends: float) -> None:
    """It was born at 500, now is 1000, and its end was to be at 86,900."""
    before = peer(isakmp(renew_at=85_000.0), lan=UP)
    after, _ = told(before, Informed(A, (claim(claimed),)))
    assert after.isakmp[A].expires == ends


def test_and_is_renewed_before_that() -> None:
    before = peer(isakmp(renew_at=85_000.0), lan=UP)
    after, effects = told(before, Informed(A, (claim(3600),)))
    stands = after.isakmp[A]
    assert stands.renew_at == first_at(stands.sa, 500.0, 4100.0)
    assert effects == [
        "record of A: the peer claims a shorter life for the ISAKMP SA (RESPONDER-LIFETIME): "
        "3600 s count instead of 86400 s"
    ]


@pytest.mark.long
def test_claims_of_a_second_again_and_again_make_no_storm_of_renewals() -> None:
    """A phase 1 a minute at most."""
    state, begun = peer(isakmp(renew_at=85_000.0), lan=UP), list[float]()
    now = NOW
    while now < NOW + 600:
        for under in tuple(state.isakmp):
            state, _ = told(state, Informed(under, (replace(claim(1), spi=under.octets),)), now=now)
        state, _ = told(state, Due(()), now=now)
        if state.phase1 is not None:
            begun.append(now)
            fresh = isakmp_sa(replace(A, initiator=len(begun).to_bytes(8, "big")))
            state, _ = told(state, PhaseOneUp(state.phase1, fresh, began=now), now=now)
        now += 1
    assert 5 <= len(begun) <= 20
    assert min(after - before for before, after in pairwise(begun)) >= 30


@pytest.mark.parametrize("spi", [theirs(1), ours(1)], ids=["its own SPI", "ours"])
@pytest.mark.parametrize(("claimed", "ends"), [(1800, NOW + 1200), (60, NOW + 60), (7200, NOW + 3000)])
def test_a_pair_ends_sooner_but_leaves_a_minute_for_a_new_one(spi: int, claimed: int, ends: float) -> None:
    after, effects = told(peer(isakmp(), lan=UP), Informed(A, (claim_of_pair(claimed, spi),)))
    assert after.children["lan"].pairs[0].expires == ends
    assert bool(effects) == (ends < NOW + 3000)


def test_and_is_rekeyed_before_that() -> None:
    lan = replace(UP, pairs=(pair(1, rekey_at=NOW + 2500),))
    after, _ = told(peer(isakmp(), lan=lan), Informed(A, (claim_of_pair(1800, theirs(1)),)))
    (stands,) = after.children["lan"].pairs
    assert stands.rekey_at == NOW - 600 + soft_seconds(ipsec(lifetime=Lifetime(1800)))


def test_what_is_claimed_of_a_pair_says_which_child_it_is_of() -> None:
    _, effects = told(peer(isakmp(), lan=UP), Informed(A, (claim_of_pair(1800, theirs(1)),)))
    assert effects == [
        "record of A: the peer claims a shorter life for the IPsec SAs of lan (RESPONDER-LIFETIME): "
        "1800 s count instead of 3600 s"
    ]


def test_a_claim_for_a_pair_of_nobody_changes_nothing() -> None:
    before = peer(isakmp(), lan=UP)
    assert told(before, Informed(A, (claim_of_pair(60, theirs(9)),))) == (before, [])


def test_a_claim_whose_spi_is_none_changes_nothing() -> None:
    before = peer(isakmp(), lan=UP)
    after, _ = told(before, Informed(A, (replace(claim_of_pair(60, theirs(1)), spi=b""),)))
    assert after == before


# -- ours


@pytest.mark.parametrize(
    ("exchange", "vendors", "said"),
    [
        (ExchangeType.AGGRESSIVE, (), True),
        (ExchangeType.MAIN_MODE, (), False),
        (ExchangeType.MAIN_MODE, ("Cisco Unity 1.0",), True),
    ],
    ids=["after Aggressive Mode", "message 6 has told it", "to IOS, too"],
)
def test_a_shorter_life_of_ours_is_told_in_a_message_of_its_own(
    exchange: ExchangeType, vendors: tuple[str, ...], *, said: bool
) -> None:
    sa = replace(isakmp_sa(initiator=False), exchange=exchange, peer_vendors=vendors, claims=True)
    _, effects = told(peer(), PhaseOneUp(None, sa))
    told_it = f"say under A: RESPONDER_LIFETIME for {A.octets.hex()}"
    assert (told_it in effects) == said


def test_one_that_the_peer_has_proposed_is_not() -> None:
    sa = replace(isakmp_sa(initiator=False), exchange=ExchangeType.AGGRESSIVE)
    _, effects = told(peer(), PhaseOneUp(None, sa))
    assert not [effect for effect in effects if effect.startswith("say")]
