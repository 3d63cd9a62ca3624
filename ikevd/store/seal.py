"""Sealing what the store writes, so that it may lie on a disk: under a key that lies elsewhere."""

from __future__ import annotations

import os
import sqlite3
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ikevd.crypto.secret import Secret
from ikevd.store.scalars import Unreadable, checked

CREATE = "CREATE TABLE IF NOT EXISTS seal (salt BLOB NOT NULL, proof BLOB NOT NULL)"
"""Empty in a store that is not sealed."""
SALT_OCTETS, NONCE_OCTETS = 32, 12
PROOF = b"proof"
"""Where an empty value tells whether a key is the right one."""


class Seal(Protocol):
    """What is done to each record on its way into the file and back. `where`: table, column and row, which it cannot
    leave. (An older copy of the same row is not told from the newest.)"""

    def close(self, octets: bytes, where: bytes) -> bytes:
        """To be written."""

    def open(self, octets: object, where: bytes) -> bytes:
        """As it was. Raises `Unreadable`."""


class Unsealed:
    """`Seal` of a store that lies in memory."""

    def close(self, octets: bytes, where: bytes) -> bytes:
        """As it is."""
        return octets

    def open(self, octets: object, where: bytes) -> bytes:
        """As it is."""
        return checked(octets, bytes)


class AesGcm:
    """`Seal` by AES-256-GCM: a random nonce, then the ciphertext with its tag. Each file has a key of its own, so that
    nonces of 96 random bits do for all that is ever written there."""

    def __init__(self, key: Secret, salt: bytes) -> None:
        self._aead = AESGCM(HKDF(SHA256(), 32, salt, b"ikevd store 1").derive(key.reveal()))

    def close(self, octets: bytes, where: bytes) -> bytes:
        """Of `NONCE_OCTETS` + 16 octets more."""
        nonce = os.urandom(NONCE_OCTETS)
        return nonce + self._aead.encrypt(nonce, octets, where)

    def open(self, octets: object, where: bytes) -> bytes:
        """As it was."""
        sealed = checked(octets, bytes)
        try:
            return self._aead.decrypt(sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:], where)
        except (InvalidTag, ValueError):
            pass  # outside of `except`: nothing of what was read hangs on the error
        raise Unreadable("what was sealed was changed")


def make_seal(connection: sqlite3.Connection, key: Secret | None) -> Seal:
    """Of a store that is made now, in the transaction of the caller. Raises `sqlite3.Error`."""
    if key is None:
        return Unsealed()
    salt = os.urandom(SALT_OCTETS)
    seal = AesGcm(key, salt)
    connection.execute("INSERT INTO seal VALUES (?, ?)", (salt, seal.close(b"", PROOF)))
    return seal


def open_seal(connection: sqlite3.Connection, key: Secret | None) -> Seal:
    """Of a store that is there. Raises `OtherSeal`, which says why in words, `Unreadable` and `sqlite3.Error`."""
    has_table = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'seal'").fetchone()[0]
    row = connection.execute("SELECT salt, proof FROM seal").fetchone() if has_table else None
    if row is None:
        if key is not None:
            raise OtherSeal("it is not sealed, though there is a store_key")
        return Unsealed()
    if key is None:
        raise OtherSeal("it is sealed, and there is no store_key")
    seal = AesGcm(key, checked(row[0], bytes))
    try:
        seal.open(row[1], PROOF)
    except Unreadable:
        raise OtherSeal("it is sealed under another store_key") from None
    return seal


class OtherSeal(Exception):
    """The store cannot be read with this key; the text says why."""
