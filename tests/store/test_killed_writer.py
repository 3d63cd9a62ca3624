"""A process that writes the store is killed at any moment: what it had written is there, and no half transaction."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.media import InFile
from tests.store.writer import number_found

pytestmark = pytest.mark.long  # starts processes

KILLS = 3
"""Each costs the start of a process."""


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
    kill_often(file, 200)


def test_a_kill_at_each_system_call_of_a_transaction_leaves_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.store.stepped", str(tmp_path)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert re.fullmatch("1{20,}2+", found)
