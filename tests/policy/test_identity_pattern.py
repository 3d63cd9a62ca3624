"""Patterns of identities: whom they mean and whom they do not."""

from __future__ import annotations

import pytest

from ikevd.policy.identity import Identity
from ikevd.policy.identity_pattern import parse
from ikevd.wire.registry import IdType


def means(pattern: str, identity: str | Identity) -> bool:
    found = parse(pattern)
    assert found
    return found.matches(Identity.parse(identity) if isinstance(identity, str) else identity)


@pytest.mark.parametrize(
    ("pattern", "identity"),
    [
        ("*.example.net", "gw.example.net"),
        ("*.example.net", "a.b.example.net"),
        ("*.Example.Net", "GW.EXAMPLE.net."),
        ("*@example.net", "alice@example.net"),
        ("CN=*,O=Example", "CN=gw,O=Example"),
        ("CN=*,O=Example", "cn=gw, o=EXAMPLE"),
        ("CN=*,O=Example", "O=Example,CN=gw"),
        ("O=Example, *", "CN=gw,OU=vpn,O=Example,C=DE"),
        ("O=Example, CN=gw, *", "CN=gw,O=Example"),
        ("OU=*, OU=vpn, O=Example", "OU=vpn,OU=users,O=Example"),
    ],
)
def test_a_pattern_means_all_of_its_kind(pattern: str, identity: str) -> None:
    assert means(pattern, identity)


@pytest.mark.parametrize(
    ("pattern", "identity"),
    [
        ("*.example.net", "example.net"),
        ("*.example.net", "gw.example.net.evil.example"),
        ("*.example.net", "evilexample.net"),
        ("*.example.net", "email:gw.example.net"),
        ("*.example.net", "fqdn:.example.net"),
        ("*.example.net", "fqdn:a b.example.net"),
        ("*.example.net", "fqdn:*.example.net"),
        ("*@example.net", "alice@sub.example.net"),
        ("*@example.net", "email:@example.net"),
        ("*@example.net", "email:a@b@example.net"),
        ("*@example.net", "fqdn:alice@example.net"),
        ("CN=*,O=Example", "O=Example"),
        ("CN=*,O=Example", "CN=gw,O=Other"),
        ("CN=*,O=Example", "CN=gw,O=Example,C=DE"),
        ("CN=*,O=Example", "CN=gw,CN=more,O=Example"),
        ("CN=*,O=Example", "OU=gw,O=Example"),
        ("CN=*,O=Example", "gw.example.net"),
        ("O=Example, *", "CN=O\\=Example"),
        ("OU=vpn, OU=vpn, *", "OU=vpn,O=Example"),
    ],
)
def test_a_pattern_means_nobody_else(pattern: str, identity: str) -> None:
    assert not means(pattern, identity)


def test_octets_that_are_no_name_are_meant_by_none() -> None:
    for pattern in ("O=Example, *", "CN=*"):
        assert not means(pattern, Identity(IdType.DER_ASN1_DN, b"\x30\x05\x31"))
    assert not means("*.example.net", Identity(IdType.FQDN, b"gw\0.example.net"))


@pytest.mark.parametrize("text", ["gw.example.net", "CN=gw,O=Example", "192.0.2.1", "keyid:a*b", "dn:0x2a"])
def test_what_has_no_star_is_an_identity(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", ["gw*.example.net", "*", "*.", "a*@example.net", "*.*.net", "192.0.2.*", "CN=gw*,O=x"])
def test_a_star_elsewhere_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"has a \* w"):
        parse(text)


@pytest.mark.parametrize("text", ["*.example.net", "*@example.net", "CN=*, O=Example, *"])
def test_it_is_shown_as_it_was_written(text: str) -> None:
    assert str(parse(text)) == text
