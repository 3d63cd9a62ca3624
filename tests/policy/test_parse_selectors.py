"""The operator's notation of traffic selectors."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.policy.selectors import TrafficSelector


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.1.0.0/24", "10.1.0.0/24"),
        ("10.1.0.5", "10.1.0.5/32"),
        ("10.1.0.10-10.1.0.20", "10.1.0.10-10.1.0.20"),
        ("10.1.0.10 - 10.1.0.20", "10.1.0.10-10.1.0.20"),
        ("10.1.0.0-10.1.0.255", "10.1.0.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::/32[tcp/443]", "2001:db8::/32[tcp/443]"),
        ("2001:db8::1-2001:db8::5", "2001:db8::1-2001:db8::5"),
        ("10.1.0.0/24[icmp]", "10.1.0.0/24[icmp]"),
        ("10.1.0.0/24[ICMP]", "10.1.0.0/24[icmp]"),
        ("10.1.0.0/24[47]", "10.1.0.0/24[gre]"),
        ("10.1.0.0/24[99]", "10.1.0.0/24[99]"),
        ("10.1.0.0/24[udp/0]", "10.1.0.0/24[udp]"),
        ("10.1.0.0/24[any]", "10.1.0.0/24"),
        ("10.1.0.0/255.255.255.0", "10.1.0.0/24"),
    ],
)
def test_parse(text: str, shown: str) -> None:
    assert str(TrafficSelector.parse(text)) == shown
    assert TrafficSelector.parse(shown) == TrafficSelector.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.1.0.7/24", "has host bits set; wanted the subnet 10.1.0.0/24, or the one host 10.1.0.7"),
        ("2001:db8::7/64", "wanted the subnet 2001:db8::/64"),
        ("10.1.0.0/33", "has the prefix length '33'; wanted a number from 0 to 32"),
        ("2001:db8::/129", "wanted a number from 0 to 128"),
        ("10.1.0.0/", "has the prefix length ''"),
        ("10.1/16", "is no address, subnet or range; wanted for example 10.1.0.0/24"),
        ("10.1.0.20-10.1.0.10", "ends before it begins; wanted 10.1.0.10-10.1.0.20"),
        ("10.1.0.1-::1", "begins in IPv4 and ends in IPv6"),
        ("fe80::1%eth0", "is no address"),
        ("", "is no traffic selector"),
        ("[tcp]", "is no traffic selector"),
        ("10.1.0.0/24[tcp", "is no traffic selector"),
        ("10.1.0.0/24[tpc]", "has the unknown protocol 'tpc'"),
        ("10.1.0.0/24[256]", "a number from 0 to 255"),
        ("10.1.0.0/24[tcp/https]", "has the port 'https'; wanted one number"),
        ("10.1.0.0/24[tcp/65536]", "wanted one number from 0 (any) to 65535"),
        ("10.1.0.0/24[gre/5]", "only tcp, udp and sctp have ports"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        TrafficSelector.parse(text)
    assert message in str(caught.value)


@given(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)) | st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6)),
    st.sampled_from([(0, 0), (1, 0), (6, 443), (17, 65535), (255, 0)]),
)
def test_round_trip(
    ends: tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address], protocol: tuple[int, int]
) -> None:
    low, high = ends if int(ends[0]) <= int(ends[1]) else ends[::-1]
    selector = TrafficSelector(low, high, *protocol)
    assert TrafficSelector.parse(str(selector)) == selector


@given(st.text() | st.text("0123456789./-:[]tcpudany %"))
def test_any_text_parses_or_raises_value_error(text: str) -> None:
    with suppress(ValueError):
        TrafficSelector.parse(text)
