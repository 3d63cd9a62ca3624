"""A store on a disk is sealed: who has the disk and not the key reads nothing, and changes nothing unseen."""

from __future__ import annotations

from contextlib import closing

import pytest

from ikevd.crypto.secret import Secret
from ikevd.peer.state import PeerState
from ikevd.store.about import Found
from ikevd.store.difference import difference
from ikevd.store.interface import Changes, ExchangeKey, NoStore
from ikevd.store.opening import open_store
from ikevd.store.scalars import Unreadable
from ikevd.store.volatile import disk_of
from tests.store.conftest import SEALING
from tests.store.media import HERE, InFile
from tests.store.records import COOKIES, KEY, exchange_state, isakmp_state, peer_state

OTHER = Secret(bytes(32))


@pytest.fixture
def sealed(file: InFile) -> InFile:
    """With a peer in it."""
    file.key = SEALING
    write(file)
    return file


def write(file: InFile) -> None:
    with closing(file.open()) as store:
        store.put(difference(None, peer_state()))
        store.put(Changes(KEY, digest=Secret(b"digest of the pre-shared key")))
        store.put(Changes(KEY, exchanges={ExchangeKey(COOKIES, 7): exchange_state(b"a datagram, in the clear")}))


def opened(file: InFile, key: Secret | None) -> tuple[Found, str | None, list[PeerState]]:
    found = open_store(file.path, HERE, "1.2.3", key=key, on_disk=True)
    with closing(found.store) as store:
        return found.found, found.said, [stored.state for stored in store.load()]


def test_what_is_sealed_is_read_under_the_same_key(sealed: InFile) -> None:
    assert opened(sealed, SEALING) == (Found.PEERS, None, [peer_state()])


def test_no_key_and_no_message_can_be_found_in_the_file(sealed: InFile) -> None:
    keys, octets = isakmp_state().sa.keys, sealed.path.read_bytes()
    hidden = (keys.skeyid_d.reveal(), keys.skeyid_a.reveal(), b"digest of the", b"a datagram", b"last_blocks")
    for secret in hidden:
        assert secret not in octets
        assert secret.hex().encode() not in octets


@pytest.mark.parametrize(
    ("key", "reason"),
    [(OTHER, "it is sealed under another store_key"), (None, "it is sealed, and there is no store_key")],
    ids=["another key", "no key"],
)
def test_under_another_key_or_none_it_is_dropped_with_a_line(sealed: InFile, key: Secret | None, reason: str) -> None:
    said = f"what the store {sealed.path} held is dropped: {reason}"
    assert opened(sealed, key) == (Found.OTHER_SEAL, said, [])
    assert opened(sealed, key) == (Found.PEERS, None, []), "the new one has the new key, and is empty"


def test_what_was_not_sealed_is_dropped_where_there_is_a_key(file: InFile) -> None:
    write(file)
    said = f"what the store {file.path} held is dropped: it is not sealed, though there is a store_key"
    assert opened(file, SEALING) == (Found.OTHER_SEAL, said, [])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE isakmp SET record = CAST(record || x'00' AS BLOB)",
        "UPDATE child SET record = x'00'",
        "UPDATE peer SET digest = (SELECT record FROM isakmp)",
        "UPDATE isakmp SET record = (SELECT record FROM child)",
        "UPDATE isakmp SET cookies = CAST('another cookie..' AS BLOB)",
        "UPDATE child SET name = name || 'x'",
        "UPDATE exchange SET message_id = message_id + 1",
        "UPDATE peer SET key = CAST(key || ' ' AS BLOB)",
    ],
)
def test_what_was_changed_or_moved_on_the_disk_is_noticed(sealed: InFile, change: str) -> None:
    sealed.execute(change)
    with closing(sealed.open()) as store, pytest.raises(Unreadable, match="what was sealed was changed"):
        list(store.load())


def test_with_a_key_it_may_lie_on_a_disk(file: InFile) -> None:
    if disk_of(file.path.parent) is None:
        pytest.skip("the folder for temporary files is in memory")
    assert isinstance(open_store(file.path, HERE, "1.2.3").store, NoStore)
    with closing(open_store(file.path, HERE, "1.2.3", key=SEALING).store) as store:
        assert store.invalid is None
