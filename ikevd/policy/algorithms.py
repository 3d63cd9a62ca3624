"""Every algorithm that can be negotiated, a row each: words, IANA numbers, lengths, kernel name, weakness.

docs/algorithms.md shows this table; a test holds both together. What can be computed here for IKE is in `crypto`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ikevd.frozen import frozen
from ikevd.wire.registry import AhTransform, Cipher, EspTransform, Group, Hash, Integrity

DEFAULT_KEY_BITS = 128
"""What an absent Key Length means where there could be one (RFC 3602 section 2.4, RFC 2451, RFC 4312)."""
SHORT_KEY_BITS = 112


@frozen
class CipherRow:
    """A cipher of IKE, of ESP, or of both."""

    template: str
    """The word, with the key length in bits in place of braces; without braces no Key Length is negotiated."""
    ike: Cipher | None
    esp: EspTransform | None
    key_bits: tuple[int, ...]
    kernel: str
    rfc: str
    weak: str = ""
    """Why it deserves a warning."""
    salt_octets: int = 0
    """Taken from KEYMAT after the key; the kernel wants both in one."""
    icv_bits: int = 0
    """Where the cipher authenticates as well; 0: the suite names an integrity algorithm."""

    @property
    def variable(self) -> bool:
        """Is a Key Length negotiated?"""
        return "{}" in self.template

    def words(self) -> Iterator[tuple[str, int]]:
        """Each word with `key_bits` of the suite that it stands for."""
        if not self.variable:
            yield self.template, 0
            return
        for bits in self.key_bits:
            yield self.template.format(bits), bits

    def word(self, key_bits: int) -> str:
        """The word, also for a key length that the cipher has not."""
        return self.template.format(key_bits or "") if self.variable else f"{self.template}{key_bits or ''}"

    def key_octets(self, key_bits: int) -> int:
        """Of the key alone; `key_bits` as in a suite, 0 where there is no Key Length."""
        return (key_bits or self.key_bits[0]) // 8

    def weaknesses(self, key_bits: int) -> Iterator[str]:
        """What deserves a warning, in words."""
        if self.weak:
            yield self.weak
        if 0 < key_bits < SHORT_KEY_BITS:
            yield f"a key of {key_bits} bits is found by trying them all"


_SWEET32 = "blocks of 64 bits repeat after some gigabytes (CVE-2016-2183)"
_CLEAR = "nothing is encrypted"
_AES = (128, 192, 256)

_CIPHERS = (
    CipherRow("aes{}", Cipher.AES_CBC, EspTransform.AES_CBC, _AES, "cbc(aes)", "3602"),
    CipherRow("camellia{}", Cipher.CAMELLIA_CBC, EspTransform.CAMELLIA, _AES, "cbc(camellia)", "4312"),
    CipherRow(
        "3des", Cipher.TRIPLE_DES_CBC, EspTransform.TRIPLE_DES, (192,), "cbc(des3_ede)", "2451", f"3des: {_SWEET32}"
    ),
    CipherRow(
        "cast{}",
        Cipher.CAST_CBC,
        EspTransform.CAST,
        tuple(range(40, 136, 8)),
        "cbc(cast5)",
        "2451",
        f"cast: {_SWEET32}",
    ),
    CipherRow(
        "blowfish{}",
        Cipher.BLOWFISH_CBC,
        EspTransform.BLOWFISH,
        tuple(range(40, 456, 8)),
        "cbc(blowfish)",
        "2451",
        f"blowfish: {_SWEET32}",
    ),
    CipherRow(
        "des", Cipher.DES_CBC, EspTransform.DES, (64,), "cbc(des)", "2405", "des: its key is found by trying all 2^56"
    ),
    CipherRow("aes{}ctr", None, EspTransform.AES_CTR, _AES, "rfc3686(ctr(aes))", "3686", salt_octets=4),
    *(
        CipherRow(f"aes{{}}ccm{icv}", None, kind, _AES, "rfc4309(ccm(aes))", "4309", salt_octets=3, icv_bits=8 * icv)
        for icv, kind in ((8, EspTransform.AES_CCM_8), (12, EspTransform.AES_CCM_12), (16, EspTransform.AES_CCM_16))
    ),
    *(
        CipherRow(f"aes{{}}gcm{icv}", None, kind, _AES, "rfc4106(gcm(aes))", "4106", salt_octets=4, icv_bits=8 * icv)
        for icv, kind in ((8, EspTransform.AES_GCM_8), (12, EspTransform.AES_GCM_12), (16, EspTransform.AES_GCM_16))
    ),
    CipherRow(
        "aes{}gmac",
        None,
        EspTransform.NULL_AES_GMAC,
        _AES,
        "rfc4543(gcm(aes))",
        "4543",
        f"gmac: {_CLEAR}",
        salt_octets=4,
        icv_bits=128,
    ),
    CipherRow("null", None, EspTransform.NULL, (0,), "ecb(cipher_null)", "2410", f"null: {_CLEAR}"),
)


@frozen
class HashRow:
    """A hash of IKE, whose HMAC is the prf, and the integrity check of ESP and AH that is made of it."""

    word: str
    ike: Hash | None
    esp: Integrity
    key_octets: int
    """Of the integrity check: as long as the hash (RFC 4868 section 2.1.1)."""
    icv_bits: int
    kernel: str
    rfc: str
    ah: AhTransform
    """The transform of AH that goes with it (RFC 2407 section 4.4.3)."""
    weak: str = ""


_HASHES = (
    HashRow("sha256", Hash.SHA2_256, Integrity.HMAC_SHA2_256, 32, 128, "hmac(sha256)", "4868", AhTransform.SHA2_256),
    HashRow("sha384", Hash.SHA2_384, Integrity.HMAC_SHA2_384, 48, 192, "hmac(sha384)", "4868", AhTransform.SHA2_384),
    HashRow("sha512", Hash.SHA2_512, Integrity.HMAC_SHA2_512, 64, 256, "hmac(sha512)", "4868", AhTransform.SHA2_512),
    HashRow(
        "sha1", Hash.SHA1, Integrity.HMAC_SHA1, 20, 96, "hmac(sha1)", "2404", AhTransform.SHA1, "sha1 is deprecated"
    ),
    HashRow(
        "md5", Hash.MD5, Integrity.HMAC_MD5, 16, 96, "hmac(md5)", "2403", AhTransform.MD5, "md5 is broken (RFC 6151)"
    ),
    HashRow("aesxcbc", None, Integrity.AES_XCBC, 16, 96, "xcbc(aes)", "3566", AhTransform.AES_XCBC),
)


@frozen
class GroupRow:
    """A Diffie-Hellman group."""

    word: str
    group: Group
    rfc: str
    weak: str = ""


_FUNDED = "is too short against a well-funded attacker (RFC 8247)"
_ORIGIN = "rests on a prime of unknown origin (RFC 8247)"

_GROUPS = (
    GroupRow("modp2048", Group.MODP_2048, "3526"),
    GroupRow("modp3072", Group.MODP_3072, "3526"),
    GroupRow("modp4096", Group.MODP_4096, "3526"),
    GroupRow("modp6144", Group.MODP_6144, "3526"),
    GroupRow("modp8192", Group.MODP_8192, "3526"),
    GroupRow("ecp256", Group.ECP_256, "5903"),
    GroupRow("ecp384", Group.ECP_384, "5903"),
    GroupRow("ecp521", Group.ECP_521, "5903"),
    GroupRow("ecp224", Group.ECP_224, "5114"),
    GroupRow("ecp256bp", Group.BRAINPOOL_256, "6932"),
    GroupRow("ecp384bp", Group.BRAINPOOL_384, "6932"),
    GroupRow("ecp512bp", Group.BRAINPOOL_512, "6932"),
    GroupRow("curve25519", Group.CURVE25519, "8031"),
    GroupRow("curve448", Group.CURVE448, "8031"),
    GroupRow("modp1536", Group.MODP_1536, "3526", "modp1536 is too short for the years to come (RFC 8247)"),
    GroupRow("modp1024", Group.MODP_1024, "2409", f"modp1024 {_FUNDED}"),
    GroupRow("modp768", Group.MODP_768, "2409", "modp768 gives no security (RFC 8247)"),
    GroupRow("modp1024s160", Group.MODP_1024_160, "5114", f"modp1024s160 {_FUNDED}, and {_ORIGIN}"),
    GroupRow("modp2048s224", Group.MODP_2048_224, "5114", f"modp2048s224 {_ORIGIN}"),
    GroupRow("modp2048s256", Group.MODP_2048_256, "5114", f"modp2048s256 {_ORIGIN}"),
    GroupRow("ecp192", Group.ECP_192, "5114", "ecp192 has the strength of 96 bits only"),
)

# Rows by number: a table for each registry, since IANA numbers repeat.
IKE_CIPHERS: Mapping[Cipher, CipherRow] = {row.ike: row for row in _CIPHERS if row.ike is not None}
ESP_CIPHERS: Mapping[EspTransform, CipherRow] = {row.esp: row for row in _CIPHERS if row.esp is not None}
IKE_HASHES: Mapping[Hash, HashRow] = {row.ike: row for row in _HASHES if row.ike is not None}
INTEGRITIES: Mapping[Integrity, HashRow] = {row.esp: row for row in _HASHES}
GROUPS: Mapping[Group, GroupRow] = {row.group: row for row in _GROUPS}


def default_key_bits(row: CipherRow | None) -> int:
    """What an absent Key Length means for a suite; 0 where there can be none."""
    return DEFAULT_KEY_BITS if row is not None and row.variable else 0


def esp_key_octets(transform: EspTransform, key_bits: int, integrity: Integrity) -> tuple[int, int]:
    """What KEYMAT of one ESP SA must hold: the cipher's key with its salt, then the key of the integrity check.

    Raises KeyError for an algorithm that stands in no row.
    """
    cipher = ESP_CIPHERS[transform]
    mac = 0 if cipher.icv_bits else INTEGRITIES[integrity].key_octets
    return cipher.key_octets(key_bits) + cipher.salt_octets, mac
