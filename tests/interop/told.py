"""What `ikevd status` tells of the one connection of a test, and of its one child."""

from __future__ import annotations

from typing import Any

from tests.eventually import eventually
from tests.interop.daemon import Ikevd


def connection(ikevd: Ikevd) -> dict[str, Any]:
    (found,) = ikevd.status()["connections"]
    return dict(found)


def child(ikevd: Ikevd) -> dict[str, Any]:
    (found,) = connection(ikevd)["children"]
    return dict(found)


def state(ikevd: Ikevd) -> str:
    return str(child(ikevd)["state"])


def is_up(ikevd: Ikevd) -> None:
    """Or soon will be."""
    eventually(lambda: state(ikevd), lambda seen: seen == "up")


def cause(ikevd: Ikevd) -> str:
    """Why the child was down last."""
    return str(child(ikevd)["last_cause"])


def cookies(ikevd: Ikevd) -> list[str]:
    """Of the ISAKMP SAs, oldest first."""
    return [isakmp["cookies"] for isakmp in connection(ikevd)["isakmp"]]


def pairs(ikevd: Ikevd) -> list[dict[str, Any]]:
    """Of IPsec SAs, oldest first."""
    return [dict(pair) for pair in child(ikevd)["sas"]]


def newest(ikevd: Ikevd) -> dict[str, Any]:
    return pairs(ikevd)[-1]
