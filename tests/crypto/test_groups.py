"""Key pairs over the octets of KE payloads."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ikevd.crypto import groups, modp
from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidKey
from ikevd.wire.registry import Group
from tests.crypto.vectors import read_json

GROUPS = pytest.mark.parametrize("group", sorted(groups.SUPPORTED), ids=str)
MODP = pytest.mark.parametrize("group", modp.PARAMETERS, ids=str)


def modp_pair(group: Group, exponent: int) -> groups.ModpKeyPair:
    return groups.ModpKeyPair(group, modp.PowKey(modp.PARAMETERS[group], exponent))


def test_the_groups_of_the_first_peers_are_supported() -> None:
    assert {Group.MODP_1024, Group.MODP_2048, Group.CURVE25519} <= groups.SUPPORTED


@GROUPS
def test_two_pairs_agree(group: Group) -> None:
    ours, theirs = groups.generate(group), groups.generate(group)
    assert ours.shared(theirs.public) == theirs.shared(ours.public)


@GROUPS
def test_public_value_has_the_length_of_the_group(group: Group) -> None:
    assert len(groups.generate(group).public) == groups.public_size(group)


@GROUPS
def test_repr_names_only_the_group(group: Group) -> None:
    assert repr(groups.generate(group)) == f"<KeyPair {group}>"


@GROUPS
def test_each_pair_is_fresh(group: Group) -> None:
    assert groups.generate(group).public != groups.generate(group).public


@GROUPS
@pytest.mark.parametrize("change", [-1, 1])
def test_a_public_value_of_another_length_is_refused(group: Group, change: int) -> None:
    size = groups.public_size(group)
    with pytest.raises(InvalidKey, match=f"KE of {group} has {size + change} octets, not {size}"):
        groups.generate(group).shared(b"\x05" * (size + change))


@GROUPS
def test_an_empty_public_value_is_refused(group: Group) -> None:
    with pytest.raises(InvalidKey, match="has 0 octets"):
        groups.generate(group).shared(b"")


@MODP
def test_a_modp_value_outside_the_group_is_refused(group: Group) -> None:
    row, pair = modp.PARAMETERS[group], groups.generate(group)
    for y in (0, 1, row.prime - 1, row.prime, row.prime + 1, (1 << row.bits) - 1):
        with pytest.raises(InvalidKey, match=r"not between 1 and p - 1"):
            pair.shared(y.to_bytes(row.size, "big"))


@MODP
def test_the_least_and_the_greatest_modp_value_are_taken(group: Group) -> None:
    row, pair = modp.PARAMETERS[group], groups.generate(group)
    for y in (2, row.prime - 2):
        assert len(pair.shared(y.to_bytes(row.size, "big"))) == row.size


@MODP
def test_public_value_and_secret_are_padded_on_the_left(group: Group) -> None:
    pair, size = modp_pair(group, exponent=3), groups.public_size(group)
    assert pair.public == (8).to_bytes(size, "big")
    assert pair.shared((5).to_bytes(size, "big")) == Secret((125).to_bytes(size, "big"))


@pytest.mark.parametrize(
    ("name", "group"),
    [("modp1024", Group.MODP_1024), ("modp2048", Group.MODP_2048), ("modp4096", Group.MODP_4096)],
)
def test_pairs_give_the_octets_of_the_vectors(testdata: Path, name: str, group: Group) -> None:
    (vector,) = (v for v in read_json(testdata / "vectors" / "dh.json") if v["name"] == name)
    pair = modp_pair(group, int(vector["priv_i"], 16))
    assert pair.public.hex() == vector["pub_i"]
    assert pair.shared(bytes.fromhex(vector["pub_r"])).reveal().hex() == vector["shared"]


def test_curve25519_gives_the_octets_of_rfc_7748_section_6_1() -> None:
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    pair = groups.Curve25519KeyPair(X25519PrivateKey.from_private_bytes(alice))
    assert pair.public.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    bob = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert pair.shared(bob).reveal().hex() == shared


@pytest.mark.parametrize("y", [0, 1, 2**255 - 19], ids=["zero", "one", "p"])
def test_a_curve25519_point_of_small_order_is_refused(y: int) -> None:
    with pytest.raises(InvalidKey, match="small order"):
        groups.generate(Group.CURVE25519).shared(y.to_bytes(32, "little"))


PAIRS = {group: groups.generate(group) for group in (Group.MODP_1024, Group.CURVE25519)}


@given(group=st.sampled_from(sorted(PAIRS)), public=st.binary(max_size=160))
def test_whatever_the_peer_sends_is_a_secret_or_invalid_key(group: Group, public: bytes) -> None:
    try:
        assert len(PAIRS[group].shared(public)) == groups.public_size(group)
    except InvalidKey:
        pass


@pytest.mark.parametrize("group", [Group.MODP_768, Group.ECP_256, Group(99)], ids=str)
def test_an_unsupported_group_is_named_in_the_error(group: Group) -> None:
    with pytest.raises(ValueError, match=f"group {group} is not supported"):
        groups.generate(group)
