"""The formulas of RFC 2409 sections 5 and 5.5 and appendix B, in the RFC's names.

`_b` is the body of a payload, without its generic header, as it was on the wire. A message id is a number; in the
formulas (M-ID) it is four octets.
"""

from __future__ import annotations

from ikevd.crypto.ciphers import key_length
from ikevd.crypto.primitives import Prf, digest, prf
from ikevd.crypto.secret import Secret
from ikevd.crypto.weak_keys import is_weak_des_key
from ikevd.errors import InvalidKey
from ikevd.frozen import frozen
from ikevd.wire.registry import Cipher, Hash, Protocol


@frozen
class Phase1Keys:
    """What phase 1 agrees on and phase 2 needs. It exists only once all of it exists."""

    hash: Hash
    skeyid_d: Secret
    """Derives the keys of phase 2."""
    skeyid_a: Secret
    """Authenticates messages under the ISAKMP SA."""

    def under_skeyid_a(self) -> Prf:
        """prf(SKEYID_a, ...), for the messages of one exchange."""
        return under(self.hash, self.skeyid_a)


def skeyid_psk(hash: Hash, psk: Secret, ni_b: bytes, nr_b: bytes) -> Secret:
    """SKEYID = prf(pre-shared-key, Ni_b | Nr_b): RFC 2409 section 5, pre-shared keys."""
    return Secret(prf(hash, psk.reveal(), ni_b + nr_b))


def skeyid_signature(hash: Hash, ni_b: bytes, nr_b: bytes, g_xy: Secret) -> Secret:
    """SKEYID = prf(Ni_b | Nr_b, g^xy): RFC 2409 section 5, signatures."""
    return Secret(prf(hash, ni_b + nr_b, g_xy.reveal()))


def under(hash: Hash, key: Secret) -> Prf:
    """prf(key, ...), for several values: SKEYID in phase 1, SKEYID_a and SKEYID_d in Quick Mode."""
    return Prf(hash, key.reveal())


def phase1_keys(under_skeyid: Prf, g_xy: Secret, cky_i: bytes, cky_r: bytes) -> tuple[Phase1Keys, Secret]:
    """And SKEYID_e, of which the cipher's key is made. RFC 2409 section 5:

    SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0)
    SKEYID_a = prf(SKEYID, SKEYID_d | g^xy | CKY-I | CKY-R | 1)
    SKEYID_e = prf(SKEYID, SKEYID_a | g^xy | CKY-I | CKY-R | 2)
    """
    seed = g_xy.reveal() + cky_i + cky_r
    skeyid_d = under_skeyid(seed + b"\0")
    skeyid_a = under_skeyid(skeyid_d + seed + b"\1")
    skeyid_e = under_skeyid(skeyid_a + seed + b"\2")
    return Phase1Keys(under_skeyid.hash, Secret(skeyid_d), Secret(skeyid_a)), Secret(skeyid_e)


def cipher_key(hash: Hash, skeyid_e: Secret, length: int) -> Secret:
    """The first octets of SKEYID_e or, if it is too short, of Ka (RFC 2409 appendix B):

    Ka = K1 | K2 | K3 | ...
    K1 = prf(SKEYID_e, 0), K2 = prf(SKEYID_e, K1), K3 = prf(SKEYID_e, K2)
    """
    if length <= len(skeyid_e):
        return Secret(skeyid_e.reveal()[:length])
    return _expand(under(hash, skeyid_e), first=b"\0", again=b"", length=length)


def isakmp_key(hash: Hash, skeyid_e: Secret, cipher: Cipher, key_bits: int) -> Secret:
    """The key that encrypts under the ISAKMP SA; `key_bits` is the Key Length attribute, 0 where there is none.

    For DES "the first eight (8) non-weak and non-semi-weak bytes of SKEYID_e" (RFC 2409 appendix B): octets 1 to 8,
    or if they are a weak key 9 to 16, and so on. Raises InvalidKey where none is left.
    """
    if cipher != Cipher.DES_CBC:
        return cipher_key(hash, skeyid_e, key_length(cipher, key_bits))
    octets, size = skeyid_e.reveal(), key_length(cipher, key_bits)
    for start in range(0, len(octets) - size + 1, size):
        key = octets[start : start + size]
        if not is_weak_des_key(key):
            return Secret(key)
    raise InvalidKey("SKEYID_e holds only weak DES keys")


def phase1_iv(hash: Hash, g_xi: bytes, g_xr: bytes, block_size: int) -> bytes:
    """The first octets of hash(g^xi | g^xr): RFC 2409 appendix B."""
    return digest(hash, g_xi + g_xr)[:block_size]


def phase2_iv(hash: Hash, last_block: bytes, message_id: int, block_size: int) -> bytes:
    """The first octets of hash(last CBC block of phase 1 | M-ID): RFC 2409 appendix B."""
    return digest(hash, last_block + _m_id(message_id))[:block_size]


def hash_i(
    under_skeyid: Prf, g_xi: bytes, g_xr: bytes, cky_i: bytes, cky_r: bytes, sai_b: bytes, idii_b: bytes
) -> bytes:
    """HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b): RFC 2409 section 5."""
    return under_skeyid(g_xi + g_xr + cky_i + cky_r + sai_b + idii_b)


def hash_r(
    under_skeyid: Prf, g_xi: bytes, g_xr: bytes, cky_i: bytes, cky_r: bytes, sai_b: bytes, idir_b: bytes
) -> bytes:
    """HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b): RFC 2409 section 5."""
    return under_skeyid(g_xr + g_xi + cky_r + cky_i + sai_b + idir_b)


def hash_1(under_skeyid_a: Prf, message_id: int, after_hash: bytes) -> bytes:
    """HASH(1) = prf(SKEYID_a, M-ID | the message after the HASH payload): RFC 2409 sections 5.5 and 5.7."""
    return under_skeyid_a(_m_id(message_id) + after_hash)


def hash_2(under_skeyid_a: Prf, message_id: int, ni_b: bytes, after_hash: bytes) -> bytes:
    """HASH(2) = prf(SKEYID_a, M-ID | Ni_b | the message after the HASH payload): RFC 2409 section 5.5."""
    return under_skeyid_a(_m_id(message_id) + ni_b + after_hash)


def hash_3(under_skeyid_a: Prf, message_id: int, ni_b: bytes, nr_b: bytes) -> bytes:
    """HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b): RFC 2409 section 5.5."""
    return under_skeyid_a(b"\0" + _m_id(message_id) + ni_b + nr_b)


def keymat(
    under_skeyid_d: Prf,
    protocol: Protocol,
    spi: bytes,
    ni_b: bytes,
    nr_b: bytes,
    length: int,
    g_qm_xy: Secret | None = None,
) -> Secret:
    """KEYMAT of the SA that `spi` names, `length` octets; g(qm)^xy only with PFS (RFC 2409 section 5.5):

    KEYMAT = K1 | K2 | K3 | ...
    K1 = prf(SKEYID_d, [ g(qm)^xy | ] protocol | SPI | Ni_b | Nr_b)
    K2 = prf(SKEYID_d, K1 | [ g(qm)^xy | ] protocol | SPI | Ni_b | Nr_b)
    """
    pfs = b"" if g_qm_xy is None else g_qm_xy.reveal()
    seed = pfs + bytes([protocol]) + spi + ni_b + nr_b
    return _expand(under_skeyid_d, first=seed, again=seed, length=length)


def _expand(under_key: Prf, first: bytes, again: bytes, length: int) -> Secret:
    """K1 = prf(key, first), Kn = prf(key, Kn-1 | again): the first octets of K1 | K2 | ..."""
    octets = block = under_key(first)
    while len(octets) < length:
        block = under_key(block + again)
        octets += block
    return Secret(octets[:length])


def _m_id(message_id: int) -> bytes:
    return message_id.to_bytes(4, "big")
