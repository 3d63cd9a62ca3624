"""What the messages of an exchange are called."""

from __future__ import annotations

from functools import lru_cache

from ikevd.wire.registry import ExchangeType

LABELS = {
    ExchangeType.MAIN_MODE: "MM",
    ExchangeType.AGGRESSIVE: "AM",
    ExchangeType.QUICK_MODE: "QM",
    ExchangeType.INFORMATIONAL: "INFO",
}


@lru_cache(maxsize=64)
def label(kind: ExchangeType, number: int) -> str:
    """MM1 to MM6, AM1 to AM3, QM1 to QM3, INFO: one string for all records."""
    prefix = LABELS.get(kind, str(kind))
    return prefix if kind == ExchangeType.INFORMATIONAL else f"{prefix}{number}"
