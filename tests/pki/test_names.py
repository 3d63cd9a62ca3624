"""The identity that a peer claims must stand in its certificate, as that very type of name."""

from __future__ import annotations

import pytest

from ikevd.certificate_findings import NoCertificate, OtherCertificate
from ikevd.errors import AuthenticationFailed
from ikevd.observe.words import say
from ikevd.pki import names
from ikevd.pki.prove import anchored
from ikevd.policy.identity import Identity
from ikevd.wire.registry import IdType
from tests.pki.lab import NOW, Lab, Member, openssl, prove, trusted

SUBJECT = "CN=gw,O=Exämple GmbH,C=DE"
DN = ["C=DE", "O=Exämple GmbH", "CN=gw"]


def named(lab: Lab, member: Member, identity: Identity | str) -> bool:
    claimed = Identity.parse(identity) if isinstance(identity, str) else identity
    return names.matches(claimed, member.certificate)


@pytest.mark.parametrize(
    "claimed",
    ["gw.example.net", "GW.Example.NET", "gw.example.net.", "192.0.2.1", "gw@example.net", "CN=gateway,O=Example"],
)
def test_each_name_in_it_proves_an_identity_of_its_type(lab: Lab, gateway: Member, claimed: str) -> None:
    assert named(lab, gateway, claimed)


@pytest.mark.parametrize(
    "claimed",
    [
        "example.net",
        "a.gw.example.net",
        "192.0.2.2",
        "2001:db8::1",
        "192.0.2.0/24",
        "fqdn:192.0.2.1",
        "fqdn:gateway",
        "other@example.net",
        "email:gw.example.net",
        "keyid:gw.example.net",
        "CN=gateway",
        "O=Example,CN=gateway",
        "CN=gateway,O=Example,C=DE",
    ],
)
def test_no_other_name_is_proven_by_it(lab: Lab, gateway: Member, claimed: str) -> None:
    assert not named(lab, gateway, claimed)


def test_ipv6_addresses_stand_there_too(lab: Lab, root: Member) -> None:
    assert named(lab, lab.make("six", root, alt=["IP.1=2001:db8::1"]), "2001:db8::1")


@pytest.mark.parametrize("mask", ["utf8only", "pkix", "nombstr", "default"])
def test_a_name_is_the_same_whatever_its_string_types(lab: Lab, root: Member, mask: str) -> None:
    """UTF8String, BMPString and TeletexString, as `openssl` writes them; the ID payload has UTF8String."""
    one = lab.make(f"strings-{mask}", root, dn=DN, req=f"string_mask={mask}")
    assert named(lab, one, SUBJECT)
    assert named(lab, one, "CN=GW,O=exämple  gmbh,C=de")
    assert not named(lab, one, "CN=gw,O=Exaemple GmbH,C=DE")
    assert prove(trusted(root), SUBJECT, one).certificate == one.certificate


def test_the_name_that_openssl_shows_is_the_one_that_is_proven(lab: Lab, gateway: Member) -> None:
    shown = openssl("x509", "-in", gateway.file, "-noout", "-subject", "-nameopt", "RFC2253").decode()
    assert named(lab, gateway, shown.strip().removeprefix("subject="))


def test_the_octets_of_the_subject_are_a_good_identity(lab: Lab, gateway: Member) -> None:
    assert named(lab, gateway, Identity(IdType.DER_ASN1_DN, names.subject(gateway.certificate)))


def test_a_star_in_a_certificate_stands_for_nobody_else(lab: Lab, root: Member) -> None:
    star = lab.make("star", root, dn=["O=Example", "CN=*"], alt=["DNS.1=*.example.net", "email.1=*@example.net"])
    assert not named(lab, star, "gw.example.net")
    assert not named(lab, star, "gw@example.net")
    assert not named(lab, star, "CN=gw,O=Example")


def test_a_nul_in_a_name_ends_nothing(lab: Lab, root: Member) -> None:
    """CVE-2009-2408: `gw.example.net\\0.evil.example` was once read as `gw.example.net`."""
    der = b"gw.example.net\0.evil.example".hex()
    length = f"{len(der) // 2:02x}"
    whole = f"DER:30:{len(der) // 2 + 2:02x}:82:{length}:" + ":".join(der[i : i + 2] for i in range(0, len(der), 2))
    one = lab.make("nul", root, ext=[f"2.5.29.17={whole}"])
    assert not named(lab, one, "gw.example.net")
    assert named(lab, one, "CN=nul,O=Example")


def test_a_subject_that_is_cut_is_no_name(lab: Lab, gateway: Member) -> None:
    """CVE-2013-6075: a DN shorter than that of the certificate once matched it."""
    whole = names.subject(gateway.certificate)
    for length in range(1, len(whole)):
        assert not named(lab, gateway, Identity(IdType.DER_ASN1_DN, whole[:length]))


def test_a_certificate_without_a_subject_is_known_by_its_alternative_names(lab: Lab, root: Member) -> None:
    bare = lab.make("bare", root, dn=(), alt=["DNS.1=gw.example.net"])
    assert names.subject(bare.certificate) == b"0\0"
    assert named(lab, bare, "gw.example.net")
    assert not named(lab, bare, Identity(IdType.DER_ASN1_DN, b"0\0"))


def test_whoever_has_a_good_certificate_is_nobody_else(lab: Lab, root: Member, sub: Member, gateway: Member) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        prove(trusted(root), "victim.example.net", gateway, sub)
    found = caught.value.finding
    assert isinstance(found, OtherCertificate)
    said = say(found)
    assert "calls itself victim.example.net (FQDN), which stands in no certificate that it sent" in said
    assert "CN=gateway,O=Example, issued by CN=sub,O=Example, valid from" in said
    assert "gw.example.net (FQDN), 192.0.2.1 (IPV4_ADDR), gw@example.net (USER_FQDN)" in said


def test_who_sends_none_and_is_not_known_is_told_so(root: Member) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        anchored(trusted(root), Identity.parse("gw.example.net"), (), NOW)
    assert isinstance(caught.value.finding, NoCertificate)
    assert "it sent none" in say(caught.value.finding)
