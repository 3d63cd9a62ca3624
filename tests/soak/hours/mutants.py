"""Leaks and mutants of ikevd, one at a time, which these lives must catch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ikevd.frozen import replace
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.exchanges import Exchanges
from ikevd.negotiation.work import Work
from ikevd.peer import deletes, desired, pairs, rekey
from ikevd.peer.child_state import PairState
from ikevd.store.memory import MemoryStore
from tests.mutant import Mutant

NEVER = 1e9


def _nothing(_: Any) -> Any:
    """It does nothing any more."""
    return lambda *args, **named: None


def _stays(left: Any) -> Any:
    def stays(standing: tuple[PairState, ...], now: float) -> Iterator[PairState]:
        for pair in left(standing, now):
            yield pair if pair.leave_at is None else replace(pair, delete_at=None, leave_at=NEVER)

    return stays


def _now_and_then(remove: Any) -> Any:
    """Each fifth SA stays in the kernel, which says that it is gone."""
    calls = iter(range(10**9))

    async def leaky(kernel: MemoryKernel, sa: Any) -> None:
        if next(calls) % 5:
            await remove(kernel, sa)

    return leaky


def _lazily(put: Any) -> Any:
    """Each twentieth transaction is lost."""
    calls = iter(range(10**9))
    return lambda store, *changes: put(store, *changes) if next(calls) % 20 else None


def _kept(_: Any) -> Any:
    def never(exchanges: Exchanges, work: Work) -> None:
        work.forget_at = NEVER

    return never


def _stuck(put: Any) -> Any:
    """What is due never is not taken off."""
    return lambda agenda, key, when: None if when is None else put(agenda, key, when)


MUTANTS = (
    Mutant("a pair that was replaced stays", rekey, "_left", _stays),
    Mutant("an SA stays in the kernel", MemoryKernel, "delete_sa", _now_and_then),
    Mutant("an exchange that has ended is never forgotten", Exchanges, "_ended", _kept),
    Mutant("a transaction is lost", MemoryStore, "put", _lazily),
    Mutant("a time stays on the agenda", Agenda, "set", _stuck),
    Mutant("Deletes are not heard", pairs, "deleted", _nothing),
    Mutant("Deletes are not said", deletes, "_say", _nothing),
    Mutant("what we send leaves by the oldest pair", desired, "sending", lambda _: _oldest),
)


def _oldest(state: Any) -> Any:
    return next((pair.sa for pair in state.pairs if pair.half is desired.BOTH), None)
