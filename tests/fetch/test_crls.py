"""CRLs of an anchored path: fetched once, kept until they are out of date, and judged by their issuer."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikevd.certificate_findings import CertificateRefused, Check
from ikevd.errors import AuthenticationFailed
from ikevd.fetch.crls import AT_ONCE, WAITING, Crls, Fetched
from ikevd.fetch.http import NotFetchedError
from ikevd.observe.words import say
from ikevd.pki.crl_cache import LONGEST, MAX_CRLS, MAX_OCTETS, PAUSE, CrlCache
from ikevd.pki.prove import Anchored, Point, anchored, proven
from ikevd.pki.trust import Revocation, Trust
from ikevd.policy.identity import Identity
from tests.pki.conftest import lab, root
from tests.pki.lab import CA, END, GATEWAY, MADE, NOW, Lab, Member, trusted

__all__ = ["lab", "root"]

URL = "http://crl.example.net/root.crl"


class Web:
    """What stands where; each request takes a moment."""

    def __init__(self) -> None:
        self.pages = dict[str, bytes]()
        self.asked = list[str]()
        self.at_once = self.most = 0

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.at_once -= 1
        if url not in self.pages:
            raise NotFetchedError("the server answers 404")
        return self.pages[url]


class Clock:
    """The clock of this machine."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crls(web: Web, clock: Clock) -> Crls:
    return Crls(clock, web.get)


@pytest.fixture(scope="module")
def leaf(lab: Lab, root: Member) -> Member:
    return lab.make("leaf", root)


@pytest.fixture(scope="module")
def crl(lab: Lab, root: Member) -> x509.CertificateRevocationList:
    return lab.crl(root)


def der(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.DER)


def point(leaf: Member, root: Member, *urls: str) -> Point:
    return Point(leaf.certificate, root.certificate, urls or (URL,))


async def test_one_is_fetched_once_and_kept_until_it_is_out_of_date(
    web: Web, crls: Crls, clock: Clock, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    web.pages[URL] = der(crl)
    for days in (0, 1, LONGEST.days - 1):
        clock.now = NOW + timedelta(days=days)
        assert (await crls.of([point(leaf, root)])).crls == (crl,)
    assert web.asked == [URL]
    clock.now = MADE + timedelta(days=11)
    await crls.of([point(leaf, root)])
    assert len(web.asked) == 2


async def test_pem_is_taken_too(
    web: Web, crls: Crls, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    web.pages[URL] = crl.public_bytes(Encoding.PEM)
    assert await crls.of([point(leaf, root)]) == Fetched((crl,), ())


async def test_many_peers_at_once_cost_one_request(
    web: Web, crls: Crls, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    web.pages[URL] = der(crl)
    found = await asyncio.gather(*(crls.of([point(leaf, root)]) for _ in range(20)))
    assert all(one.crls == (crl,) for one in found)
    assert web.asked == [URL]


async def test_the_second_place_is_asked_where_the_first_has_none(
    web: Web, crls: Crls, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    web.pages[URL] = der(crl)
    found = await crls.of([point(leaf, root, "http://gone.example.net/", URL)])
    assert found.crls == (crl,)
    assert [say(one) for one in found.failures] == ["no CRL from http://gone.example.net/: the server answers 404"]


async def test_a_place_that_gave_none_is_left_in_peace_for_a_minute(
    web: Web, crls: Crls, clock: Clock, leaf: Member, root: Member
) -> None:
    for _ in range(5):
        assert (await crls.of([point(leaf, root)])).failures[0].reason == "the server answers 404"
    assert len(web.asked) == 1
    clock.now += PAUSE
    await crls.of([point(leaf, root)])
    assert len(web.asked) == 2


@pytest.mark.parametrize("page", [b"", b"<html>", b"\x30\x03\x02\x01\x00"])
async def test_what_is_no_crl_is_said(web: Web, crls: Crls, leaf: Member, root: Member, page: bytes) -> None:
    web.pages[URL] = page
    found = await crls.of([point(leaf, root)])
    assert found.crls == ()
    assert found.failures


async def test_a_crl_that_somebody_else_signed_is_asked_for_again_soon(
    web: Web, crls: Crls, clock: Clock, lab: Lab, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    """Whoever stands between us and the server may send one that never ends."""
    pretender = lab.make("pretender", dn=["O=Example", "CN=root"], ext=CA)
    web.pages[URL] = der(lab.crl(pretender, days=3650))
    await crls.of([point(leaf, root)])
    web.pages[URL] = der(crl)
    clock.now += PAUSE
    assert (await crls.of([point(leaf, root)])).crls == (crl,)


async def test_few_are_fetched_at_once_and_no_more_wait_than_a_bound(
    web: Web, crls: Crls, leaf: Member, root: Member
) -> None:
    urls = [f"http://crl.example.net/{number}" for number in range(WAITING + 10)]
    found = await crls.of([point(leaf, root, url) for url in urls])
    assert web.most == AT_ONCE
    reasons = [one.reason for one in found.failures]
    assert reasons.count("too many CRLs are being fetched") == 10


async def test_a_clock_that_was_set_back_keeps_nothing_longer(
    web: Web, crls: Crls, clock: Clock, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    web.pages[URL] = der(crl)
    await crls.of([point(leaf, root)])
    clock.now -= timedelta(minutes=30)
    await crls.of([point(leaf, root)])
    assert len(web.asked) == 2


def test_the_cache_is_bounded_in_number_and_octets(crl: x509.CertificateRevocationList) -> None:
    cache = CrlCache()
    for number in range(MAX_CRLS + 1):
        cache.put(str(number), crl, 1, NOW, current=True)
        cache.failed(str(-number), "no", NOW)
    assert [cache.get([name], NOW) for name in ("0", "1")] == [None, crl]
    cache.put("large", crl, MAX_OCTETS, NOW, current=True)
    assert cache.get(["1"], NOW) is None
    assert cache.get(["large"], NOW) == crl
    cache.put("too large", crl, MAX_OCTETS + 1, NOW, current=True)
    assert cache.get(["too large"], NOW) is None


async def test_after_clear_all_is_fetched_anew(
    web: Web, crls: Crls, leaf: Member, root: Member, crl: x509.CertificateRevocationList
) -> None:
    web.pages[URL] = der(crl)
    await crls.of([point(leaf, root)])
    crls.clear()
    await crls.of([point(leaf, root)])
    assert len(web.asked) == 2


async def test_who_stands_on_the_crl_that_was_fetched_is_refused(web: Web, crls: Crls, lab: Lab, root: Member) -> None:
    """From the certificate that names the place to the refusal."""
    one = lab.make("revoked", root, ext=[*END, f"crlDistributionPoints=URI:{URL}"], alt=[f"DNS.1={GATEWAY}"])
    trust = trusted(root, revocation=Revocation.STRICT)
    (found,) = anchored(trust, Identity.parse(GATEWAY), [one.payload], NOW)
    for revoked, check in (([], None), ([one], Check.REVOKED)):
        crls.clear()
        web.pages[URL] = der(lab.crl(root, revoked))
        fetched = await crls.of(found.points)
        assert judged(trust, found, fetched.crls) is check
    assert judged(trust, found, ()) is Check.NO_CRL


def judged(trust: Trust, found: Anchored, crls: tuple[x509.CertificateRevocationList, ...]) -> Check | None:
    finding = None
    try:
        proven(trust, found, crls, NOW)
    except AuthenticationFailed as error:
        finding = error.finding
    return finding.check if isinstance(finding, CertificateRefused) else None
