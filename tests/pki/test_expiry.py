"""How long certificates are still valid, and what `ikevd check` says of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ikevd.pki.expiry import doubts, expiries
from tests.pki.lab import DAYS, NOW, Member, openssl


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (0, []),
        (DAYS - 31, []),
        (DAYS - 29, ["expires in 28 days, on"]),
        (DAYS - 2, ["expires in a day, on"]),
        (DAYS - 1, ["expires in less than a day, on"]),
        (DAYS, ["has expired on"]),
        (-1, ["is valid from"]),
    ],
)
def test_check_tells_of_a_certificate_that_ends_soon(root: Member, later: int, said: list[str]) -> None:
    found = doubts([root.certificate], NOW + timedelta(days=later))
    assert len(found) == len(said)
    assert all(part in one and "CN=root,O=Example" in one for one, part in zip(found, said, strict=True))


@pytest.mark.parametrize("days", [1, 20, 99, 101])
def test_openssl_counts_the_same_days(root: Member, days: int) -> None:
    """`-checkend` counts from the machine's clock, so an hour before `NOW`."""
    (found,) = expiries([root.certificate], NOW - timedelta(hours=1))
    ends = openssl_ends(root, days * 86_400)
    assert ends == (found.days < days)


def openssl_ends(member: Member, seconds: int) -> bool:
    try:
        openssl("x509", "-in", member.file, "-noout", "-checkend", seconds)
    except AssertionError:
        return True
    return False


def test_the_one_that_ends_first_comes_first(root: Member, sub: Member, gateway: Member) -> None:
    found = expiries([root.certificate, gateway.certificate, sub.certificate], NOW)
    assert [one.not_after for one in found] == sorted(one.not_after for one in found)
