"""Key pairs over the octets of KE payloads."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ikevd.crypto import curves, ecp, groups, modp
from ikevd.crypto.private_values import one_to
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidKey
from ikevd.wire.registry import Group
from tests.builders import SeededEntropy, key_pair
from tests.crypto.vectors import SHIPPED, Vector, read_blocks, read_json

GROUPS = pytest.mark.parametrize("group", sorted(groups.SUPPORTED), ids=str)
MODP = pytest.mark.parametrize("group", modp.PARAMETERS, ids=str)
SUBGROUP = pytest.mark.parametrize("group", [g for g, row in modp.PARAMETERS.items() if row.order], ids=str)
SAFE = pytest.mark.parametrize("group", [g for g, row in modp.PARAMETERS.items() if not row.order], ids=str)
ECP = pytest.mark.parametrize("group", ecp.CURVES, ids=str)
CAVS_CURVES = {
    "P-192": Group.ECP_192,
    "P-224": Group.ECP_224,
    "P-256": Group.ECP_256,
    "P-384": Group.ECP_384,
    "P-521": Group.ECP_521,
}
CAVS = [pytest.param(v, id=str(v)) for v in read_blocks(SHIPPED / "cavs-ecdh.fax") if "Z" in v.values]
BRAINPOOL = {
    "brainpoolP256r1": Group.BRAINPOOL_256,
    "brainpoolP384r1": Group.BRAINPOOL_384,
    "brainpoolP512r1": Group.BRAINPOOL_512,
}
DH_JSON = {
    "modp768": Group.MODP_768,
    "modp1024": Group.MODP_1024,
    "modp2048": Group.MODP_2048,
    "modp4096": Group.MODP_4096,
    "modp8192": Group.MODP_8192,
    "modp1024_160": Group.MODP_1024_160,
    "modp2048_256": Group.MODP_2048_256,
    "ecp192": Group.ECP_192,
    "ecp256": Group.ECP_256,
    "ecp521": Group.ECP_521,
    "ecp256bp": Group.BRAINPOOL_256,
    "ecp512bp": Group.BRAINPOOL_512,
}


def modp_pair(group: Group, exponent: int) -> groups.KeyPair:
    row = modp.PARAMETERS[group]
    return groups.KeyPair(group, modp.ModpHalf(row, modp.PowKey(row, exponent)))


def pair_of(group: Group, private: int) -> groups.KeyPair:
    """The key pair of a private number, in any group but the two curves of RFC 7748."""
    if group in modp.PARAMETERS:
        return modp_pair(group, private)
    return groups.KeyPair(group, ecp.EcpHalf(ec.derive_private_key(private, ecp.CURVES[group])))


def rfc5114() -> list[Vector]:
    """The vectors of appendix A; blank lines part what belongs together."""
    blocks = [vector.values for vector in read_blocks(SHIPPED / "rfc5114.txt")]
    return [Vector((), {k: v for block in blocks[i : i + 5] for k, v in block.items()}) for i in range(0, 15, 5)]


def test_every_group_of_iana_with_a_computable_curve_is_supported() -> None:
    """All but 3, 4 (binary curves), 27 (brainpoolP224r1), which the library has not."""
    assert {1, 2, 5, *range(14, 27), 28, 29, 30, 31, 32} == groups.SUPPORTED


@GROUPS
def test_two_pairs_agree(group: Group) -> None:
    ours, theirs = key_pair(group), key_pair(group)
    assert ours.shared(theirs.public) == theirs.shared(ours.public)


@GROUPS
def test_public_value_has_the_length_of_the_group(group: Group) -> None:
    assert len(key_pair(group).public) == groups.public_size(group)


@GROUPS
def test_repr_names_only_the_group(group: Group) -> None:
    assert repr(key_pair(group)) == f"<KeyPair {group}>"


@GROUPS
def test_each_pair_is_fresh(group: Group) -> None:
    assert key_pair(group).public != key_pair(group).public


@GROUPS
def test_the_same_entropy_gives_the_same_pair(group: Group) -> None:
    ours, again, other = (groups.generate(group, SeededEntropy(seed).octets) for seed in (1, 1, 2))
    assert ours.public == again.public != other.public
    assert ours.shared(other.public) == again.shared(other.public)


@ECP
def test_an_ecp_pair_has_the_private_number_that_its_entropy_makes(group: Group) -> None:
    order = ecp.CURVES[group].group_order
    pair = groups.generate(group, SeededEntropy(1).octets)
    assert pair.public == pair_of(group, one_to(order, SeededEntropy(1).octets)).public


@MODP
def test_a_modp_pair_has_the_exponent_that_its_entropy_makes_however_it_is_computed(group: Group) -> None:
    row = modp.PARAMETERS[group]
    pair = groups.generate(group, SeededEntropy(1).octets)
    assert pair.public == modp_pair(group, modp.new_exponent(row, SeededEntropy(1).octets)).public


@GROUPS
@pytest.mark.parametrize("change", [-1, 1])
def test_a_public_value_of_another_length_is_refused(group: Group, change: int) -> None:
    size = groups.public_size(group)
    with pytest.raises(InvalidKey, match=f"KE of {group} has {size + change} octets, not {size}"):
        key_pair(group).shared(b"\x05" * (size + change))


@GROUPS
def test_an_empty_public_value_is_refused(group: Group) -> None:
    with pytest.raises(InvalidKey, match="has 0 octets"):
        key_pair(group).shared(b"")


@MODP
def test_a_modp_value_outside_the_group_is_refused(group: Group) -> None:
    row, pair = modp.PARAMETERS[group], key_pair(group)
    for y in (0, 1, row.prime - 1, row.prime, row.prime + 1, (1 << row.bits) - 1):
        with pytest.raises(InvalidKey, match=r"not between 1 and p - 1"):
            pair.shared(y.to_bytes(row.size, "big"))


@SAFE
def test_the_least_and_the_greatest_modp_value_are_taken(group: Group) -> None:
    row, pair = modp.PARAMETERS[group], key_pair(group)
    for y in (2, row.prime - 2):
        assert len(pair.shared(y.to_bytes(row.size, "big"))) == row.size


@SAFE
def test_public_value_and_secret_are_padded_on_the_left(group: Group) -> None:
    pair, size = modp_pair(group, exponent=3), groups.public_size(group)
    assert pair.public == (8).to_bytes(size, "big")
    assert pair.shared((5).to_bytes(size, "big")) == Secret((125).to_bytes(size, "big"))


@pytest.mark.parametrize(("name", "group"), DH_JSON.items())
def test_pairs_give_the_octets_of_the_vectors(testdata: Path, name: str, group: Group) -> None:
    (vector,) = (v for v in read_json(testdata / "vectors" / "dh.json") if v["name"] == name)
    for own, other in (("i", "r"), ("r", "i")):
        pair = pair_of(group, int(vector[f"priv_{own}"], 16))
        assert pair.public.hex() == vector[f"pub_{own}"]
        assert pair.shared(bytes.fromhex(vector[f"pub_{other}"])).reveal().hex() == vector["shared"]


def test_no_vector_is_left_out(testdata: Path) -> None:
    assert {vector["name"] for vector in read_json(testdata / "vectors" / "dh.json")} == set(DH_JSON)


@pytest.mark.parametrize(
    ("group", "vector"),
    list(zip((Group.MODP_1024_160, Group.MODP_2048_224, Group.MODP_2048_256), rfc5114(), strict=True)),
    ids=str,
)
def test_a_group_with_a_subgroup_gives_the_octets_of_rfc_5114(group: Group, vector: Vector) -> None:
    row = modp.PARAMETERS[group]
    assert (row.prime, row.generator, row.order) == tuple(int(vector.values[name], 16) for name in "PGQ")
    pair = modp_pair(group, int(vector.values["XstatIUT"], 16))
    assert pair.public == vector.octets("YstatIUT")
    assert pair.shared(vector.octets("YstatCAVS")).reveal() == vector.octets("Z")


@pytest.mark.parametrize(
    "vector", list(read_blocks(SHIPPED / "rfc7027-brainpool.txt")), ids=lambda v: v.values["curve"]
)
def test_brainpool_gives_the_octets_of_rfc_7027(vector: Vector) -> None:
    pair = pair_of(BRAINPOOL[vector.values["curve"]], int(vector.values["dA"], 16))
    assert pair.public == vector.octets("x_qA") + vector.octets("y_qA")
    assert pair.shared(vector.octets("x_qB") + vector.octets("y_qB")).reveal() == vector.octets("x_Z")


@pytest.mark.parametrize("vector", CAVS)
def test_ecp_takes_and_refuses_the_points_of_nist(vector: Vector) -> None:
    group = CAVS_CURVES[vector.headers[0].strip("[]")]
    size = groups.public_size(group) // 2
    x, y = (int(vector.values[name], 16).to_bytes(size, "big") for name in ("QsCAVSx", "QsCAVSy"))
    pair = pair_of(group, int(vector.values["dsIUT"], 16))
    if vector.values["Result"].startswith("P"):
        assert pair.shared(x + y).reveal() == int(vector.values["Z"], 16).to_bytes(size, "big")
    else:
        with pytest.raises(InvalidKey, match=f"KE of {group} is not a point of the curve"):
            pair.shared(x + y)


def test_all_points_of_nist_are_tried() -> None:
    results = [case.values[0].values["Result"][0] for case in CAVS]  # type: ignore[union-attr]
    assert (results.count("P"), results.count("F")) == (20, 20)


@ECP
def test_a_coordinate_beyond_the_field_is_refused(group: Group) -> None:
    size = groups.public_size(group)
    for public in (b"\xff" * size, bytes(size)):
        with pytest.raises(InvalidKey, match="not a point of the curve"):
            key_pair(group).shared(public)


@SUBGROUP
def test_a_value_outside_the_subgroup_is_refused(group: Group) -> None:
    """2 spans all of the group of p, not the subgroup of q."""
    pair, size = key_pair(group), groups.public_size(group)
    with pytest.raises(InvalidKey, match="not in the subgroup of order q"):
        pair.shared((2).to_bytes(size, "big"))


def test_curve25519_gives_the_octets_of_rfc_7748_section_6_1() -> None:
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    pair = groups.KeyPair(Group.CURVE25519, curves.x25519(alice))
    assert pair.public.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    bob = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert pair.shared(bob).reveal().hex() == shared


@pytest.mark.parametrize("vector", list(read_blocks(SHIPPED / "rfc7748-x448.txt")), ids=str)
def test_curve448_gives_the_octets_of_rfc_7748_section_5_2(vector: Vector) -> None:
    pair = groups.KeyPair(Group.CURVE448, curves.x448(vector.octets("INPUT_SCALAR")))
    assert pair.shared(vector.octets("INPUT_U")).reveal() == vector.octets("OUTPUT_U")


@pytest.mark.parametrize("y", [0, 1, 2**448 - 2**224 - 1], ids=["zero", "one", "p"])
def test_a_curve448_point_of_small_order_is_refused(y: int) -> None:
    with pytest.raises(InvalidKey, match="KE of CURVE448 is a point of small order"):
        key_pair(Group.CURVE448).shared(y.to_bytes(56, "little"))


@pytest.mark.parametrize("y", [0, 1, 2**255 - 19], ids=["zero", "one", "p"])
def test_a_curve25519_point_of_small_order_is_refused(y: int) -> None:
    with pytest.raises(InvalidKey, match="small order"):
        key_pair(Group.CURVE25519).shared(y.to_bytes(32, "little"))


PAIRS = {
    group: key_pair(group)
    for group in (Group.MODP_1024, Group.MODP_1024_160, Group.ECP_256, Group.CURVE25519, Group.CURVE448)
}
SECRET_SIZES = {Group.ECP_256: 32}
"""Where the secret is shorter than the public value."""


@given(group=st.sampled_from(sorted(PAIRS)), public=st.binary(max_size=160))
def test_whatever_the_peer_sends_is_a_secret_or_invalid_key(group: Group, public: bytes) -> None:
    try:
        assert len(PAIRS[group].shared(public)) == SECRET_SIZES.get(group, groups.public_size(group))
    except InvalidKey:
        pass


@pytest.mark.parametrize("group", [Group.BRAINPOOL_224, Group(3), Group(99)], ids=str)
def test_an_unsupported_group_is_named_in_the_error(group: Group) -> None:
    with pytest.raises(ValueError, match=f"group {group} is not supported"):
        key_pair(group)
