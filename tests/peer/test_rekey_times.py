"""When each end rekeys a pair: the one that began it first, and pairs of one moment not at one moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.peer.rekey import soft_kilobytes, soft_seconds
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import IpsecSa, Spi
from tests.peer.records import ipsec, seen_from_there

KILOBYTES = 4_608_000
"""At 1 Gb/s these are 38 s."""


def with_jitter(sa: IpsecSa, share: float) -> IpsecSa:
    return replace(sa, outbound=Spi(sa.inbound ^ int(share * 0x10000)))


@pytest.mark.parametrize("seconds", [60, 600, 3600, 28_800, 86_400])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 0.9999])
def test_the_end_that_began_a_pair_is_first_by_far_and_both_have_time_to_spare(seconds: int, share: float) -> None:
    sa = with_jitter(ipsec(lifetime=Lifetime(seconds)), share)
    first, second = soft_seconds(sa), soft_seconds(replace(sa, initiator=False))
    assert seconds * 0.8 <= first < second < seconds
    assert second - first >= min(0.05 * seconds, 150)
    assert seconds - second >= min(0.05 * seconds, 150)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9999])
def test_by_volume_too_the_end_that_began_it_is_first_and_both_have_room(share: float) -> None:
    sa = with_jitter(ipsec(lifetime=Lifetime(3600, KILOBYTES)), share)
    first, second = soft_kilobytes(sa), soft_kilobytes(replace(sa, initiator=False))
    assert first is not None
    assert second is not None
    a_second = KILOBYTES / 38
    assert second - first > 4 * a_second
    assert KILOBYTES - second > 4 * a_second
    assert soft_kilobytes(ipsec()) is None


def test_both_ends_know_the_others_time() -> None:
    sa = with_jitter(ipsec(), 0.3)
    assert soft_seconds(replace(seen_from_there(sa), initiator=True)) == soft_seconds(sa)


def test_pairs_of_one_moment_are_not_rekeyed_at_one_moment() -> None:
    times = {soft_seconds(with_jitter(ipsec(), share / 100)) for share in range(100)}
    assert len(times) == 100
    assert max(times) - min(times) > 290
