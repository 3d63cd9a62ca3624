"""Faults that a kernel in memory shall have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operation = Literal[
    "reserve_spi",
    "add_sa",
    "delete_sa",
    "limit_sa",
    "change_ports",
    "move_sa",
    "counters",
    "put_policy",
    "delete_policy",
    "idle_seconds",
    "dump_sas",
    "dump_policies",
]


@dataclass(slots=True)
class _Fault:
    operation: Operation
    code: int
    calls_left: int


class Faults:
    """What shall fail, and when."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []

    def add(self, operation: Operation, code: int, nth: int) -> None:
        """From now on the `nth` call of `operation` fails with the errno `code`."""
        self._faults.append(_Fault(operation, code, nth))

    def met_by(self, operation: Operation) -> int:
        """Called once for each call: the errno with which it fails, or 0."""
        code = 0
        for fault in [fault for fault in self._faults if fault.operation == operation]:
            fault.calls_left -= 1
            if fault.calls_left == 0:
                self._faults.remove(fault)
                code = fault.code
        return code
