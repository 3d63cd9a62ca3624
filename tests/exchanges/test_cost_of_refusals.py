"""What it costs to refuse an offer: a stranger chooses how long it is, and wants it refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from types import FrameType

import pytest

from ikevd.errors import NoProposalChosen
from ikevd.exchanges.phase1 import Candidates
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.policy.suites import IkeSuite
from ikevd.policy.transforms import offer_phase1
from ikevd.wire.registry import Cipher, Group, Hash
from ikevd.wire.sa import SaPayload
from tests.builders import connection

GROUPS = (Group.MODP_768, Group.MODP_1024, Group.MODP_1536, Group.MODP_6144)
THEIRS = [IkeSuite(Cipher.AES_CBC, bits, *both) for bits in (128, 192, 256) for both in product(list(Hash)[:4], GROUPS)]
OURS = [IkeSuite(Cipher.CAMELLIA_CBC, 256, *both) for both in product(list(Hash)[:5], list(Group)[5:15])]


def steps(work: Callable[[], object]) -> int:
    """Calls of functions, which are the same on every machine."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def refused(offer: SaPayload, *views: Connection) -> None:
    with pytest.raises(NoProposalChosen):
        Candidates(views).choose(offer)


def test_to_refuse_a_long_offer_takes_hardly_longer_than_to_read_it() -> None:
    offer = offer_phase1(THEIRS, Lifetime(86400))
    view = connection(suites=tuple(OURS))
    assert steps(lambda: refused(offer, view)) < 2 * steps(lambda: SaPayload.decode(offer.body))


def test_to_refuse_an_offer_for_many_connections_takes_hardly_longer_than_for_one() -> None:
    offer = offer_phase1(THEIRS, Lifetime(86400))
    views = [connection(suites=(suite,)) for suite in OURS]
    assert steps(lambda: refused(offer, *views)) < 2 * steps(lambda: refused(offer, views[0]))
