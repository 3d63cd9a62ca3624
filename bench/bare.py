"""The bare cost of the cryptography of a handshake: what a responder cannot do without, and nothing else."""

from __future__ import annotations

import os
import time

from ikevd.crypto import groups, keys
from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.crypto.secret import Secret
from ikevd.wire.registry import Cipher, Group, Hash, Protocol

HASH, CIPHER, KEY_OCTETS, BLOCK = Hash.SHA2_256, Cipher.AES_CBC, 16, 16
NONCE, COOKIE, SPI, SMALL, LARGE = bytes(32), bytes(8), bytes(4), bytes(64), bytes(160)
ROUNDS = 60
GROUPS = {
    "modp1024": Group.MODP_1024,
    "modp2048": Group.MODP_2048,
    "ecp256": Group.ECP_256,
    "curve25519": Group.CURVE25519,
}


def bare_cryptography(group: str, *, pfs: bool) -> float:
    """Milliseconds of CPU for one Main Mode and one Quick Mode of a responder: the mean of several."""
    peer = groups.generate(GROUPS[group], os.urandom).public
    began = time.process_time()
    for _ in range(ROUNDS):
        _main_mode(group, peer)
        _quick_mode(group, peer, pfs=pfs)
    return (time.process_time() - began) * 1000 / ROUNDS


def _agree(group: str, peer: bytes) -> tuple[bytes, Secret]:
    pair = groups.generate(GROUPS[group], os.urandom)
    return pair.public, pair.shared(peer)


def _main_mode(group: str, peer: bytes) -> None:
    public, g_xy = _agree(group, peer)
    skeyid = keys.skeyid_psk(HASH, Secret(NONCE), NONCE, NONCE)
    under_skeyid = keys.under(HASH, skeyid)
    _, skeyid_e = keys.phase1_keys(under_skeyid, g_xy, COOKIE, COOKIE)
    cipher = CbcCipher(CIPHER, keys.cipher_key(HASH, skeyid_e, KEY_OCTETS))
    chain = IvChain(cipher, keys.phase1_iv(HASH, peer, public, BLOCK))
    chain.commit(chain.propose(SMALL))
    keys.hash_i(under_skeyid, peer, public, COOKIE, COOKIE, SMALL, SMALL)
    keys.hash_r(under_skeyid, peer, public, COOKIE, COOKIE, SMALL, SMALL)
    chain.encrypt(SMALL)


def _quick_mode(group: str, peer: bytes, *, pfs: bool) -> None:
    g_xy = _agree(group, peer)[1] if pfs else None
    secret = Secret(NONCE)
    under_skeyid_a = keys.under(HASH, secret)
    cipher = CbcCipher(CIPHER, Secret(NONCE[:KEY_OCTETS]))
    chain = IvChain(cipher, keys.phase2_iv(HASH, COOKIE + COOKIE, 1, BLOCK))
    chain.commit(chain.propose(LARGE))
    keys.hash_1(under_skeyid_a, 1, LARGE)
    keys.hash_2(under_skeyid_a, 1, NONCE, LARGE)
    chain.encrypt(LARGE)
    chain.commit(chain.propose(SMALL))
    keys.hash_3(under_skeyid_a, 1, NONCE, NONCE)
    under_skeyid_d = keys.under(HASH, secret)
    for spi in (SPI, SPI):
        keys.keymat(under_skeyid_d, Protocol.ESP, spi, NONCE, NONCE, KEY_OCTETS + 32, g_xy)
