"""Where a message may come from, ports only: every case of RFC 3947 section 4."""

from __future__ import annotations

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import UnexpectedMessage
from ikevd.exchanges.moves import check_addresses, check_ports
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import NatTraversal
from tests.builders import ALICE, BOB
from tests.hostile.scene import ELSEWHERE
from tests.sayings import raises_saying

NO_NAT = NatTraversal(NatMethod.RFC_3947, local=False, remote=False)
BEFORE_US = NatTraversal(NatMethod.RFC_3947, local=True, remote=False)
BEFORE_THE_PEER = NatTraversal(NatMethod.RFC_3947, local=False, remote=True)
BEFORE_BOTH = NatTraversal(NatMethod.RFC_3947, local=True, remote=True)
UNSPOKEN = None
"""One of the peers does not speak NAT traversal."""


def path(ports: tuple[int, int]) -> Path:
    """(Our port, the peer's)."""
    return Path(Endpoint(BOB, ports[0]), Endpoint(ALICE, ports[1]))


@pytest.mark.parametrize(
    ("known", "came", "nat"),
    [
        ((500, 500), (500, 500), UNSPOKEN),
        ((500, 500), (500, 500), NO_NAT),
        ((500, 1024), (500, 1024), NO_NAT),
        ((4500, 4500), (4500, 4500), NO_NAT),
        ((500, 500), (4500, 4500), BEFORE_US),
        ((500, 1024), (4500, 1024), BEFORE_US),
        ((4500, 4500), (4500, 4500), BEFORE_US),
        ((500, 40_000), (4500, 40_001), BEFORE_THE_PEER),
        ((4500, 40_001), (4500, 40_002), BEFORE_THE_PEER),
        ((4500, 4500), (4500, 40_001), BEFORE_BOTH),
    ],
)
def test_a_port_that_a_nat_explains_is_the_peers(
    known: tuple[int, int], came: tuple[int, int], nat: NatTraversal | None
) -> None:
    check_ports(path(known), path(came), nat, 4500)


@pytest.mark.parametrize("nat", [BEFORE_US, BEFORE_THE_PEER])
def test_a_peer_that_stays_at_port_500_is_heard_there_unless_it_has_seen_that_there_is_a_nat(nat: NatTraversal) -> None:
    check_ports(path((500, 1024)), path((500, 1024)), nat, 4500)
    with raises_saying(UnexpectedMessage, "4500 is wanted, as a NAT was found"):
        check_ports(path((500, 1024)), path((500, 1024)), nat, 4500, must_float=True)


@pytest.mark.parametrize(
    ("known", "came", "nat", "wanted"),
    [
        ((500, 500), (500, 1024), UNSPOKEN, "500 is wanted, as no NAT in front of the peer explains it"),
        ((500, 500), (500, 1024), NO_NAT, "500 is wanted, as no NAT in front of the peer explains it"),
        ((500, 500), (500, 4500), NO_NAT, "500 is wanted"),
        ((500, 500), (4500, 4500), UNSPOKEN, "500 is wanted, as no NAT was found"),
        ((500, 500), (4500, 4500), NO_NAT, "500 is wanted, as no NAT was found"),
        ((4500, 4500), (500, 500), NO_NAT, "4500 is wanted, as no NAT was found"),
        ((500, 500), (500, 1024), BEFORE_THE_PEER, "500 is wanted, as no NAT in front of the peer explains it"),
        ((500, 500), (4500, 1024), BEFORE_US, "500 or 4500 is wanted"),
        ((4500, 4500), (4500, 1024), BEFORE_US, "4500 is wanted, as no NAT in front of the peer explains it"),
        ((4500, 4500), (500, 500), BEFORE_US, "4500 is wanted, as a NAT was found"),
        ((4500, 40_001), (500, 40_001), BEFORE_THE_PEER, "4500 is wanted, as a NAT was found"),
        ((4500, 40_001), (500, 40_000), BEFORE_BOTH, "4500 is wanted, as a NAT was found"),
    ],
)
def test_any_other_port_is_refused_with_the_one_that_is_wanted(
    known: tuple[int, int], came: tuple[int, int], nat: NatTraversal | None, wanted: str
) -> None:
    with raises_saying(UnexpectedMessage, wanted):
        check_ports(path(known), path(came), nat, 4500)


def test_the_port_of_nat_traversal_is_the_configured_one() -> None:
    check_ports(path((500, 500)), path((14500, 14500)), BEFORE_US, 14500)


def test_addresses_stay_as_they_began() -> None:
    known = path((4500, 4500))
    check_addresses(known, path((500, 1024)))
    with raises_saying(UnexpectedMessage, str(ELSEWHERE)):
        check_addresses(known, Path(known.local, Endpoint(ELSEWHERE, 4500)))
    with raises_saying(UnexpectedMessage, "is negotiating"):
        check_addresses(known, Path(Endpoint(ELSEWHERE, 4500), known.remote))
