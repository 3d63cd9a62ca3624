"""Which connections an address may belong to."""

from dataclasses import replace
from ipaddress import ip_address

from ikevd.addresses import Endpoint, Path
from ikevd.negotiation.matching import ByAddress
from ikevd.policy.connection import AddressRange
from tests.builders import ALICE, BOB, connection

EXACT = connection(name="exact")
SECOND = connection(name="second")
ELSEWHERE = connection(name="elsewhere", remote=ip_address("203.0.113.1"))
NEAR = connection(name="near", remote=None, remote_range=AddressRange(BOB, BOB + 9))
ANY = connection(name="any", remote=None)
ALL = (ANY, NEAR, ELSEWHERE, EXACT, SECOND)


def names(*connections: object, remote: object = BOB, local: object = ALICE) -> list[str]:
    path = Path(Endpoint(local, 500), Endpoint(remote, 500))  # type: ignore[arg-type]
    return [found.name for found in ByAddress(connections).find(path)]  # type: ignore[arg-type]


def test_the_very_address_comes_first_then_the_range_then_any() -> None:
    assert names(*ALL) == ["exact", "second", "near", "any"]


def test_the_order_of_the_file_holds_among_equals() -> None:
    assert names(SECOND, EXACT) == ["second", "exact"]


def test_a_range_ends_with_its_last_address() -> None:
    assert names(*ALL, remote=BOB + 9) == ["near", "any"]
    assert names(*ALL, remote=BOB + 10) == ["any"]


def test_a_connection_for_another_local_address_does_not_fit() -> None:
    assert names(replace(EXACT, local=None), SECOND, local=ALICE + 1) == ["exact"]
