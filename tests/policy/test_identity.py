"""Identities: what the operator writes, what goes over the wire, and when two are the same."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.policy.identity import Identity
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import IdType

# The DER that `openssl req -subj /O=Example/CN=gw` writes.
DN_UTF8 = bytes.fromhex("301f3110300e060355040a0c074578616d706c65310b300906035504030c026777")


def payload(kind: IdType, data: bytes, protocol: int = 0, port: int = 0) -> IdPayload:
    return IdPayload(type=kind, protocol=protocol, port=port, data=data)


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ("192.0.2.1", IdType.IPV4_ADDR, "c0000201"),
        ("2001:db8::1", IdType.IPV6_ADDR, "20010db8000000000000000000000001"),
        ("10.0.0.0/8", IdType.IPV4_SUBNET, "0a000000ff000000"),
        ("2001:db8::/32", IdType.IPV6_SUBNET, "20010db8" + "00" * 12 + "ffffffff" + "00" * 12),
        ("10.0.0.1-10.0.0.9", IdType.IPV4_RANGE, "0a0000010a000009"),
        ("::1-::9", IdType.IPV6_RANGE, "00" * 15 + "01" + "00" * 15 + "09"),
        ("gw.example.net", IdType.FQDN, b"gw.example.net".hex()),
        ("user@example.net", IdType.USER_FQDN, b"user@example.net".hex()),
        ("keyid:group", IdType.KEY_ID, b"group".hex()),
        ("keyid:0x00ff", IdType.KEY_ID, "00ff"),
        ("CN=gw,O=Example", IdType.DER_ASN1_DN, DN_UTF8.hex()),
        ("gn:0x82026777", IdType.DER_ASN1_GN, "82026777"),
    ],
)
def test_every_type_of_rfc_2407_has_a_notation(text: str, kind: IdType, data: str) -> None:
    identity = Identity.parse(text)
    assert (identity.type, identity.data.hex()) == (kind, data)
    assert str(identity) == text
    assert Identity.from_payload(identity.to_payload()) == identity


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("@gw.example.net", "gw.example.net"),
        ("fqdn:gw.example.net", "gw.example.net"),
        ("dns:gw.example.net", "gw.example.net"),
        ("fqdn:192.0.2.1", "@192.0.2.1"),
        ("email:a@b", "a@b"),
        ("userfqdn:a@b", "a@b"),
        ("rfc822:a@b", "a@b"),
        ("ipv4:192.0.2.1", "192.0.2.1"),
        ("ipv4net:10.0.0.0/8", "10.0.0.0/8"),
        ("ipv6range:::1-::9", "::1-::9"),
        (" cn = gw ,  O = Example", "CN=gw,O=Example"),
        ("dn:CN=gw,O=Example", "CN=gw,O=Example"),
        ("asn1dn:0x" + DN_UTF8.hex(), "CN=gw,O=Example"),
        ("E=a@b,CN=x", "emailAddress=a@b,CN=x"),
        ("1.2.840.113549.1.9.1=a@b,CN=x", "emailAddress=a@b,CN=x"),
    ],
)
def test_notations_that_say_the_same(text: str, same: str) -> None:
    assert Identity.parse(text) == Identity.parse(same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("@", "is empty"),
        ("keyid:", "is empty"),
        ("keyid:0x", "is empty"),
        ("keyid:0xabc", "pairs of hexadecimal digits"),
        ("keyid:0xzz", "pairs of hexadecimal digits"),
        ("ipv4:0xabcd", "has 2 octets; 4 are wanted"),
        ("ipv4:gw", "is no identity of type IPV4_ADDR"),
        ("ipv6:192.0.2.1", "is no identity of type IPV6_ADDR"),
        ("gn:gw", "is no identity of type DER_ASN1_GN"),
        ("10.0.0.300", "looks like an address but is none"),
        ("10.0.0.0/33", "looks like an address but is none"),
        ("10.0.0.9-10.0.0.1", "looks like an address but is none"),
        ("::1-10.0.0.1", "looks like an address but is none"),
        ("2001:db8:::1", "looks like an address but is none"),
        ("gw\x1b[1m", "control character"),
        ("XX=a", "is no distinguished name; wanted for example CN=gw.example.net, O=Example, C=DE"),
        ("CN=a,", "is no distinguished name"),
        ("CN=a\\", "a backslash escapes nothing"),
        ("CN=#0403414243", "write dn:0x and the DER"),
        ("C=Germany", "is no distinguished name (Attribute"),
    ],
)
def test_what_is_no_identity(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Identity.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(("protocol", "port"), [(0, 0), (17, 0), (17, 500), (17, 4500), (6, 500), (255, 65535)])
def test_protocol_and_port_name_nobody(protocol: int, port: int) -> None:
    received = payload(IdType.FQDN, b"gw", protocol, port)
    assert Identity.from_payload(received) == Identity.parse("gw")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gw.example.net", "GW.Example.NET"),
        ("gw.example.net", "gw.example.net."),
        ("gw.example.net", "gw.example.net.."),
        ("user@example.net", "User@EXAMPLE.net"),
        ("user@example.net", "user@example.net."),
    ],
)
def test_names_of_hosts_and_users_are_equal_whatever_their_case_and_a_dot_at_the_end(one: str, other: str) -> None:
    """As strongSwan and libreswan compare (case) and libreswan does (the dot)."""
    first, second = Identity.parse(one), Identity.parse(other)
    assert first == second
    assert {first: "session"}[second] == "session"
    assert str(second) == other, "shown as received"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("keyid:group", "keyid:GROUP"),
        ("keyid:group", "keyid:group."),
        ("gw.example.net", ".gw.example.net"),
        ("gw.example.net", "gw.example.com"),
        ("fqdn:0xc3a9", "fqdn:0xc389"),
        ("fqdn:a@b", "email:a@b"),
    ],
)
def test_a_key_id_is_compared_octet_by_octet_and_names_that_differ_otherwise_differ(one: str, other: str) -> None:
    assert Identity.parse(one) != Identity.parse(other)


@pytest.mark.parametrize(
    "other", ["CN=gw2,O=Example", "O=Example,CN=gw", "CN=gw", "OU=gw,O=Example", "CN=gw+O=Example"]
)
def test_names_that_say_something_else_differ(other: str) -> None:
    assert Identity.parse(other) != Identity.parse("CN=gw,O=Example")


@pytest.mark.parametrize("other", ["cn=GW, o=example", "CN=gw,O=  Example ", "CN=Gw,O=EXAMPLE"])
def test_of_a_distinguished_name_letter_case_and_blanks_say_nothing(other: str) -> None:
    assert Identity.parse(other) == Identity.parse("CN=gw,O=Example")
    assert hash(Identity.parse(other)) == hash(Identity.parse("CN=gw,O=Example"))


def test_the_parts_of_one_rdn_have_no_order() -> None:
    assert Identity.parse("CN=a+O=b") == Identity.parse("O=b+CN=a")


@given(data=st.binary(max_size=60) | st.integers(0, len(DN_UTF8)).map(lambda n: DN_UTF8[:n]))
def test_broken_names_are_compared_by_their_octets(data: bytes) -> None:
    one = Identity(IdType.DER_ASN1_DN, data)
    assert one == Identity(IdType.DER_ASN1_DN, data)
    assert hash(one) == hash(Identity(IdType.DER_ASN1_DN, data))
    assert (one == Identity(IdType.DER_ASN1_DN, DN_UTF8)) == (data == DN_UTF8)


def test_the_same_octets_of_another_type_are_another_identity() -> None:
    assert Identity(IdType.FQDN, b"gw") != Identity(IdType.KEY_ID, b"gw")
    assert Identity(IdType.FQDN, b"gw") != "gw"
    assert Identity.of_address(IPv4Address("1.2.3.4")) != Identity.of_address(IPv6Address("::1.2.3.4"))
