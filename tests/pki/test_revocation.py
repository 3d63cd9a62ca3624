"""CRLs, by `openssl ca -gencrl`: whom they refuse under `strict`, `relaxed` and `off`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikevd.certificate_findings import CertificateRefused, Check
from ikevd.errors import AuthenticationFailed
from ikevd.observe.words import say
from ikevd.pki.prove import Anchored, anchored, wants_crls
from ikevd.pki.trust import Revocation
from ikevd.policy.identity import Identity
from ikevd.wire.certificates import CertEncoding, CertPayload
from tests.pki.lab import GATEWAY, MADE, NOW, Lab, Member, openssl_agrees, prove, trusted

CRLs = list[x509.CertificateRevocationList]
STRICT, RELAXED, OFF = Revocation.STRICT, Revocation.RELAXED, Revocation.OFF
STALE = NOW + timedelta(days=20)


@pytest.fixture(scope="module")
def good(lab: Lab, root: Member, sub: Member) -> CRLs:
    return [lab.crl(root), lab.crl(sub)]


@pytest.fixture(scope="module")
def bad(lab: Lab, root: Member, sub: Member, gateway: Member) -> CRLs:
    return [lab.crl(root), lab.crl(sub, [gateway])]


@pytest.fixture
def came(sub: Member, gateway: Member) -> tuple[Member, Member]:
    return gateway, sub


def judged(
    root: Member, came: tuple[Member, ...], crls: CRLs, revocation: Revocation, days: int = 0
) -> CertificateRefused | None:
    """The refusal, or None where the peer is proven."""
    trust, finding = trusted(root, crls=tuple(crls), revocation=revocation), None
    try:
        prove(trust, GATEWAY, *came, now=NOW + timedelta(days=days))
    except AuthenticationFailed as error:
        finding = error.finding
    assert finding is None or isinstance(finding, CertificateRefused)
    return finding


@pytest.mark.parametrize("revocation", Revocation)
def test_who_stands_on_no_crl_is_accepted(
    root: Member, came: tuple[Member, Member], good: CRLs, revocation: Revocation
) -> None:
    assert judged(root, came, good, revocation) is None
    assert openssl_agrees(root, *came, crls=good)


@pytest.mark.parametrize("revocation", [STRICT, RELAXED])
def test_who_stands_on_a_crl_is_refused(
    root: Member, came: tuple[Member, Member], bad: CRLs, revocation: Revocation
) -> None:
    found = judged(root, came, bad, revocation)
    assert found
    assert found.check is Check.REVOKED
    assert "CN=gateway,O=Example" in say(found)
    assert not openssl_agrees(root, *came, crls=bad)


def test_with_revocation_off_no_crl_counts(root: Member, came: tuple[Member, Member], bad: CRLs) -> None:
    assert judged(root, came, bad, OFF) is None


def test_an_intermediate_that_is_revoked_takes_all_below_it_along(
    lab: Lab, root: Member, sub: Member, came: tuple[Member, Member]
) -> None:
    crls = [lab.crl(root, [sub])]
    found = judged(root, came, crls, RELAXED)
    assert found
    assert found.check is Check.REVOKED
    assert found.certificate.subject == "CN=sub,O=Example"


def test_without_a_crl_of_each_issuer_strict_refuses_and_relaxed_accepts(
    root: Member, came: tuple[Member, Member], good: CRLs
) -> None:
    for some in ([], good[:1], good[1:]):
        found = judged(root, came, some, STRICT)
        assert found
        assert found.check is Check.NO_CRL
        assert judged(root, came, some, RELAXED) is None
        if some:
            assert not openssl_agrees(root, *came, crls=some)


def test_a_crl_that_is_out_of_date_is_refused_by_strict_alone(
    root: Member, came: tuple[Member, Member], good: CRLs
) -> None:
    found = judged(root, came, good, STRICT, days=20)
    assert found
    assert found.check is Check.STALE_CRL
    assert judged(root, came, good, RELAXED, days=20) is None
    assert not openssl_agrees(root, *came, crls=good, now=STALE)


def test_who_was_revoked_stays_so_when_the_crl_is_out_of_date(
    root: Member, came: tuple[Member, Member], bad: CRLs
) -> None:
    found = judged(root, came, bad, RELAXED, days=20)
    assert found
    assert found.check is Check.REVOKED


def test_a_crl_that_another_ca_of_that_name_signed_revokes_nobody(
    lab: Lab, root: Member, sub: Member, came: tuple[Member, Member], gateway: Member
) -> None:
    pretender = lab.make("crl-pretender", dn=["O=Example", "CN=sub"], ext=["basicConstraints=CA:TRUE"])
    forged = lab.crl(pretender, [gateway])
    assert judged(root, came, [forged], RELAXED) is None
    found = judged(root, came, [lab.crl(root), forged], STRICT)
    assert found
    assert found.check in (Check.BAD_CRL, Check.NO_CRL)


def test_an_older_crl_that_is_still_current_makes_nobody_good_again(
    lab: Lab, root: Member, sub: Member, came: tuple[Member, Member], gateway: Member
) -> None:
    older = lab.crl(sub, days=40, made=MADE - timedelta(days=1))
    found = judged(root, came, [older, lab.crl(sub, [gateway])], RELAXED, days=20)
    assert found
    assert found.check is Check.REVOKED


@pytest.mark.parametrize("count", [1, 9])
def test_no_forged_crl_hides_the_true_one_however_new_it_is(
    lab: Lab, root: Member, came: tuple[Member, Member], bad: CRLs, count: int
) -> None:
    """Whoever is revoked may send any CRLs along."""
    pretender = lab.make("hiding", dn=["O=Example", "CN=sub"], ext=["basicConstraints=CA:TRUE"])
    newer = [lab.crl(pretender, made=MADE + timedelta(seconds=number + 1)) for number in range(count)]
    payloads = [CertPayload(CertEncoding.CRL, crl.public_bytes(Encoding.DER)) for crl in newer]
    with pytest.raises(AuthenticationFailed) as refused:
        prove(trusted(root, crls=tuple(bad), revocation=RELAXED), GATEWAY, *came, *payloads)
    assert isinstance(refused.value.finding, CertificateRefused)
    assert refused.value.finding.check is Check.REVOKED


def test_the_newest_of_several_crls_counts(lab: Lab, root: Member, sub: Member, gateway: Member) -> None:
    older, newer = lab.crl(sub, made=MADE - timedelta(days=1)), lab.crl(sub, [gateway])
    found = judged(root, (gateway, sub), [older, newer], RELAXED)
    assert found
    assert found.check is Check.REVOKED


def test_a_crl_may_come_from_the_peer_or_be_fetched(
    root: Member, came: tuple[Member, Member], good: CRLs, bad: CRLs
) -> None:
    trust = trusted(root, revocation=STRICT)
    payloads = [CertPayload(CertEncoding.CRL, crl.public_bytes(Encoding.DER)) for crl in good]
    assert prove(trust, GATEWAY, *came, *payloads)
    assert prove(trust, GATEWAY, *came, fetched=good)
    with pytest.raises(AuthenticationFailed):
        prove(trust, GATEWAY, *came, *payloads[:1], fetched=bad[1:])


def anchor(root: Member, *came: Member) -> Anchored:
    return anchored(trusted(root), Identity.parse(GATEWAY), [one.payload for one in came], NOW)[0]


def test_urls_are_those_of_an_anchored_path_by_http_alone(lab: Lab, root: Member) -> None:
    points = [f"URI:{url}" for url in ("http://crl.example.net/1", "ldap://crl.example.net/2", "file:///etc/passwd")]
    points += ["URI:https://crl.example.net/4", "URI:HTTP://crl.example.net/5"]
    one = lab.make("points", root, ext=[f"crlDistributionPoints={','.join(points)}"], alt=[f"DNS.1={GATEWAY}"])
    found = anchor(root, one)
    (point,) = found.points
    assert point.urls == ("http://crl.example.net/1", "HTTP://crl.example.net/5")
    assert (point.certificate, point.issuer) == (one.certificate, root.certificate)
    assert wants_crls(trusted(root, revocation=RELAXED), found)
    assert not wants_crls(trusted(root, revocation=OFF), found)


def test_of_a_path_that_leads_nowhere_no_url_is_known(lab: Lab, root: Member) -> None:
    """CVE-2022-40617: strongSwan fetched what untrusted certificates named."""
    stranger = lab.make("url-stranger", ext=["basicConstraints=CA:TRUE"])
    one = lab.make("url", stranger, ext=["crlDistributionPoints=URI:http://x/"], alt=[f"DNS.1={GATEWAY}"])
    with pytest.raises(AuthenticationFailed):
        anchor(root, one, stranger)


def test_what_is_trusted_is_compared_and_hashed_with_its_crls(root: Member, good: CRLs) -> None:
    """As parts of a connection are."""
    one, same, other = (trusted(root, crls=tuple(crls)) for crls in (good, list(good), good[:1]))
    assert (one == same, hash(one) == hash(same), one == other) == (True, True, False)
