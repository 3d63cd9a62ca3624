"""A process that writes one transaction after the other into a store, and tells each, until it is killed.

Run as `python -m tests.store.writer FILE FIRST`.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ikevd.crypto.secret import Secret
from ikevd.store.interface import Changes, ExchangeKey
from ikevd.store.opening import open_store
from tests.store.media import HERE, InFile
from tests.store.records import COOKIES, KEY, child_state, exchange_state, isakmp_state

CHILDREN = 12
EXCHANGE = ExchangeKey(COOKIES, 1)


def transaction(number: int) -> Changes:
    """Rows of every table, on several pages of the file; each bears the number."""
    children = {f"child {n}": replace(child_state(), failures=number) for n in range(CHILDREN)}
    return Changes(
        KEY,
        isakmp={COOKIES: replace(isakmp_state(), expires=float(number))},
        children=children,
        exchanges={EXCHANGE: exchange_state(str(number).encode() * (1 + number % 700))},
        digest=Secret(str(number).encode()),
    )


def number_found(file: InFile) -> int:
    """That of the transaction which the store holds, all of it."""
    with closing(file.open()) as store:
        (stored,) = store.load()
    number = int(stored.digest.reveal()) if stored.digest else 0
    expected = transaction(number)
    assert (stored.state.isakmp, stored.state.children) == (expected.isakmp, expected.children)
    assert len(stored.state.children) == CHILDREN
    assert stored.exchanges == {EXCHANGE: expected.exchanges[EXCHANGE]}
    return number


def main(path: Path, first: int) -> None:
    store = open_store(path, HERE, "1.2.3", on_disk=True).store
    number = first
    while store.put(transaction(number)) is None:
        os.write(1, b"%d\n" % number)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
