"""The store in memory: where a test kills the process that writes."""

import pytest

from ikevd.store.difference import difference
from ikevd.store.interface import Changes
from ikevd.store.memory import Disk, Kill, Killed, MemoryStore
from tests.plugins.secrets import shows_secret
from tests.store.records import KEY, child_state, peer_state

FIRST, SECOND = difference(None, peer_state()), Changes(KEY, gone_children=("lan",))


def children_after(kill: Kill) -> set[str]:
    """What a process leaves that is killed there."""
    disk = Disk()
    store = MemoryStore(disk, kill)
    with pytest.raises(Killed):
        put_both(store)
    return {name for stored in MemoryStore(disk).load() for name in stored.state.children}


def put_both(store: MemoryStore) -> None:
    for changes in (FIRST, SECOND):
        store.put(changes)


def test_a_kill_before_a_write_leaves_what_was_there() -> None:
    assert children_after(Kill(1, written=False)) == set()
    assert children_after(Kill(2, written=False)) == {"lan", "voice"}


def test_a_kill_after_a_write_leaves_what_was_written() -> None:
    assert children_after(Kill(1, written=True)) == {"lan", "voice"}
    assert children_after(Kill(2, written=True)) == {"voice"}


def test_a_killed_process_writes_nothing_more() -> None:
    store = MemoryStore(kill=Kill(1, written=False))
    for _ in range(2):
        with pytest.raises(Killed):
            store.put(FIRST)
    assert store.killed
    assert list(store.load()) == []


def test_transactions_are_counted_so_that_each_can_be_killed() -> None:
    store = MemoryStore()
    store.put(FIRST)
    store.put(Changes(KEY))
    store.put(SECOND)
    assert store.transactions == 2


def test_neither_the_changes_nor_the_medium_show_a_key() -> None:
    disk = Disk()
    store = MemoryStore(disk)
    changes = Changes(KEY, children={"lan": child_state()}, isakmp=peer_state().isakmp)
    store.put(changes)
    assert not shows_secret(f"{changes!r} {disk!r} {store!r} {list(store.load())!r}")
