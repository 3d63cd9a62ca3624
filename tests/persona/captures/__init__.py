"""The captured sessions that the persona is made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from ikevd.addresses import Endpoint


@dataclass(frozen=True)
class Captured:
    """One UDP datagram."""

    source: Endpoint
    destination: Endpoint
    octets: bytes


@cache
def session(name: str) -> tuple[Captured, ...]:
    """All messages of `ios-2008` or `ios-2015`, in order."""
    lines = Path(__file__).with_name(f"{name}.txt").read_text().splitlines()
    fields = [line.split() for line in lines if not line.startswith("#")]
    return tuple(Captured(_endpoint(a), _endpoint(b), bytes.fromhex(text)) for a, b, text in fields)


def _endpoint(text: str) -> Endpoint:
    address, port = text.split(":")
    return Endpoint(ip_address(address), int(port))
