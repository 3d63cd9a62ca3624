"""Every stage at which a conversation waits for its peer, and the peer that knows the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from ikevd.addresses import Path
from ikevd.crypto import keys
from ikevd.crypto.groups import KeyPair
from ikevd.crypto.secret import Secret
from ikevd.exchanges import aggressive_mode, informational, main_mode, phase2, quick_mode
from ikevd.exchanges.link import Link
from ikevd.exchanges.phase1 import Candidates, Keying, accept_choice, accept_key_exchange, accept_offer, remote_identity
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.suites import IpsecSuite
from ikevd.policy.transforms import offer_phase1, offer_phase2
from ikevd.sa.model import NO_COOKIE, IsakmpSa
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain
from ikevd.wire.payloads import (
    DeletePayload,
    HashPayload,
    IdPayload,
    KePayload,
    NatDPayload,
    NoncePayload,
    Payload,
    VidPayload,
)
from ikevd.wire.registry import ExchangeType, Flags, Group, PayloadType, Protocol
from ikevd.wire.sa import SaPayload
from ikevd.wire.vendor_ids import NAT_T_RFC_3947
from tests.builders import (
    AES128_SHA256_X25519,
    AES256_SHA1_MODP2048,
    ALICE_TO_BOB,
    BOB_TO_ALICE,
    ESP_AES128_SHA256,
    SeededEntropy,
    child,
    connection,
    key_pair,
    mirrored,
    psk,
)
from tests.fuzz.stage import COOKIES, MESSAGE_ID, Peer, Stage

NONCE = SeededEntropy(7).octets(32)
PFS = IpsecSuite(ESP_AES128_SHA256.transform, 128, ESP_AES128_SHA256.integrity, Group.CURVE25519)
ALICE_VIEW = connection(suites=(AES128_SHA256_X25519, AES256_SHA1_MODP2048))
BOB_VIEW = mirrored(ALICE_VIEW)
OTHER_SECRET = replace(BOB_VIEW, name="other", psk=psk("another secret"))

NAT_T = VidPayload(NAT_T_RFC_3947)
NAT_D = NatDPayload(PayloadType.NAT_D, bytes(32)), NatDPayload(PayloadType.NAT_D, bytes(31) + b"\1")
"""They fit no endpoint: a NAT."""

FLOATED = Path(replace(BOB_TO_ALICE.local, port=4500), replace(BOB_TO_ALICE.remote, port=4500))
"""Where the initiator goes once a NAT is found."""


# -- Main Mode ------------------------------------------------------------------------------------------------------


def initiator() -> Peer:
    return Peer(
        lambda link, _: main_mode.initiate(link, ALICE_VIEW, SeededEntropy(1)), ExchangeType.MAIN_MODE, initiator=True
    )


def responder() -> Peer:
    candidates = Candidates((OTHER_SECRET, BOB_VIEW))
    return Peer(
        lambda link, _: main_mode.respond(link, candidates, SeededEntropy(2)), ExchangeType.MAIN_MODE, initiator=False
    )


async def _initiating_harness(link: Link, view: Connection, found: list[Keying]) -> None:
    """Main Mode up to message 4, keeping the keys for those who make up message 5."""
    offer = offer_phase1(view.suites, view.lifetime)
    choice = await link.ask(offer, accept=partial(accept_choice, view.suites))
    pair = key_pair(choice.suite.group)
    peer = await link.ask(
        KePayload(pair.public), NoncePayload(NONCE), accept=lambda message: accept_key_exchange(pair, message)
    )
    public, nonces = (pair.public, peer.public), (NONCE, peer.nonce)
    found.append(Keying.derive(view.psk, choice.suite, link.cookies, offer.body, public, nonces, peer.g_xy))


async def _responding_harness(link: Link, view: Connection, found: list[Keying]) -> None:
    """Main Mode up to message 4, keeping the keys for those who make up message 6."""
    offer = await link.receive(accept_offer)
    choice, _ = Candidates((view,)).choose(offer)
    await link.answer(choice.answer)
    pair = key_pair(choice.suite.group)
    peer = await link.receive(lambda message: accept_key_exchange(pair, message))
    await link.answer(KePayload(pair.public), NoncePayload(NONCE))
    public, nonces = (peer.public, pair.public), (peer.nonce, NONCE)
    found.append(Keying.derive(view.psk, choice.suite, link.cookies, offer.body, public, nonces, peer.g_xy))


def mm1(*more: Payload) -> Stage:
    return responder().stage(offer_phase1(ALICE_VIEW.suites, ALICE_VIEW.lifetime), *more)


def mm2(*more: Payload) -> Stage:
    return initiator().stage(offer_phase1(ALICE_VIEW.suites[:1], ALICE_VIEW.lifetime), *more)


def mm3(nat: bool = False) -> Stage:
    bob = responder().hear(mm1(*(NAT_T,) * nat).genuine_datagram())
    return bob.stage(KePayload(_public_value()), NoncePayload(NONCE), *NAT_D * nat)


def mm4(nat: bool = False) -> Stage:
    alice = initiator().hear(mm2(*(NAT_T,) * nat).genuine_datagram())
    return alice.stage(KePayload(_public_value()), NoncePayload(NONCE), *NAT_D * nat)


def mm5() -> Stage:
    bob, found = responder(), list[Keying]()
    alice = Peer(lambda link, _: _initiating_harness(link, ALICE_VIEW, found), ExchangeType.MAIN_MODE, initiator=True)
    bob.hear(alice.sent[-1])
    alice.hear(bob.sent[-1])
    bob.hear(alice.sent[-1])
    alice.hear(bob.sent[-1])
    return _last_of_main_mode(bob, found[0], keys.hash_i)


def mm6() -> Stage:
    alice, found = initiator(), list[Keying]()
    bob = Peer(lambda link, _: _responding_harness(link, BOB_VIEW, found), ExchangeType.MAIN_MODE, initiator=False)
    bob.hear(alice.sent[-1])
    alice.hear(bob.sent[-1])
    bob.hear(alice.sent[-1])
    alice.hear(bob.sent[-1])
    found[0].chain.iv = alice.situation.chains[0].iv
    return _last_of_main_mode(alice, found[0], keys.hash_r)


def _last_of_main_mode(peer: Peer, keying: Keying, formula: Callable[..., bytes]) -> Stage:
    view = ALICE_VIEW if peer.core.initiator else BOB_VIEW
    public = keying.g_xi, keying.g_xr

    def prove(identity_body: bytes) -> HashPayload:
        pair = keying.cookies.initiator, keying.cookies.responder
        return HashPayload(formula(keying.under_skeyid, *public, *pair, keying.sai_b, identity_body))

    identity = remote_identity(view, peer.situation.path).to_payload()
    return peer.stage(identity, chain=keying.chain, prove=prove)


# -- Aggressive Mode ------------------------------------------------------------------------------------------------

ALICE_SHORT = replace(ALICE_VIEW, aggressive=True, suites=ALICE_VIEW.suites[:1])
BOB_SHORT = mirrored(ALICE_SHORT)


def short_initiator() -> Peer:
    return Peer(
        lambda link, _: aggressive_mode.initiate(link, ALICE_SHORT, SeededEntropy(1)),
        ExchangeType.AGGRESSIVE,
        initiator=True,
    )


def short_responder() -> Peer:
    return Peer(
        lambda link, _: aggressive_mode.respond(link, Candidates((BOB_SHORT,)), SeededEntropy(2)),
        ExchangeType.AGGRESSIVE,
        initiator=False,
    )


def _first_of_aggressive(pair: KeyPair) -> tuple[Payload, ...]:
    offer = offer_phase1(ALICE_SHORT.suites, ALICE_SHORT.lifetime)
    idii = remote_identity(BOB_SHORT, BOB_TO_ALICE).to_payload()
    return offer, KePayload(pair.public), NoncePayload(NONCE), idii


def am1(nat: bool = False) -> Stage:
    pair = key_pair(Group.CURVE25519)
    return short_responder().stage(*_first_of_aggressive(pair), *(NAT_T,) * nat)


def am2(nat: bool = False) -> Stage:
    """The proof is for the genuine public value and nonce."""
    alice = short_initiator()
    asked = _clear(alice.sent[-1])
    g_xi, ni_b, offer = asked.one(KePayload).body, asked.one(NoncePayload).body, asked.one(SaPayload)
    pair = key_pair(Group.CURVE25519)
    keying = _short_keying(offer, (g_xi, pair.public), (ni_b, NONCE), pair.shared(g_xi))
    genuine = (
        offer,
        KePayload(pair.public),
        NoncePayload(NONCE),
        remote_identity(ALICE_SHORT, ALICE_TO_BOB).to_payload(),
    )
    return alice.stage(
        *genuine,
        *((NAT_T, *NAT_D) if nat else ()),
        prove=lambda body: keying.hash_r(IdPayload.decode(body) if len(body) >= 4 else genuine[3]),
    )


def am3(nat: bool = False, *, encrypted: bool = True) -> Stage:
    bob, pair = short_responder(), key_pair(Group.CURVE25519)
    first = _first_of_aggressive(pair)
    chain = encode_chain((*first, *(NAT_T,) * nat))
    bob.hear(Header(COOKIES.initiator, NO_COOKIE, PayloadType.SA, bob.kind, Flags.NONE, 0).encode(len(chain)) + chain)
    answer = _clear(bob.sent[-1])
    g_xr, nr_b = answer.one(KePayload).body, answer.one(NoncePayload).body
    keying = _short_keying(first[0], (pair.public, g_xr), (NONCE, nr_b), pair.shared(g_xr))
    proof = keying.hash_i(IdPayload.decode(first[3].body))
    stage = bob.stage(*NAT_D * nat, chain=keying.chain if encrypted else None, prove=lambda _: proof)
    return replace(stage, path=FLOATED) if nat else stage


def _short_keying(offer: Payload, public: tuple[bytes, bytes], nonces: tuple[bytes, bytes], g_xy: Secret) -> Keying:
    return Keying.derive(ALICE_SHORT.psk, ALICE_SHORT.suites[0], COOKIES, offer.body, public, nonces, g_xy)


def _clear(datagram: bytes) -> Message:
    return Message.decode_untrusted(Header.decode_untrusted(datagram), datagram[HEADER_OCTETS:])


@cache
def _public_value() -> bytes:
    return key_pair(Group.CURVE25519).public


# -- under an ISAKMP SA -----------------------------------------------------------------------------------------------


@cache
def isakmp_sas() -> tuple[IsakmpSa, IsakmpSa]:
    """Alice's and Bob's SA of one Main Mode."""
    alice, bob = initiator(), responder()
    for _ in range(3):
        bob.hear(alice.sent[-1])
        alice.hear(bob.sent[-1])
    return alice.result, bob.result


def _child_of(side: str, suites: tuple[IpsecSuite, ...]) -> Child:
    networks = ("10.1.0.0/24", "10.2.0.0/24") if side == "alice" else ("10.2.0.0/24", "10.1.0.0/24")
    return child(*networks, suites=suites)


def _quick_responder() -> Peer:
    _, sa = isakmp_sas()
    children = (_child_of("bob", (ESP_AES128_SHA256, PFS)),)
    return Peer(
        lambda link, host: quick_mode.respond(link, host, sa, children, SeededEntropy(2)),
        ExchangeType.QUICK_MODE,
        initiator=False,
        sa=sa,
    )


def _quick_initiator(*suites: IpsecSuite) -> Peer:
    sa, _ = isakmp_sas()
    wanted = _child_of("alice", suites)
    return Peer(
        lambda link, host: quick_mode.initiate(link, host, sa, wanted, SeededEntropy(1)),
        ExchangeType.QUICK_MODE,
        initiator=True,
        sa=sa,
    )


def _first_of_quick_mode(pfs: bool) -> tuple[Payload, ...]:
    wanted = _child_of("alice", (PFS,) if pfs else (ESP_AES128_SHA256,))
    ke = (KePayload(_public_value()),) if pfs else ()
    offer = offer_phase2(wanted.suites, wanted.lifetime, bytes.fromhex("00003000"))
    return offer, NoncePayload(NONCE), *ke, wanted.local.to_id(), wanted.remote.to_id()


def qm1(pfs: bool = False) -> Stage:
    sa, _ = isakmp_sas()
    return _quick_responder().stage(
        *_first_of_quick_mode(pfs),
        chain=phase2.chains(sa, MESSAGE_ID)[0],
        prove=lambda rest: HashPayload(keys.hash_1(sa.keys.under_skeyid_a(), MESSAGE_ID, rest)),
    )


def qm2(pfs: bool = False) -> Stage:
    sa, _ = isakmp_sas()
    alice = _quick_initiator(PFS if pfs else ESP_AES128_SHA256)
    ni_b = SeededEntropy(1).octets(32)
    chain = phase2.chains(sa, MESSAGE_ID)[0]
    chain.iv = alice.situation.chains[0].iv
    return alice.stage(
        *_first_of_quick_mode(pfs),
        chain=chain,
        prove=lambda rest: HashPayload(keys.hash_2(sa.keys.under_skeyid_a(), MESSAGE_ID, ni_b, rest)),
    )


def qm3() -> Stage:
    sa, _ = isakmp_sas()
    bob = _quick_responder().hear(qm1().genuine_datagram())
    nr_b = SeededEntropy(2).octets(32)
    chain = phase2.chains(sa, MESSAGE_ID)[0]
    chain.iv = bob.situation.chains[0].iv
    return bob.stage(
        chain=chain, prove=lambda _: HashPayload(keys.hash_3(sa.keys.under_skeyid_a(), MESSAGE_ID, NONCE, nr_b))
    )


def info() -> Stage:
    sa, theirs = isakmp_sas()
    bob = Peer(lambda link, _: informational.hear(link, theirs), ExchangeType.INFORMATIONAL, initiator=False, sa=theirs)
    return bob.stage(
        DeletePayload(Protocol.ESP, (bytes.fromhex("00003000"),)),
        chain=phase2.chains(sa, MESSAGE_ID)[0],
        prove=lambda rest: HashPayload(keys.hash_1(sa.keys.under_skeyid_a(), MESSAGE_ID, rest)),
    )


STAGES: dict[str, Callable[[], Stage]] = {
    "MM1": mm1,
    "MM2": mm2,
    "MM3": mm3,
    "MM4": mm4,
    "MM5": mm5,
    "MM6": mm6,
    "MM3 with NAT-D": lambda: mm3(nat=True),
    "MM4 with NAT-D": lambda: mm4(nat=True),
    "AM1": am1,
    "AM1 with NAT-T": lambda: am1(nat=True),
    "AM2": am2,
    "AM2 with NAT-D": lambda: am2(nat=True),
    "AM3": am3,
    "AM3 with NAT-D": lambda: am3(nat=True),
    "AM3 in the clear": lambda: am3(encrypted=False),
    "QM1": qm1,
    "QM1 with PFS": lambda: qm1(pfs=True),
    "QM2": qm2,
    "QM2 with PFS": lambda: qm2(pfs=True),
    "QM3": qm3,
    "INFO": info,
}


def split(data: bytes) -> tuple[bytes, bytes]:
    """Header and body; a short header is filled with zeros."""
    return data[:HEADER_OCTETS].ljust(HEADER_OCTETS, b"\0"), data[HEADER_OCTETS:]
