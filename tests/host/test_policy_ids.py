"""Names of policies: which of them one packet may match."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ikevd.host.policies import Direction, PolicyId
from ikevd.policy.marks import ALL_BITS, Mark

OUT, TCP, UDP = Direction.OUT, 6, 17


def name(
    source: str,
    destination: str,
    protocol: int = 0,
    ports: tuple[int, int] = (0, 0),
    way: Direction = OUT,
    if_id: int = 0,
    mark: Mark | None = None,
) -> PolicyId:
    return PolicyId(ip_network(source), ip_network(destination), protocol, *ports, way, if_id, mark)


def with_mark(value: int, mask: int = ALL_BITS) -> PolicyId:
    return name("10.1.0.0/24", "10.2.0.0/24", mark=Mark(value, mask))


LAN = name("10.1.0.0/24", "10.2.0.0/24")
WEB = name("10.1.0.0/24", "10.2.0.0/24", TCP, (0, 443))


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        pytest.param(LAN, LAN, True, id="equal"),
        pytest.param(LAN, name("10.1.0.0/16", "10.2.0.7/32"), True, id="wider here, narrower there"),
        pytest.param(LAN, name("10.1.0.0/24", "10.3.0.0/24"), False, id="another destination"),
        pytest.param(LAN, name("10.4.0.0/24", "10.2.0.0/24"), False, id="another source"),
        pytest.param(LAN, name("2001:db8::/32", "2001:db8::/32"), False, id="IPv6"),
        pytest.param(LAN, name("10.1.0.0/24", "10.2.0.0/24", way=Direction.FWD), False, id="another direction"),
        pytest.param(LAN, WEB, True, id="any protocol and one"),
        pytest.param(WEB, name("10.1.0.0/24", "10.2.0.0/24", UDP, (0, 443)), False, id="two protocols"),
        pytest.param(WEB, name("10.1.0.0/24", "10.2.0.0/24", TCP, (0, 80)), False, id="two ports"),
        pytest.param(WEB, name("10.1.0.0/24", "10.2.0.0/24", TCP, (1024, 0)), True, id="a port of each side"),
        pytest.param(LAN, name("10.1.0.0/24", "10.2.0.0/24", if_id=42), False, id="an interface and none"),
        pytest.param(LAN, with_mark(42), True, id="any mark and one"),
        pytest.param(with_mark(42), with_mark(43), False, id="two marks"),
        pytest.param(with_mark(0x4200, 0xFF00), with_mark(0x42, 0xFF), True, id="marks in other bits"),
        pytest.param(with_mark(0x4200, 0xFF00), with_mark(0x4342), False, id="marks that differ in a common bit"),
    ],
)
def test_two_policies_meet_where_one_packet_may_match_both(one: PolicyId, other: PolicyId, meet: bool) -> None:
    assert one.meets(other) is other.meets(one) is meet
