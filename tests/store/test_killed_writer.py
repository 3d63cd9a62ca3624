"""A process that writes the store is killed at any moment: what it had written is there, and no half transaction."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import closing

import pytest

from tests.store.media import InFile
from tests.store.writer import CHILDREN, EXCHANGE, transaction

KILLS = 6


def written_until_killed(file: InFile, first: int, dice: random.Random) -> int:
    """The last transaction that the writer told, counted from `first`, or the one before."""
    command = [sys.executable, "-m", "tests.store.writer", str(file.path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(dice.randrange(1, 300))]
        for _ in range(dice.randrange(3000)):
            pass  # somewhere within a transaction
        writer.kill()
        told += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    return told[-1]


def number_found(file: InFile) -> int:
    """That of the transaction which the store holds, all of it."""
    with closing(file.open()) as store:
        (stored,) = store.load()
    number = int(stored.digest)
    expected = transaction(number)
    assert (stored.state.isakmp, stored.state.children) == (expected.isakmp, expected.children)
    assert len(stored.state.children) == CHILDREN
    assert stored.exchanges == {EXCHANGE: expected.exchanges[EXCHANGE]}
    return number


def kill_often(file: InFile, kills: int) -> None:
    dice, first = random.Random(kills), 1
    for _ in range(kills):
        told = written_until_killed(file, first, dice)
        found = number_found(file)
        assert found in (told, told + 1)
        first = found + 1


def test_after_a_kill_the_last_transaction_is_there_and_no_half_one(file: InFile) -> None:
    kill_often(file, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_after_hundreds_of_kills_the_last_transaction_is_there_each_time(file: InFile) -> None:
    kill_often(file, 500)
