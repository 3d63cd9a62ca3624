"""What a process that starts finds in the runtime folder, what it believes of it, and what it says."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ikevd.peer.state import PeerState
from ikevd.store.about import FORMAT, Format, Found, Place
from ikevd.store.difference import difference
from ikevd.store.interface import Changes, ExchangeKey
from ikevd.store.opening import Opened, open_store
from ikevd.store.scalars import Unreadable
from tests.plugins.secrets import shows_secret
from tests.store.media import HERE, InFile, no_file_grows
from tests.store.records import COOKIES, KEY, child_state, exchange_state, gates, peer_state


def opened(file: InFile, here: Place = HERE, format: Format = FORMAT) -> tuple[Opened, list[PeerState]]:
    """As a process does that starts and ends again."""
    found = open_store(file.path, here, "1.2.3", format, on_disk=True)
    with closing(found.store) as store:
        return found, [stored.state for stored in store.load()]


def write(file: InFile) -> None:
    """One peer, by a process that has ended."""
    with closing(file.open()) as store:
        store.put(difference(None, peer_state()))


def test_where_nothing_is_there_nothing_is_said(file: InFile) -> None:
    found, peers = opened(file)
    assert (found.found, found.said, peers) == (Found.NOTHING, None, [])


def test_peers_of_this_boot_and_namespace_are_there_without_a_word(file: InFile) -> None:
    write(file)
    found, peers = opened(file)
    assert (found.found, found.said, peers) == (Found.PEERS, None, [peer_state()])


# -- another place ----------------------------------------------------------------------------------------------------


def test_what_was_stored_before_the_machine_started_is_dropped(file: InFile) -> None:
    write(file)
    found, peers = opened(file, replace(HERE, boot="the next boot"))
    assert (found.found, peers) == (Found.OTHER_BOOT, [])
    assert found.said == f"what the store {file.path} held is dropped: it is older than this machine's start"
    assert opened(file)[0].found is Found.OTHER_BOOT


def test_where_the_boot_id_cannot_be_read_nothing_stored_is_believed(file: InFile) -> None:
    write(file)
    for _ in range(2):
        found, peers = opened(file, replace(HERE, boot=None))
        assert (found.found, peers) == (Found.OTHER_BOOT, [])
        assert "boot_id cannot be read" in (found.said or "")


def test_in_a_new_network_namespace_the_peers_are_there_and_it_is_said(file: InFile) -> None:
    write(file)
    there = replace(HERE, namespace=4712)
    found, peers = opened(file, there)
    assert (found.found, peers) == (Found.OTHER_NAMESPACE, [peer_state()])
    assert found.said == (
        f"the store {file.path}: its peers are of another network namespace, where their IPsec SAs stayed"
    )
    assert opened(file, there)[0].found is Found.PEERS


@pytest.mark.parametrize(("first", "then"), [(None, 4711), (4711, None), (None, None)])
def test_a_kernel_that_has_no_cookie_for_namespaces_hinders_nothing(
    file: InFile, first: int | None, then: int | None
) -> None:
    open_store(file.path, replace(HERE, namespace=first), "1.2.3", on_disk=True).store.close()
    assert opened(file, replace(HERE, namespace=then))[0].found is Found.PEERS


# -- another version --------------------------------------------------------------------------------------------------


def as_format(file: InFile, number: int, oldest_reader: int) -> None:
    """Written by another ikevd."""
    file.execute(f"UPDATE about SET format = {number}, oldest_reader = {oldest_reader}, version = '9.9'")  # noqa: S608


def rename_desired(connection: sqlite3.Connection) -> None:
    """From a format 0 that never was, in which a child was `desired`."""
    connection.execute("""UPDATE child SET record = CAST(replace(record, '"desired"', '"wanted"') AS BLOB)""")


def write_format_0(file: InFile) -> None:
    write(file)
    file.execute("""UPDATE child SET record = CAST(replace(record, '"wanted"', '"desired"') AS BLOB)""")
    as_format(file, 0, 0)


def test_an_older_format_is_migrated_and_it_is_said(file: InFile) -> None:
    write_format_0(file)
    found, peers = opened(file, format=Format(1, 1, {0: rename_desired}))
    assert (found.found, peers) == (Found.PEERS, [peer_state()])
    assert found.said == f"the store {file.path}: it had format 0 of ikevd 9.9 and now has format 1"
    again, peers = opened(file)
    assert (again.said, peers) == (None, [peer_state()])


def test_a_process_that_dies_while_it_migrates_leaves_the_older_format(file: InFile) -> None:
    def die(connection: sqlite3.Connection) -> None:
        rename_desired(connection)
        raise KeyboardInterrupt

    write_format_0(file)
    with pytest.raises(KeyboardInterrupt):
        opened(file, format=Format(1, 1, {0: die}))
    _, peers = opened(file, format=Format(1, 1, {0: rename_desired}))
    assert peers == [peer_state()]


def test_a_migration_that_cannot_read_what_is_there_gives_the_store_up(file: InFile) -> None:
    def give_up(connection: sqlite3.Connection) -> None:
        raise Unreadable("no such record")

    write_format_0(file)
    found, _ = opened(file, format=Format(1, 1, {0: give_up}))
    assert found.found is Found.UNUSABLE
    assert not file.path.exists()


def test_a_newer_format_that_this_version_can_read_cuts_nothing(file: InFile) -> None:
    write(file)
    as_format(file, FORMAT.number + 1, FORMAT.number)
    found, peers = opened(file)
    assert (found.found, peers) == (Found.PEERS, [peer_state()])


@pytest.mark.parametrize(("number", "oldest_reader"), [(2, 2), (7, 3), (0, 0)], ids=["newer", "much newer", "too old"])
def test_a_format_that_this_version_cannot_read_is_dropped_and_it_is_said(
    file: InFile, number: int, oldest_reader: int
) -> None:
    write(file)
    as_format(file, number, oldest_reader)
    found, peers = opened(file)
    assert (found.found, peers) == (Found.OTHER_FORMAT, [])
    assert found.said == (
        f"what the store {file.path} held is dropped: "
        f"its format {number} is that of ikevd 9.9, which this one cannot read"
    )
    assert opened(file)[0].found is Found.PEERS


# -- what cannot be used ----------------------------------------------------------------------------------------------


def runs_without(file: InFile) -> str:
    """The sentence that a process says which starts and has no store."""
    found = open_store(file.path, HERE, "1.2.3", on_disk=True)
    assert found.found is Found.UNUSABLE
    assert found.store.put(difference(None, peer_state())) is None
    assert list(found.store.load()) == []
    assert found.said
    return found.said


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE exchange SET message_id = -1",
        "UPDATE exchange SET message_id = 4294967296",
        "UPDATE used SET message_id = -1",
        "UPDATE used SET message_id = 4294967296",
    ],
)
def test_a_message_id_of_more_than_32_bits_makes_the_store_unreadable(file: InFile, damage: str) -> None:
    with closing(file.open()) as store:
        store.put(difference(None, peer_state()))
        store.put(Changes(KEY, exchanges={ExchangeKey(COOKIES, 7): exchange_state()}, used={COOKIES: (7,)}))
    file.execute(damage)
    with closing(file.open()) as store, pytest.raises(Unreadable, match="no number of 32 bits"):
        list(store.load())


def test_a_record_that_has_become_text_is_not_quoted(file: InFile) -> None:
    """SQLite's module for Python shows the text that it cannot decode; a record holds keys."""
    write(file)
    file.execute("UPDATE isakmp SET record = record || x'ff'")
    with closing(file.open()) as store, pytest.raises(Unreadable, match="it is damaged") as refusal:
        list(store.load())
    assert "cookies" not in str(refusal.value)


def test_a_file_that_is_no_store_is_given_up_and_never_read_again(file: InFile) -> None:
    file.path.write_bytes(b"no store at all, but long enough to be one" * 100)
    assert runs_without(file) == (
        f"the store {file.path} is given up, it cannot be used: file is not a database (SQLITE_NOTADB); "
        "the next start will know none of the peers"
    )
    assert opened(file)[0].found is Found.NOTHING


@pytest.mark.parametrize(
    "damage",
    ["DROP TABLE about", "DELETE FROM about", "UPDATE about SET format = 'one'", "UPDATE about SET boot = NULL"],
)
def test_a_store_that_does_not_say_what_it_is_is_given_up(file: InFile, damage: str) -> None:
    write(file)
    file.execute(damage)
    assert "it cannot be used" in runs_without(file)
    assert not file.path.exists()


def test_what_was_placed_in_another_network_namespace_is_nothing_here(file: InFile) -> None:
    with closing(file.open()) as store:
        store.place({"berlin": gates()})
    for namespace, rows in ((HERE.namespace, {"berlin": gates()}), (815, {})):
        with closing(open_store(file.path, replace(HERE, namespace=namespace), "1.2.3", on_disk=True).store) as store:
            assert dict(store.placed()) == rows


def test_a_table_that_was_only_added_is_made_in_the_store_of_an_earlier_ikevd(file: InFile) -> None:
    write(file)
    file.execute("DROP TABLE placed")
    with closing(file.open()) as store:
        assert store.place({"berlin": gates()}) is None
        assert dict(store.placed()) == {"berlin": gates()}
    assert opened(file)[1] == [peer_state()]


def test_a_table_that_is_missing_is_noticed_at_the_first_look(file: InFile) -> None:
    write(file)
    file.execute("DROP TABLE child")
    with closing(file.open()) as store, pytest.raises(Unreadable, match="no such table: child"):
        list(store.load())
    assert not file.path.exists()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE peer SET digest = 'text'",
        "UPDATE peer SET head = 5",
        "UPDATE isakmp SET record = x'00'",
        "UPDATE child SET name = x'ff' WHERE name = 'lan'",
        "UPDATE exchange SET cookies = 5",
        "UPDATE exchange SET message_id = 'one'",
        "UPDATE exchange SET record = 'text'",
    ],
)
def test_a_row_with_another_kind_of_value_gives_the_store_up(file: InFile, damage: str) -> None:
    with closing(file.open()) as store:
        store.put(replace(difference(None, peer_state()), exchanges={ExchangeKey(COOKIES, 1): exchange_state()}))
    file.execute(damage)
    with closing(file.open()) as store, pytest.raises(Unreadable, match="is given up, it cannot be read"):
        list(store.load())
    assert not file.path.exists()


def test_octets_that_are_no_text_in_the_schema_are_only_damage(file: InFile) -> None:
    write(file)
    file.path.write_bytes(
        file.path.read_bytes().replace(b"CREATE TABLE child (id", b"CREATE TABLE \xff\xff\xff\xff\xff \xffid")
    )
    assert "it cannot be used: it is damaged" in runs_without(file)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_octets_are_changed_the_daemon_starts(file: InFile, seed: int) -> None:
    dice = random.Random(seed)
    write(file)
    octets = bytearray(file.path.read_bytes())
    for _ in range(dice.choice([1, 10, 1000])):
        octets[dice.randrange(len(octets))] = dice.randrange(256)
    file.path.write_bytes(octets[: dice.choice([len(octets), dice.randrange(len(octets))])])
    with closing(file.open()) as store, suppress(Unreadable):
        list(store.load())
        assert store.put(Changes(KEY, children={"lan": child_state()})) is None or store.invalid


def test_a_journal_without_its_file_is_nothing(file: InFile) -> None:
    write(file)
    content = file.path.read_bytes()
    file.path.rename(file.path.with_name("store-journal"))
    found, peers = opened(file)
    assert (found.found, peers) == (Found.NOTHING, [])
    assert file.path.read_bytes() != content


def test_a_full_disk_at_start_is_told_with_what_mends_it(file: InFile) -> None:
    with no_file_grows():
        said = runs_without(file)
    assert said.endswith(
        f"(SQLITE_IOERR_WRITE); make room on its file system (df {file.path.parent}); "
        "the next start will know none of the peers"
    )


def test_a_disk_that_is_full_when_peers_are_there_leaves_none_for_the_next_start(file: InFile) -> None:
    write(file)
    with no_file_grows():
        assert "it cannot be" in runs_without(file)
    assert opened(file)[0].found is Found.NOTHING


# -- whose it is ------------------------------------------------------------------------------------------------------


def test_only_its_owner_can_read_it(file: InFile) -> None:
    with closing(file.open()) as store:
        store.put(difference(None, peer_state()))
        assert {entry.stat().st_mode & 0o777 for entry in file.path.parent.iterdir()} == {0o600}


def test_a_folder_in_which_others_may_write_is_not_used(file: InFile) -> None:
    write(file)
    file.path.parent.chmod(0o777)
    assert runs_without(file) == (
        f"the store {file.path} is not used: {file.path.parent} is open to everybody, who could put another file there "
        f"(mode 0777); run: chmod go-w {file.path.parent}"
    )


def test_a_link_in_its_place_is_not_followed(file: InFile, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    file.path.symlink_to(other)
    assert "is a symbolic link" in runs_without(file)
    assert other.read_bytes() == b""


def test_a_folder_in_its_place_is_told(file: InFile) -> None:
    file.path.mkdir()
    assert "a folder stands where a file should be" in runs_without(file)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_no_key_of_an_isakmp_sa_that_ended_stays_in_a_file(file: InFile) -> None:
    def shown() -> bool:
        return any(shows_secret(entry.read_bytes().decode("latin-1")) for entry in file.path.parent.iterdir())

    with closing(file.open()) as store:
        store.put(difference(None, peer_state()))
        assert shown()
        store.put(Changes(KEY, gone_isakmp=(COOKIES,)))
        assert not shown()


def test_a_store_that_can_be_neither_written_nor_removed_tells_what_to_do(file: InFile, tmp_path: Path) -> None:
    folder = file.path.parent
    with closing(file.open()) as store:
        folder.rename(tmp_path / "away")
        folder.write_bytes(b"")
        assert store.invalidate("a reason") == (
            f"the store {file.path} is given up, a reason; it cannot be removed either (Not a directory): "
            f"remove {file.path} before the next start; the next start will know none of the peers"
        )
