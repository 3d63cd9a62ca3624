"""Certificates of the field: Openswan and a Juniper SRX of 2012, from a capture whose key is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ikevd.certificate_findings import CertificateRefused, Check
from ikevd.errors import AuthenticationFailed
from ikevd.pki.prove import anchored, proven
from ikevd.pki.received import read_untrusted
from ikevd.pki.trust import Trust
from ikevd.policy.identity import Identity
from ikevd.wire.certificates import CertPayload
from ikevd.wire.payloads import IdPayload
from ikevd.wire.registry import PayloadType
from tests.crypto.test_captures import CERTS, decrypt, read_messages, session_of

THEN = datetime(2013, 6, 1, tzinfo=UTC)
OPENSWAN, JUNIPER = 5, 6
"""Frames: message 5 and message 6."""


def sent(testdata: Path, frame: int) -> tuple[Identity, CertPayload]:
    chain = dict(decrypt(session_of(testdata, "file", CERTS), read_messages(testdata, CERTS), None)[frame])
    identity = Identity.from_payload(IdPayload.decode(chain[PayloadType.ID]))
    return identity, CertPayload.decode(chain[PayloadType.CERT])


def trust(payload: CertPayload, *, weak: bool) -> Trust:
    """Their CA is not in the capture, so the certificate itself is trusted."""
    return Trust(read_untrusted([payload]).certificates, allow_weak=weak)


@pytest.mark.parametrize(("frame", "name"), [(OPENSWAN, "192.168.12.118"), (JUNIPER, "172.16.1.103")])
def test_the_address_that_they_call_themselves_stands_in_their_certificate(
    testdata: Path, frame: int, name: str
) -> None:
    claimed, payload = sent(testdata, frame)
    assert str(claimed) == name
    (found,) = anchored(trust(payload, weak=True), claimed, [payload], THEN)
    assert proven(trust(payload, weak=True), found, (), THEN).certificate == found.path[0]


def test_a_key_of_1024_bits_as_openswan_had_it_is_refused_unless_weak_ones_are_allowed(testdata: Path) -> None:
    claimed, payload = sent(testdata, OPENSWAN)
    with pytest.raises(AuthenticationFailed) as caught:
        anchored(trust(payload, weak=False), claimed, [payload], THEN)
    assert isinstance(caught.value.finding, CertificateRefused)
    assert caught.value.finding.check is Check.WEAK_KEY


def test_neither_certificate_proves_the_other_one(testdata: Path) -> None:
    claimed, _ = sent(testdata, OPENSWAN)
    _, payload = sent(testdata, JUNIPER)
    with pytest.raises(AuthenticationFailed):
        anchored(trust(payload, weak=True), claimed, [payload], THEN)
