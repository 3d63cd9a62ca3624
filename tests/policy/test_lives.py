"""How long an SA lives, where initiator and responder differ."""

from __future__ import annotations

import pytest

from ikevd.errors import NoProposalChosen
from ikevd.policy.child import Pfs
from ikevd.policy.choose import choose_phase2
from ikevd.policy.lives import Lifetime, LifetimeCheck, agreed, is_claimed
from ikevd.policy.transforms import read_responder_lifetime, responder_lifetime
from ikevd.wire.registry import Protocol
from tests.builders import ESP_AES128_SHA256
from tests.policy.offers import esp
from tests.sayings import raises_saying

OURS = Lifetime(3600)
OBEY, STRICT, CLAIM, EXACT = LifetimeCheck
REFUSED = None


@pytest.mark.parametrize(
    ("check", "proposed", "kept", "claimed"),
    [
        (OBEY, Lifetime(86400), Lifetime(86400), False),
        (OBEY, Lifetime(600), Lifetime(600), False),
        (OBEY, Lifetime(600, 5000), Lifetime(600, 5000), False),
        (OBEY, Lifetime(1, 1), Lifetime(60, 1024), False),
        (STRICT, Lifetime(86400), REFUSED, False),
        (STRICT, Lifetime(3600), OURS, False),
        (STRICT, Lifetime(600), Lifetime(600), False),
        (STRICT, Lifetime(600, 5000), Lifetime(600, 5000), False),
        (CLAIM, Lifetime(86400), OURS, True),
        (CLAIM, Lifetime(3600), OURS, False),
        (CLAIM, Lifetime(600), Lifetime(600), False),
        (CLAIM, Lifetime(1), Lifetime(60), False),
        (EXACT, Lifetime(86400), REFUSED, False),
        (EXACT, Lifetime(3600), OURS, False),
        (EXACT, Lifetime(600), REFUSED, False),
    ],
)
def test_what_a_responder_makes_of_the_life_that_is_proposed(
    check: LifetimeCheck, proposed: Lifetime, kept: Lifetime | None, *, claimed: bool
) -> None:
    if kept is None:
        with pytest.raises(NoProposalChosen):
            agreed(check, OURS, proposed)
        return
    assert agreed(check, OURS, proposed) == kept
    assert is_claimed(check, kept, proposed) is claimed


@pytest.mark.parametrize(
    ("check", "ours", "proposed", "kept", "claimed"),
    [
        (STRICT, 5000, 9000, REFUSED, False),
        (STRICT, 5000, None, 5000, False),
        (STRICT, None, 9000, 9000, False),
        (EXACT, 5000, 4000, REFUSED, False),
        (EXACT, 5000, None, 5000, False),
        (CLAIM, 5000, 9000, 5000, True),
        (CLAIM, 5000, None, 5000, True),
        (CLAIM, 9000, 5000, 5000, False),
        (CLAIM, 500, 9000, 1024, True),
    ],
)
def test_what_it_makes_of_the_volume(
    check: LifetimeCheck, ours: int | None, proposed: int | None, kept: int | None, *, claimed: bool
) -> None:
    """Where one of the two names none, none is refused."""
    if kept is REFUSED:
        with pytest.raises(NoProposalChosen):
            agreed(check, Lifetime(3600, ours), Lifetime(3600, proposed))
        return
    assert agreed(check, Lifetime(3600, ours), Lifetime(3600, proposed)) == Lifetime(3600, kept)
    assert is_claimed(check, Lifetime(3600, kept), Lifetime(3600, proposed)) is claimed


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (STRICT, "the peer proposes a lifetime of 86400 s or 9000 kB, ours is 3600 s; "
                 "lifetime_check: strict accepts no longer one"),
        (EXACT, "the peer proposes a lifetime of 86400 s or 9000 kB, ours is 3600 s; "
                "lifetime_check: exact accepts no other one"),
    ],
)  # fmt: skip
def test_a_refusal_names_both_lives_and_the_key_that_refuses(check: LifetimeCheck, said: str) -> None:
    with raises_saying(NoProposalChosen, said):
        agreed(check, OURS, Lifetime(86400, 9000))


@pytest.mark.parametrize("protocol", [Protocol.ISAKMP, Protocol.ESP])
@pytest.mark.parametrize("lifetime", [Lifetime(60), Lifetime(86400), Lifetime(3600, 4_608_000)])
def test_a_claim_is_read_as_it_was_written(protocol: Protocol, lifetime: Lifetime) -> None:
    octets = responder_lifetime(lifetime, protocol)
    assert read_responder_lifetime(octets, Lifetime(99), protocol) == lifetime


def test_the_claim_for_an_isakmp_sa_has_the_attribute_numbers_of_phase_1_and_for_a_pair_those_of_phase_2() -> None:
    assert responder_lifetime(Lifetime(3600), Protocol.ISAKMP).hex() == "800b0001800c0e10"
    assert responder_lifetime(Lifetime(3600), Protocol.ESP).hex() == "8001000180020e10"


def test_a_quick_mode_is_refused_or_claims() -> None:
    suites, day = (ESP_AES128_SHA256,), esp(ESP_AES128_SHA256, lifetime=Lifetime(86400))
    with pytest.raises(NoProposalChosen):
        choose_phase2(day, suites, OURS, Pfs.REQUIRED, STRICT)
    choice = choose_phase2(day, suites, OURS, Pfs.REQUIRED, CLAIM)
    assert (choice.lifetime, choice.claims) == (OURS, True)
    choice = choose_phase2(day, suites, OURS, Pfs.REQUIRED, OBEY)
    assert (choice.lifetime, choice.claims) == (Lifetime(86400), False)
