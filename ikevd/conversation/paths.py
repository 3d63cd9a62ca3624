"""What the ports of a datagram mean for the path of its exchange."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.errors import UnexpectedMessage
from ikevd.exchanges.link import Receive, Situation
from ikevd.exchanges.moves import check_ports
from ikevd.wire.registry import ExchangeType


def moves(situation: Situation, kind: ExchangeType, path: Path, awaited: Receive | None) -> bool:
    """Is `path` the peer's from here on, if the message is accepted? Raises `UnexpectedMessage` where it cannot be.

    An Informational message is heard by whatever port it comes, and moves nothing where no NAT explains the port (RFC
    3947 section 4). Of what is `awaited` by any port the exchange itself judges.
    """
    if awaited is not None and awaited.any_port:
        return True
    try:
        _check(situation, path)
    except UnexpectedMessage:
        if kind == ExchangeType.INFORMATIONAL:
            return False
        raise
    return True


def for_repetition(situation: Situation, path: Path) -> Path:
    """Where a repetition that came by `path` is answered. It moves nothing; but behind a NAT it may be the genuine
    message, which a copy from another port overtook."""
    try:
        _check(situation, path)
    except UnexpectedMessage:
        return situation.path
    return path


def _check(situation: Situation, path: Path) -> None:
    check_ports(situation.path, path, situation.nat, situation.nat_port, must_float=situation.must_float)
