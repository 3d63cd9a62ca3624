"""The path to a CA: what is accepted and what is refused, by ikevd and by `openssl verify` alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ikevd.certificate_findings import CertificateRefused, Check
from ikevd.errors import AuthenticationFailed
from ikevd.observe.words import say
from tests.pki.lab import CA, DAYS, END, GATEWAY, NOW, Lab, Member, openssl_agrees, prove, trusted

NAMED = [f"DNS.1={GATEWAY}"]
EXPIRED = NOW + timedelta(days=DAYS + 1)
NOT_YET = NOW - timedelta(days=1)
IN_1970 = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


def refusal(
    anchor: Member, *came: Member, claimed: str = GATEWAY, now: datetime = NOW, weak: bool = False
) -> CertificateRefused:
    with pytest.raises(AuthenticationFailed) as caught:
        prove(trusted(anchor, allow_weak=weak), claimed, *came, now=now)
    assert isinstance(caught.value.finding, CertificateRefused)
    return caught.value.finding


def test_a_path_of_three_levels_proves_the_key_of_the_end_entity(root: Member, sub: Member, gateway: Member) -> None:
    found = prove(trusted(root), GATEWAY, gateway, sub)
    assert found.key == gateway.certificate.public_key()
    assert found.path == (gateway.certificate, sub.certificate, root.certificate)
    assert openssl_agrees(root, gateway, sub)


def test_certificates_may_come_in_any_order_with_the_root_and_others_among_them(
    lab: Lab, root: Member, sub: Member, gateway: Member
) -> None:
    stranger = lab.make("stranger", ext=CA)
    assert prove(trusted(root), GATEWAY, stranger, root, sub, gateway).certificate == gateway.certificate


def test_an_intermediate_that_stands_in_a_file_need_not_be_sent(root: Member, sub: Member, gateway: Member) -> None:
    assert prove(trusted(root, known=(sub.certificate,)), GATEWAY, gateway).path[1] == sub.certificate


def test_an_intermediate_ca_may_be_the_one_that_is_trusted(sub: Member, gateway: Member) -> None:
    assert prove(trusted(sub), GATEWAY, gateway).path == (gateway.certificate, sub.certificate)


def test_the_very_certificate_of_the_peer_may_be_the_one_that_is_trusted(gateway: Member) -> None:
    assert prove(trusted(gateway), GATEWAY).path == (gateway.certificate,)


def test_without_its_intermediate_the_path_ends_nowhere(root: Member, gateway: Member) -> None:
    assert refusal(root, gateway).check is Check.ANCHOR
    assert not openssl_agrees(root, gateway)


def test_a_certificate_of_another_ca_is_refused(lab: Lab, root: Member) -> None:
    other = lab.make("other", ext=CA)
    theirs = lab.make("theirs", other, alt=NAMED)
    assert refusal(root, theirs, other).check is Check.ANCHOR
    assert not openssl_agrees(root, theirs, other)


def test_another_ca_that_took_the_name_of_ours_has_issued_nothing(lab: Lab, root: Member) -> None:
    pretender = lab.make("pretender", dn=["O=Example", "CN=root"], ext=CA)
    theirs = lab.make("victim", pretender, alt=NAMED)
    assert refusal(root, theirs, pretender).check in (Check.ANCHOR, Check.SIGNATURE)
    assert not openssl_agrees(root, theirs, pretender)


def test_a_ca_with_a_new_key_under_its_old_name_is_found_beside_the_old_one(lab: Lab, root: Member) -> None:
    renewed = lab.make("renewed", dn=["O=Example", "CN=root"], ext=CA)
    below = lab.make("below-renewed", renewed, alt=NAMED)
    assert prove(trusted(root, renewed), GATEWAY, below).path[1] == renewed.certificate


def test_one_that_has_expired_is_refused(root: Member, sub: Member, gateway: Member) -> None:
    assert refusal(root, gateway, sub, now=EXPIRED).check is Check.EXPIRED
    assert not openssl_agrees(root, gateway, sub, now=EXPIRED)


def test_one_that_is_not_valid_yet_is_refused(root: Member, sub: Member, gateway: Member) -> None:
    assert refusal(root, gateway, sub, now=NOT_YET).check is Check.NOT_YET
    assert not openssl_agrees(root, gateway, sub, now=NOT_YET)


def test_on_a_machine_whose_clock_stands_in_1970_it_is_the_clock_that_is_told(
    root: Member, sub: Member, gateway: Member
) -> None:
    found = refusal(root, gateway, sub, now=IN_1970)
    assert found.check is Check.NOT_YET
    assert found.clock_fault
    assert "1970-01-01 00:05:00 UTC" in say(found)
    assert "set the clock" in say(found)


def test_a_refusal_names_subject_issuer_validity_check_and_clock(root: Member, sub: Member, gateway: Member) -> None:
    said = say(refusal(root, gateway, sub, now=EXPIRED))
    for part in (
        "CN=root,O=Example",
        "valid from",
        f"to {gateway.certificate.not_valid_after_utc:%Y-%m-%d}",
        "it has expired",
    ):
        assert part in said, said
    assert f"the clock of this machine says {EXPIRED:%Y-%m-%d %H:%M:%S} UTC" in said


def test_an_end_entity_issues_nothing(lab: Lab, root: Member, sub: Member, gateway: Member) -> None:
    forged = lab.make("forged", gateway, alt=["DNS.1=victim.example.net"])
    found = refusal(root, forged, gateway, sub, claimed="victim.example.net")
    assert found.check in (Check.NOT_A_CA, Check.CA_KEY_USAGE)
    assert not openssl_agrees(root, forged, gateway, sub)


def test_key_usage_alone_makes_no_ca(lab: Lab, root: Member) -> None:
    """OpenSSL would take it, for CAs of before 1999."""
    half = lab.make("half", root, ext=["keyUsage=keyCertSign"])
    below = lab.make("below-half", half, alt=NAMED)
    assert refusal(root, below, half).check is Check.NOT_A_CA


def test_a_ca_whose_key_may_not_sign_certificates_issues_none(lab: Lab, root: Member) -> None:
    mute = lab.make("mute", root, ext=["basicConstraints=CA:TRUE", "keyUsage=digitalSignature"])
    below = lab.make("below-mute", mute, alt=NAMED)
    assert refusal(root, below, mute).check in (Check.CA_KEY_USAGE, Check.NOT_A_CA)
    assert not openssl_agrees(root, below, mute)


def test_no_more_cas_than_the_path_length_allows(lab: Lab, root: Member) -> None:
    last = lab.make("last", root, ext=["basicConstraints=critical,CA:TRUE,pathlen:0", CA[1]])
    beyond = lab.make("beyond", last, ext=CA)
    below = lab.make("below-beyond", beyond, alt=NAMED)
    assert refusal(root, below, beyond, last).check is Check.PATH_LENGTH
    assert not openssl_agrees(root, below, beyond, last)


def test_a_path_is_no_longer_than_eight_certificates(lab: Lab, root: Member) -> None:
    chain = [root]
    for number in range(7):
        chain.append(lab.make(f"level{number}", chain[-1], ext=CA))
    fits = lab.make("fits", chain[6], alt=NAMED)
    deep = lab.make("deep", chain[7], alt=NAMED)
    assert len(prove(trusted(root), GATEWAY, fits, *chain[1:7]).path) == 8
    assert refusal(root, deep, *chain[1:]).check is Check.DEPTH


def test_a_name_that_a_ca_may_not_issue_is_refused(lab: Lab, root: Member) -> None:
    bound = lab.make("bound", root, ext=[*CA, "nameConstraints=critical,permitted;DNS:example.org"])
    below = lab.make("below-bound", bound, alt=NAMED)
    assert refusal(root, below, bound).check is Check.NAME_CONSTRAINTS
    assert not openssl_agrees(root, below, bound)


def test_a_critical_extension_that_nobody_knows_is_refused(lab: Lab, root: Member) -> None:
    odd = lab.make("odd", root, ext=[*END, "1.2.3.4=critical,DER:0500"], alt=NAMED)
    assert refusal(root, odd).check is Check.CRITICAL
    assert not openssl_agrees(root, odd)


@pytest.mark.parametrize("usage", ["keyEncipherment", "keyAgreement", "critical,keyCertSign"])
def test_a_key_that_may_not_sign_proves_nothing(lab: Lab, root: Member, usage: str) -> None:
    one = lab.make(f"usage-{usage}", root, ext=[f"keyUsage={usage}"], alt=NAMED)
    assert refusal(root, one).check is Check.KEY_USAGE


@pytest.mark.parametrize("ext", [[], ["keyUsage=nonRepudiation"], ["keyUsage=digitalSignature,keyEncipherment"]])
def test_key_usage_may_be_absent_or_nonrepudiation(lab: Lab, root: Member, ext: list[str]) -> None:
    assert prove(trusted(root), GATEWAY, lab.make(f"may{len(str(ext))}", root, ext=ext, alt=NAMED))


@pytest.mark.parametrize(
    "usage",
    [
        "serverAuth",
        "clientAuth",
        "ipsecIKE",
        "anyExtendedKeyUsage",
        "1.3.6.1.5.5.8.2.2",
        "ipsecTunnel",
        "emailProtection,ipsecIKE",
    ],
)
def test_extended_key_usage_is_taken_as_others_take_it(lab: Lab, root: Member, usage: str) -> None:
    assert prove(trusted(root), GATEWAY, lab.make(f"eku-{usage}", root, ext=[f"extendedKeyUsage={usage}"], alt=NAMED))


def test_a_certificate_for_something_else_is_refused(lab: Lab, root: Member) -> None:
    signer = lab.make("signer", root, ext=["extendedKeyUsage=codeSigning"], alt=NAMED)
    assert refusal(root, signer).check is Check.EXTENDED_KEY_USAGE


def test_sha_1_below_a_certificate_is_accepted_only_where_weak_ones_are_allowed(lab: Lab, root: Member) -> None:
    old = lab.make("old", root, md="sha1", alt=NAMED)
    found = refusal(root, old)
    assert (found.check, found.detail) == (Check.WEAK_SIGNATURE, "SHA-1")
    assert prove(trusted(root, allow_weak=True), GATEWAY, old)


def test_sha_1_below_an_intermediate_counts_too_and_that_below_the_root_does_not(lab: Lab, root: Member) -> None:
    sub_1 = lab.make("sub-sha1", root, md="sha1", ext=CA)
    below = lab.make("below-sub-sha1", sub_1, alt=NAMED)
    assert refusal(root, below, sub_1).check is Check.WEAK_SIGNATURE
    root_1 = lab.make("root-sha1", md="sha1", ext=CA)
    assert prove(trusted(root_1), GATEWAY, lab.make("below-root-sha1", root_1, alt=NAMED))


def test_md5_is_never_accepted(lab: Lab) -> None:
    root = lab.make("root-rsa", key="rsa", ext=CA)
    assert refusal(root, lab.make("md5", root, md="md5", alt=NAMED), weak=True).check is Check.WEAK_SIGNATURE


def test_rsa_below_2048_bits_is_accepted_only_where_weak_ones_are_allowed(lab: Lab, root: Member) -> None:
    short = lab.make("short", root, key="rsa1024", alt=NAMED)
    assert refusal(root, short).check is Check.WEAK_KEY
    assert prove(trusted(root, allow_weak=True), GATEWAY, short)


def test_rsa_below_1024_bits_is_never_accepted(lab: Lab, root: Member) -> None:
    assert refusal(root, lab.make("tiny", root, key="rsa768", alt=NAMED), weak=True).check is Check.WEAK_KEY


def test_of_an_old_certificate_and_its_renewal_the_one_that_is_valid_counts(lab: Lab, root: Member) -> None:
    revoked_kind = lab.make("signer2", root, ext=["extendedKeyUsage=codeSigning"], alt=NAMED)
    good = lab.make("renewal", root, alt=NAMED)
    assert prove(trusted(root), GATEWAY, revoked_kind, good).certificate == good.certificate
