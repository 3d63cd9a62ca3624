"""The formulas of RFC 2409 against the vectors of NIST, NSS and real gateways."""

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.crypto import keys
from ikevd.crypto.secret import Secret
from ikevd.wire.registry import Hash, Protocol
from tests.crypto.vectors import SHIPPED, Vector, named_hash, read_blocks, read_json

KEYS = keys.Phase1Keys(Hash.SHA1, Secret(b"D"), Secret(b"A"))
UNDER_SKEYID, UNDER_SKEYID_D = keys.under(Hash.SHA1, Secret(b"S")), keys.under(Hash.SHA1, KEYS.skeyid_d)
Derived = tuple[Secret, keys.Phase1Keys, Secret]
"""SKEYID, SKEYID_d and _a, SKEYID_e."""
SHIPPED_CASES = [
    pytest.param(vector, id=f"{file} {vector}")
    for file in ("cavp_ikev1_psk.fax", "cavp_ikev1_dsa.fax")
    for vector in read_blocks(SHIPPED / file)
]


def sha1(key: bytes, data: bytes) -> bytes:
    """prf of `KEYS`, computed apart from the code under test."""
    return hmac.new(key, data, hashlib.sha1).digest()


def derive(hash: Hash, vector: Vector) -> Derived:
    ni_b, nr_b, g_xy = vector.octets("Ni"), vector.octets("Nr"), Secret(vector.octets("g^xy"))
    if "pre-shared-key" in vector.values:
        skeyid = keys.skeyid_psk(hash, Secret(vector.octets("pre-shared-key")), ni_b, nr_b)
    else:
        skeyid = keys.skeyid_signature(hash, ni_b, nr_b, g_xy)
    cookies = vector.octets("CKY_I"), vector.octets("CKY_R")
    return skeyid, *keys.phase1_keys(keys.under(hash, skeyid), g_xy, *cookies)


def wanted(hash: Hash, vector: Vector) -> Derived:
    names = ("SKEYID", "SKEYID_d", "SKEYID_a", "SKEYID_e")
    skeyid, skeyid_d, skeyid_a, skeyid_e = (Secret(vector.octets(name)) for name in names)
    return skeyid, keys.Phase1Keys(hash, skeyid_d, skeyid_a), skeyid_e


def cavp_hash(vector: Vector) -> Hash:
    return named_hash(vector.headers[1].strip("[]"))


def cavp_agrees(vector: Vector) -> bool:
    hash = cavp_hash(vector)
    return derive(hash, vector) == wanted(hash, vector)


@pytest.mark.parametrize("vector", SHIPPED_CASES)
def test_keys_of_phase_1_are_those_of_nist(vector: Vector) -> None:
    assert cavp_agrees(vector)


@pytest.mark.parametrize("file", ["ikev1_psk.fax", "ikev1_dsa.fax"])
def test_keys_of_phase_1_are_those_of_all_cavp_vectors(testdata: Path, file: str) -> None:
    vectors = list(read_blocks(testdata / "vectors" / "cavp" / file))
    assert len(vectors) == 850
    assert [str(vector) for vector in vectors if not cavp_agrees(vector)] == []


@pytest.mark.parametrize("values", [pytest.param(v, id=v["name"]) for v in read_json(SHIPPED / "acvp_ikev1_kdf.json")])
def test_keys_of_phase_1_are_those_of_acvp(values: dict[str, str]) -> None:
    hash, vector = named_hash(values["hash"]), Vector((), values)
    assert derive(hash, vector) == wanted(hash, vector)


def nss(testdata: Path, *kinds: str) -> list[tuple[Hash, Vector]]:
    found = [v for v in read_json(testdata / "vectors" / "nss_ikev1_kdf.json") if v["type"] in kinds]
    return [(named_hash(v["prf"]), Vector((), v)) for v in found]


def test_skeyid_of_signatures_is_that_of_nss(testdata: Path) -> None:
    cases = nss(testdata, "ikeGxy")
    assert len(cases) == 4
    for hash, v in cases:
        skeyid = keys.skeyid_signature(hash, v.octets("Ni"), v.octets("Nr"), Secret(v.octets("ikm")))
        assert skeyid.reveal() == v.octets("okm")


def test_skeyid_of_pre_shared_keys_is_that_of_nss(testdata: Path) -> None:
    cases = nss(testdata, "ikeV1Psk")
    assert len(cases) == 2
    for hash, v in cases:
        skeyid = keys.skeyid_psk(hash, Secret(v.octets("ikm")), v.octets("Ni"), v.octets("Nr"))
        assert skeyid.reveal() == v.octets("okm")


def test_each_step_of_phase_1_is_that_of_nss(testdata: Path) -> None:
    cases = nss(testdata, "ikeV1")
    assert len(cases) == 6
    for hash, v in cases:
        skeyid, g_xy = Secret(v.octets("ikm")), Secret(v.octets("gxykm"))
        derived, skeyid_e = keys.phase1_keys(keys.under(hash, skeyid), g_xy, v.octets("Ni"), v.octets("Nr"))
        step = (derived.skeyid_d, derived.skeyid_a, skeyid_e)[int(v.values["key_number"])]
        assert step.reveal() == v.octets("okm")


def test_cipher_keys_of_every_length_are_those_of_nss(testdata: Path) -> None:
    cases = nss(testdata, "ikeV1AppB")
    assert len(cases) == 6
    for hash, v in cases:
        key = keys.cipher_key(hash, Secret(v.octets("ikm")), int(v.values["size"]))
        assert key.reveal() == v.octets("okm")


def test_keymat_of_every_length_is_that_of_nss(testdata: Path) -> None:
    cases = nss(testdata, "ikeV1AppBQuick")
    assert len(cases) == 6
    for hash, v in cases:
        under_skeyid_d = keys.under(hash, Secret(v.octets("ikm")))
        keymat = keys.keymat(under_skeyid_d, Protocol(0), b"", b"", b"", int(v.values["size"]))
        assert keymat.reveal() == v.octets("okm")


def test_hash_r_is_that_of_real_gateways(testdata: Path) -> None:
    cases = read_json(testdata / "vectors" / "aggressive_hash_r.json")
    assert len(cases) == 5
    for values in cases:
        hash, v = named_hash(values["prf"]), Vector((), values)
        skeyid = keys.skeyid_psk(hash, Secret(values["psk"].encode()), v.octets("ni_b"), v.octets("nr_b"))
        names = ("g_xi", "g_xr", "cky_i", "cky_r", "sai_b", "idir_b")
        assert keys.hash_r(keys.under(hash, skeyid), *(v.octets(name) for name in names)) == v.octets("hash_r")


def test_hash_i_begins_with_what_is_the_initiators() -> None:
    assert keys.hash_i(UNDER_SKEYID, b"xi", b"xr", b"ci", b"cr", b"sa", b"id") == sha1(b"S", b"xixrcicrsaid")


def test_hash_r_begins_with_what_is_the_responders() -> None:
    assert keys.hash_r(UNDER_SKEYID, b"xi", b"xr", b"ci", b"cr", b"sa", b"id") == sha1(b"S", b"xrxicrcisaid")


def test_hash_i_and_hash_r_differ_when_both_sides_send_the_same() -> None:
    both = (b"x", b"y", b"c", b"d", b"sa", b"id")
    assert keys.hash_i(UNDER_SKEYID, *both) != keys.hash_r(UNDER_SKEYID, *both)


def test_hash_1_is_over_the_message_id_and_the_rest_of_the_message() -> None:
    assert keys.hash_1(KEYS.under_skeyid_a(), 0x01020304, b"rest") == sha1(b"A", b"\1\2\3\4rest")


def test_hash_2_puts_the_initiators_nonce_before_the_rest_of_the_message() -> None:
    assert keys.hash_2(KEYS.under_skeyid_a(), 0x01020304, b"ni", b"rest") == sha1(b"A", b"\1\2\3\4nirest")


def test_hash_3_begins_with_a_zero_octet() -> None:
    assert keys.hash_3(KEYS.under_skeyid_a(), 0x01020304, b"ni", b"nr") == sha1(b"A", b"\0\1\2\3\4ninr")


def test_keymat_is_over_protocol_spi_and_nonces() -> None:
    keymat = keys.keymat(UNDER_SKEYID_D, Protocol.ESP, b"spi!", b"ni", b"nr", 20)
    assert keymat.reveal() == sha1(b"D", b"\3spi!ninr")


def test_keymat_with_pfs_begins_with_the_new_secret_in_every_block() -> None:
    seed = b"gxy\3spi!ninr"
    first = sha1(b"D", seed)
    keymat = keys.keymat(UNDER_SKEYID_D, Protocol.ESP, b"spi!", b"ni", b"nr", 36, Secret(b"gxy"))
    assert keymat.reveal() == (first + sha1(b"D", first + seed))[:36]


@given(shorter=st.integers(0, 100), longer=st.integers(0, 100))
def test_a_shorter_keymat_is_the_beginning_of_a_longer_one(shorter: int, longer: int) -> None:
    short, long = (
        keys.keymat(UNDER_SKEYID_D, Protocol.ESP, b"spi!", b"ni", b"nr", length).reveal()
        for length in sorted((shorter, longer))
    )
    assert (len(short), len(long)) == tuple(sorted((shorter, longer)))
    assert long.startswith(short)


@pytest.mark.parametrize(("hash", "length"), [(Hash.SHA1, 16), (Hash.SHA1, 20), (Hash.SHA2_256, 32)])
def test_a_cipher_key_that_fits_is_the_beginning_of_skeyid_e(hash: Hash, length: int) -> None:
    skeyid_e = Secret(bytes(range({Hash.SHA1: 20, Hash.SHA2_256: 32}[hash])))
    assert keys.cipher_key(hash, skeyid_e, length).reveal() == bytes(range(length))


def test_aes_256_under_sha1_stretches_skeyid_e() -> None:
    k1 = sha1(b"E" * 20, b"\0")
    key = keys.cipher_key(Hash.SHA1, Secret(b"E" * 20), 32)
    assert key.reveal() == (k1 + sha1(b"E" * 20, k1))[:32]


def test_first_iv_is_the_beginning_of_the_hash_of_both_public_values() -> None:
    assert keys.phase1_iv(Hash.SHA1, b"xi", b"xr", 16) == hashlib.sha1(b"xixr").digest()[:16]


def test_iv_of_phase_2_is_over_the_last_block_and_the_message_id() -> None:
    expected = hashlib.sha256(b"block\xf2\xcf\xe2\x03").digest()[:16]
    assert keys.phase2_iv(Hash.SHA2_256, b"block", 0xF2CFE203, 16) == expected


def test_keys_do_not_show_in_a_repr() -> None:
    assert repr(KEYS).count("<secret>") == 2
