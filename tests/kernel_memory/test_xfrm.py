"""The codec of XFRM messages: sizes, and what is read. Acceptance by a real kernel is tested in tests/kernel."""

import sys
from dataclasses import replace

import pytest

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused, KeysWithheld
from ikevd.host.policies import Action, Direction, FoundPolicy
from ikevd.host.sas import KernelSa, SaId, UdpPorts
from ikevd.kernel import xfrm_layout as layout
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.xfrm_layout import Attr
from ikevd.kernel.xfrm_policies import build_policy, build_policy_id, read_policy
from ikevd.kernel.xfrm_sas import ADVANCE, build_limit, build_moved, build_ports, build_sa, read_info, read_sa
from ikevd.policy.lives import Lifetime
from ikevd.policy.marks import Mark
from ikevd.policy.packing import CopyDscp, Packing
from ikevd.policy.proposals import parse_esp
from ikevd.policy.suites import IpsecSuite
from ikevd.sa.model import EspKeys, Spi
from tests.kernel.samples import (
    AES_SHA256,
    AH_SHA256,
    BEARINGS,
    CPI,
    DEFLATES,
    FURTHER,
    HERE,
    HERE6,
    PEER,
    PEER6,
    REQID,
    SPI,
    keys_of,
    policy_of,
    sa_of,
)

OF_NEW_SAS = {Attr.REPLAY_ESN_VAL, Attr.MTIMER_THRESH}
"""What UPDSA does not change."""


def build(sa: KernelSa) -> bytes:
    """With keys of the right lengths."""
    return build_sa(sa, keys_of(sa.suite))


def test_sizes_are_those_of_linux_xfrm_h() -> None:
    sizes = {
        layout.SELECTOR: 56,
        layout.LIFETIME_CFG: 64,
        layout.LIFETIME_CUR: 32,
        layout.XFRM_ID: 24,
        layout.USERSA_INFO: 224,
        layout.USERSA_ID: 24,
        layout.USERPOLICY_INFO: 168,
        layout.USERPOLICY_ID: 64,
        layout.USER_TMPL: 64,
        layout.ALGO: 68,
        layout.ALGO_AEAD: 72,
        layout.ALGO_AUTH: 72,
        layout.REPLAY_ESN: 24,
        layout.REPLAY: 12,
        layout.ENCAP_TMPL: 24,
        layout.USER_EXPIRE: 232,
        layout.USER_POLEXPIRE: 176,
        layout.USER_MAPPING: 64,
    }
    assert {struct.format: struct.size for struct in sizes} == {struct.format: n for struct, n in sizes.items()}


def test_an_sa_is_read_as_it_is_built() -> None:
    encapsulated = replace(sa_of(), encap=UdpPorts(4500, 61234))
    for sa in (sa_of(), sa_of(destination=PEER6, source=PEER6), encapsulated):
        found = read_sa(build(sa), 0.0)
        assert found is not None
        assert (found.id, found.reqid, found.larval, found.encap) == (sa.id, REQID, False, sa.encap)


def test_what_is_no_sa_of_our_protocols_is_passed_over() -> None:
    offset_of_protocol = layout.SELECTOR.size + 20
    body = bytearray(build(sa_of()))
    body[offset_of_protocol] = 4  # IP in IP, as the kernel makes it beside IPComp
    assert read_sa(bytes(body), 0.0) is None


@pytest.mark.parametrize("suite", DEFLATES, ids=["tunnel", "transport"])
def test_an_sa_of_ipcomp_is_read_as_it_is_built_and_has_no_key(suite: IpsecSuite) -> None:
    body = build(sa_of(CPI, suite=suite))
    found = read_sa(body, 0.0)
    assert found is not None
    assert (found.id, found.larval) == (SaId(PEER, CPI), False)
    present = dict(attributes(body[layout.USERSA_INFO.size :]))
    assert present == {Attr.ALG_COMP: layout.ALGO.pack(b"deflate", 0)}
    assert dict(attributes(build_limit(body, 60, 0.0)[layout.USERSA_INFO.size :])) == present


@pytest.mark.parametrize("direction", Direction)
def test_only_what_comes_in_may_not_have_been_compressed(direction: Direction) -> None:
    plain = policy_of(direction=direction)
    assert plain.template is not None
    policy = replace(plain, template=replace(plain.template, compressed=True))
    body = build_policy(policy)
    templates = body[layout.USERPOLICY_INFO.size + 4 :]
    first, second = (layout.USER_TMPL.unpack_from(templates, place * layout.USER_TMPL.size) for place in (0, 1))
    assert (first[6], second[6]) == (direction is not Direction.OUT, 0)
    assert (first[4], second[4]) == (layout.MODE_TUNNEL, layout.MODE_TRANSPORT)
    found = read_policy(body)
    assert found is not None
    assert found.policy.policy == policy
    assert found.policy.reqid == REQID


def test_limits_in_time_are_soft_and_hard_and_never_none() -> None:
    for seconds, soft, hard in ((3600, 3540, 3600), (10, 5, 10), (2, 1, 2), (1, 1, 1)):
        limits = layout.LIFETIME_CFG.unpack(build(sa_of(lifetime=Lifetime(seconds)))[96:160])
        assert limits[4:] == (soft, hard, 0, 0)


@pytest.mark.parametrize("suite", ["aes128-sha256", "aes256gcm16", "null-sha1"])
def test_a_new_limit_keeps_algorithms_ports_and_volume(suite: str) -> None:
    encap = UdpPorts(4500, 61234)
    sa = replace(sa_of(suite=parse_esp(suite), lifetime=Lifetime(3600, 2)), encap=encap, icv_bits=96)
    before = added_at(build(sa), 1000)
    after = build_limit(before, 60, now=1100.5)
    assert layout.LIFETIME_CFG.unpack(after[96:160])[1:6:4] == (2048, 160)
    assert (after[:96], after[160:224]) == (before[:96], before[160:224])
    kept, given = dict(attributes(after[224:])), dict(attributes(before[224:]))
    assert kept == {kind: value for kind, value in given.items() if kind not in OF_NEW_SAS}


@pytest.mark.parametrize("suite", ["aes128-sha256", "aes256gcm16", "null-sha1"])
def test_new_ports_keep_algorithms_and_limits(suite: str) -> None:
    sa = replace(sa_of(suite=parse_esp(suite), lifetime=Lifetime(3600, 2)), encap=UdpPorts(4500, 40001))
    before = added_at(build(sa), 1000)
    after = build_ports(before, UdpPorts(4500, 40002))
    assert after[:224] == before[:224]
    assert dict(attributes(after[224:])).keys() == dict(attributes(before[224:])).keys() - OF_NEW_SAS
    found = read_sa(after, 0.0)
    assert found is not None
    assert found.encap == UdpPorts(4500, 40002)


@pytest.mark.parametrize("suite", ["aes128-sha256", "aes256gcm16", "null-sha1"])
def test_an_sa_that_moves_keeps_all_but_its_ends_and_counts_from_further_up(suite: str) -> None:
    sa = replace(sa_of(suite=parse_esp(suite), lifetime=Lifetime(3600, 2)), encap=UdpPorts(4500, 40001))
    before = sent(added_at(build(sa), 1000), 77)
    after = build_moved(before, replace(sa, destination=FURTHER, encap=UdpPorts(4500, 40002)))
    found = read_sa(after, 0.0)
    assert found is not None
    assert (found.id, found.source, found.encap) == (SaId(FURTHER, sa.spi), sa.source, UdpPorts(4500, 40002))
    assert after[96:160] == before[96:160]
    given, kept = dict(attributes(before[224:])), dict(attributes(after[224:]))
    assert kept[Attr.LTIME_VAL] == before[160:192]
    assert layout.REPLAY_ESN.unpack_from(kept[Attr.REPLAY_ESN_VAL])[1] == 77 + ADVANCE
    assert {kind for kind in given if kept[kind] != given[kind]} == {Attr.ENCAP, Attr.REPLAY_ESN_VAL}


def test_an_sa_whose_sequence_numbers_are_used_up_moves_no_more() -> None:
    with pytest.raises(KernelRefused, match="used up"):
        build_moved(sent(build(sa_of()), 2**32 - 3), sa_of(destination=FURTHER))


def sent(body: bytes, number: int) -> bytes:
    """The same SA as the kernel tells it after so many packets."""
    window = dict(attributes(body[224:]))[Attr.REPLAY_ESN_VAL]
    words, _, *rest = layout.REPLAY_ESN.unpack_from(window)
    return body.replace(window, layout.REPLAY_ESN.pack(words, number, *rest) + window[layout.REPLAY_ESN.size :])


def test_of_packets_from_another_port_an_sa_in_udp_tells_once_a_second() -> None:
    encapsulated = replace(sa_of(), encap=UdpPorts(4500, 61234))
    assert dict(attributes(build(encapsulated)[224:]))[Attr.MTIMER_THRESH] == (1).to_bytes(4, sys.byteorder)
    assert Attr.MTIMER_THRESH not in dict(attributes(build(sa_of())[224:]))


def test_a_new_limit_holds_for_an_sa_that_seems_to_be_of_tomorrow() -> None:
    """The clock was set back by a day: the kernel adds the limit to the time of birth in 64 bits without a sign."""
    after = build_limit(added_at(build(sa_of()), 86_400), 60, now=100.0)
    assert (layout.LIFETIME_CFG.unpack(after[96:160])[5] + 86_400) % 2**64 == 160


@pytest.mark.parametrize("suite", ["aes128-sha256", "aes256gcm16", "null-sha1"])
def test_keys_that_the_kernel_withholds_are_not_sent_back(suite: str) -> None:
    sa = sa_of(suite=parse_esp(suite))
    keys = keys_of(sa.suite)
    zeros = EspKeys(Secret(bytes(len(keys.encryption))), Secret(bytes(len(keys.integrity))))
    with pytest.raises(KeysWithheld, match="locked down"):
        build_limit(build_sa(sa, zeros), 60, now=0.0)
    with pytest.raises(KeysWithheld, match="locked down"):
        build_ports(build_sa(sa, zeros), UdpPorts(4500, 4501))


def added_at(body: bytes, when: int) -> bytes:
    """The same SA as the kernel tells it, with its time of birth."""
    return body[:160] + layout.LIFETIME_CUR.pack(0, 0, when, 0) + body[192:]


def test_the_volume_of_a_lifetime_is_bounded() -> None:
    lifetime = build(sa_of(lifetime=Lifetime(60, 2**60)))[96:160]
    assert layout.LIFETIME_CFG.unpack(lifetime)[1] == layout.INFINITE


@pytest.mark.parametrize(("window", "large"), [(1, False), (32, False), (33, True), (4096, True)])
def test_a_large_window_has_an_attribute(window: int, large: bool) -> None:
    body = build(sa_of(replay_window=window))
    kinds = [kind for kind, _ in attributes(body[224:])]
    assert kinds == [Attr.ALG_AUTH_TRUNC, Attr.ALG_CRYPT, *([Attr.REPLAY_ESN_VAL] if large else [])]


@pytest.mark.parametrize("suite", ["aes256gcm16", "aes128ccm8", "aes192gmac"])
def test_a_cipher_that_authenticates_is_one_attribute_with_key_and_salt(suite: str) -> None:
    sa = sa_of(suite=parse_esp(suite))
    keys = keys_of(sa.suite)
    found = dict(attributes(build(sa)[224:]))
    name, bits, icv = layout.ALGO_AEAD.unpack_from(found[Attr.ALG_AEAD])
    algorithms = kernel_algorithms(sa.suite)
    assert (name.rstrip(b"\0").decode(), bits, icv) == (
        algorithms.cipher,
        len(keys.encryption) * 8,
        algorithms.icv_bits,
    )
    assert found[Attr.ALG_AEAD][layout.ALGO_AEAD.size :] == keys.encryption.reveal()
    assert not found.keys() & {Attr.ALG_CRYPT, Attr.ALG_AUTH_TRUNC}


@pytest.mark.parametrize(("icv_bits", "wanted"), [(None, 128), (96, 96)])
def test_the_icv_is_as_long_as_usual_or_as_told(icv_bits: int | None, wanted: int) -> None:
    found = dict(attributes(build(replace(sa_of(), icv_bits=icv_bits))[224:]))
    assert layout.ALGO_AUTH.unpack_from(found[Attr.ALG_AUTH_TRUNC])[2] == wanted


def test_a_suite_is_named_by_what_it_is_made_of() -> None:
    assert str(kernel_algorithms(parse_esp("aes256-sha1"))) == "cbc(aes) with hmac(sha1)"
    assert str(kernel_algorithms(parse_esp("aes256gcm16"))) == "rfc4106(gcm(aes))"


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("ends", [(HERE, PEER), (HERE6, PEER6)], ids=["ipv4", "ipv6"])
def test_a_policy_is_read_as_it_is_built(direction: Direction, action: Action, ends: tuple[Address, Address]) -> None:
    policy = policy_of(ports=(17, 53, 1024), direction=direction, action=action, ends=ends)
    found = read_policy(build_policy(policy))
    assert found is not None
    assert found.policy == FoundPolicy(policy.id, policy.reqid, policy.priority, policy)


MODE = 4 + layout.USERPOLICY_INFO.size + 48
"""Where the first template's mode stands."""


def test_a_policy_of_another_form_is_found_with_its_reqid_and_not_taken_for_one_of_ours() -> None:
    beet, policy = bytearray(build_policy(policy_of())), policy_of()
    beet[MODE] = 4
    two = build_policy(policy)[: layout.USERPOLICY_INFO.size] + attribute(Attr.TMPL, 2 * build_policy(policy)[-64:])
    for body in (bytes(beet), two):
        found = read_policy(body)
        assert found is not None
        assert found.policy == FoundPolicy(policy.id, REQID, policy.priority, None)


@pytest.mark.parametrize(("offset", "octets"), [(48, b"\2"), (52, b"\5"), (34, b"\xff\0")], ids=["if", "user", "ports"])
def test_a_policy_that_no_policy_id_names_is_passed_over(offset: int, octets: bytes) -> None:
    body = bytearray(build_policy(policy_of()))
    body[offset : offset + len(octets)] = octets
    assert read_policy(bytes(body)) is None


@pytest.mark.parametrize(("if_id", "mark"), BEARINGS)
def test_a_policy_is_read_with_what_its_packets_bear(if_id: int, mark: Mark | None) -> None:
    policy = policy_of(if_id=if_id, mark=mark)
    found = read_policy(build_policy(policy))
    assert found is not None
    assert found.policy.policy == policy


def test_an_if_id_and_a_mark_that_are_none_are_not_sent() -> None:
    kinds = [kind for kind, _ in attributes(build_policy(policy_of())[layout.USERPOLICY_INFO.size :])]
    assert kinds == [Attr.TMPL]
    assert build_policy_id(policy_of().id)[layout.USERPOLICY_ID.size :] == b""
    assert Attr.IF_ID not in dict(attributes(build(sa_of())[layout.USERSA_INFO.size :]))


def test_an_sa_of_an_interface_bears_its_number() -> None:
    found = dict(attributes(build(sa_of(if_id=42))[layout.USERSA_INFO.size :]))
    assert found[Attr.IF_ID] == (42).to_bytes(4, sys.byteorder)


@pytest.mark.parametrize(
    ("packing", "flags", "extra"),
    [
        (Packing(), 32, 0),
        (Packing(copy_df=False), 32 | 4, 0),
        (Packing(copy_ecn=False), 32 | 1, 0),
        (Packing(copy_dscp=CopyDscp.YES), 32 | 2, 0),
        (Packing(copy_dscp=CopyDscp.IN), 32 | 2, 1),
        (Packing(copy_dscp=CopyDscp.NO), 32, 1),
    ],
)
def test_what_of_the_outer_header_follows_the_inner_one(packing: Packing, flags: int, extra: int) -> None:
    body = build(sa_of(packing=packing))
    found = dict(attributes(body[layout.USERSA_INFO.size :]))
    assert read_info(body).flags == flags
    assert found.get(Attr.SA_EXTRA_FLAGS, bytes(4)) == extra.to_bytes(4, sys.byteorder)


def test_what_an_sa_is_besides_its_keys_goes_on_where_it_moves() -> None:
    marked = sa_of(packing=Packing(copy_df=False, copy_dscp=CopyDscp.NO, tfc_padding=1000), set_mark=Mark(7), if_id=42)
    before = build(replace(marked, encap=UdpPorts(4500, 4500)))
    kinds = {Attr.TFCPAD, Attr.SA_EXTRA_FLAGS, Attr.SET_MARK, Attr.SET_MARK_MASK, Attr.IF_ID}
    for after in (build_moved(before, replace(sa_of(), encap=UdpPorts(4500, 7))), build_ports(before, UdpPorts(1, 2))):
        found, was = (dict(attributes(body[layout.USERSA_INFO.size :])) for body in (after, before))
        assert {kind: found[kind] for kind in kinds} == {kind: was[kind] for kind in kinds}
        assert read_info(after).flags == read_info(before).flags


def test_an_sa_that_marks_packets_says_which_bits() -> None:
    found = dict(attributes(build(sa_of(set_mark=Mark(0x4200, 0xFF00)))[layout.USERSA_INFO.size :]))
    assert found[Attr.SET_MARK] == (0x4200).to_bytes(4, sys.byteorder)
    assert found[Attr.SET_MARK_MASK] == (0xFF00).to_bytes(4, sys.byteorder)


def test_a_policy_of_a_socket_is_passed_over() -> None:
    body = bytearray(build_policy(policy_of()))
    body[layout.USERPOLICY_INFO.size - 8] = 4  # the direction
    assert read_policy(bytes(body)) is None


def test_a_policy_without_template_and_with_host_bits() -> None:
    policy = policy_of()
    body = bytearray(build_policy(policy)[: layout.USERPOLICY_INFO.size])
    body[3] = 9  # 10.2.0.9/24
    found = read_policy(bytes(body))
    assert found is not None
    assert found.policy.id == policy.id
    assert found.policy.reqid == 0


@pytest.mark.parametrize(
    ("suite", "ends", "flags"),
    [
        (AES_SHA256, (HERE, PEER), 32),
        (AH_SHA256, (HERE, PEER), 32 | 64),
        (AH_SHA256, (HERE6, PEER6), 32),
        (replace(AES_SHA256, esn=True), (HERE, PEER), 32 | 128),
    ],
    ids=["esp", "ah: multiples of 32 bits", "ah in IPv6: of 64", "64 bits"],
)
def test_flags_of_an_sa(suite: IpsecSuite, ends: tuple[Address, Address], flags: int) -> None:
    sa = sa_of(Spi.of(suite.protocol, SPI.octets), suite=suite, source=ends[0], destination=ends[1])
    assert read_info(build(sa)).flags == flags
