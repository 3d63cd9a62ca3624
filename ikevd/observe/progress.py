"""How far a phase 1 came, with the names that Cisco's commands give to that point.

IOS falls back to MM_NO_STATE after any failure, so what tells the cause is the *furthest* point: that is what is kept.
"""

from __future__ import annotations

from ikevd.errors import Finding
from ikevd.facts import Established, Failed, Heard, Sent
from ikevd.frozen import frozen
from ikevd.observe.history import Record
from ikevd.observe.vendors import message_number
from ikevd.wire.registry import ExchangeType


@frozen
class CiscoState:
    """One point of phase 1 as `show crypto isakmp sa` prints it."""

    ios: str
    asa: str


@frozen
class Progress:
    """The state of a phase 1 from its record."""

    outcome: str
    """`negotiating`, `established` or `failed`."""
    furthest: str
    """The last message of the exchange, as `MM5 sent`, or `nothing sent`."""
    cisco: CiscoState
    cause: Finding | None
    """Why it failed."""
    at: float
    """Unix time of the last fact."""


NO_STATE = CiscoState("-", "-")
READY = {
    ExchangeType.MAIN_MODE: CiscoState("QM_IDLE", "MM_ACTIVE"),
    ExchangeType.AGGRESSIVE: CiscoState("QM_IDLE", "AM_ACTIVE"),
}
# What IOS calls the time after message n of the exchange.
_IOS = {
    ExchangeType.MAIN_MODE: (
        "MM_NO_STATE",
        "MM_NO_STATE",
        "MM_SA_SETUP",
        "MM_SA_SETUP",
        "MM_KEY_EXCH",
        "MM_KEY_EXCH",
        "MM_KEY_AUTH",
    ),
    ExchangeType.AGGRESSIVE: ("AG_NO_STATE", "AG_NO_STATE", "AG_INIT_EXCH", "AG_AUTH"),
}


def ready(exchange: ExchangeType) -> CiscoState:
    """An established ISAKMP SA."""
    return READY.get(exchange, NO_STATE)


def progress_of(record: Record) -> Progress:
    """How far the phase 1 of `record` came."""
    count, sent, outcome, cause = 0, True, "negotiating", None
    furthest = "nothing sent"
    entries = record.entries
    for entry in entries:
        match entry.fact:
            case Sent(label=label) if number := message_number(label):
                count, sent, furthest = number, True, f"{label} sent"
            case Heard(label=label) if number := message_number(label):
                count, sent, furthest = number, False, f"{label} received"
            case Established():
                outcome, cause = "established", None
            case Failed(finding=found) if outcome != "established":
                outcome, cause = "failed", found
    cisco = ready(record.kind) if outcome == "established" else at_message(record.kind, count, sent=sent)
    at = entries[-1].at if entries else record.started
    return Progress(outcome, furthest, cisco, cause, at)


def at_message(exchange: ExchangeType, count: int, *, sent: bool) -> CiscoState:
    """When message `count` was the last one, sent or received by this side; 0 before the first."""
    names = _IOS.get(exchange)
    if names is None:
        return NO_STATE
    prefix = "MM" if exchange == ExchangeType.MAIN_MODE else "AM"
    awaited = count + 1 if sent else count
    last = len(names) - 1
    return CiscoState(names[min(count, last)], f"{prefix}_WAIT_MSG{min(awaited, last)}")
