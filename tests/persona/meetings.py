"""The router and this daemon's exchanges, face to face in virtual time."""

from __future__ import annotations

from dataclasses import replace

from ikevd.conversation.timing import Timing
from ikevd.crypto.secret import Secret
from ikevd.exchanges import aggressive_mode, main_mode, phase2, quick_mode
from ikevd.exchanges.link import Exchange, Link
from ikevd.exchanges.phase1 import Candidates
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection, PreSharedKey
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import EspTransform, ExchangeType, Integrity
from tests.builders import SeededEntropy, child, connection
from tests.duet import Duet, Network
from tests.persona import phase1 as ios
from tests.persona import phase2 as ios_phase2
from tests.persona.router import Policy, Router, RouterSa

SECRET = b"a m4rked-secret for the router"
GROUP_NAME = "branch"
MESSAGE_ID = 0x0F2B7862
ESP_AES_SHA = IpsecSuite(EspTransform.AES_CBC, 128, Integrity.HMAC_SHA1)


def suite(policy: Policy) -> IkeSuite:
    """The router's policy in our words."""
    return IkeSuite(policy.cipher, policy.key_bits, policy.hash, policy.group)


def lan(**changes: object) -> Child:
    """Our side of the router's access list."""
    return child(**{"suites": (ESP_AES_SHA,), "lifetime": Lifetime(3600), **changes})  # type: ignore[arg-type]


def ours(router: Router, **changes: object) -> Connection:
    """Alice's connection to the router at Bob's address."""
    plain = connection(
        name="router",
        psk=PreSharedKey(Secret(router.psk), "test.yaml:1:1"),
        suites=tuple(suite(policy) for policy in router.policies),
        children=(lan(),),
        aggressive=router.group_name is not None,
        remote_id=Identity.parse(f"keyid:{router.group_name}") if router.group_name else None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def seen_from_bob(view: Connection) -> Connection:
    """The same where we are Bob and the router comes from Alice's address."""
    swapped = tuple(replace(c, local=c.remote, remote=c.local) for c in view.children)
    return replace(view, local=view.remote, remote=view.local, children=swapped)


def router_calls_us(router: Router, view: Connection | None = None, network: Network | None = None) -> Duet:
    """Phase 1 with the router as initiator, at Alice's address."""
    us = view or seen_from_bob(ours(router))
    if router.group_name is not None:
        mode, kind, theirs = aggressive_mode.respond, ExchangeType.AGGRESSIVE, ios.initiate_aggressive_mode
    else:
        mode, kind, theirs = main_mode.respond, ExchangeType.MAIN_MODE, ios.initiate_main_mode
    return Duet(
        kind,
        lambda link, _: theirs(link, router),
        lambda link, _: mode(link, Candidates((us,)), SeededEntropy(2)),
        network=network,
    ).run()


def we_call_router(
    router: Router, view: Connection | None = None, network: Network | None = None, *, aggressive: bool = False
) -> Duet:
    """Phase 1 with the router as responder, at Bob's address."""
    us = view or ours(router, aggressive=aggressive)
    if us.aggressive:
        mode, kind, theirs = aggressive_mode.initiate, ExchangeType.AGGRESSIVE, ios.respond_aggressive_mode
    else:
        mode, kind, theirs = main_mode.initiate, ExchangeType.MAIN_MODE, ios.respond_main_mode
    return Duet(
        kind,
        lambda link, _: mode(link, us, SeededEntropy(1)),
        lambda link, _: theirs(link, router),
        network=network,
        timing=Timing(us.resend),
    ).run()


def both(duet: Duet) -> tuple[RouterSa, IsakmpSa]:
    """The router's SA and ours."""
    ours_first = isinstance(duet.responder.result, RouterSa)
    theirs, mine = (duet.responder, duet.initiator) if ours_first else (duet.initiator, duet.responder)
    assert theirs.error is None
    assert mine.error is None
    return theirs.result, mine.result


def agree(duet: Duet) -> None:
    """Both hold the same keys, by two different sets of formulas."""
    theirs, sa = both(duet)
    skeyid_d, skeyid_a, cipher_key = (key.reveal() for key in (sa.keys.skeyid_d, sa.keys.skeyid_a, sa.cipher_key))
    assert (theirs.keys.d, theirs.keys.a) == (skeyid_d, skeyid_a)
    assert theirs.keys.cipher_key(len(cipher_key)) == cipher_key
    assert theirs.last_block in sa.last_blocks


def quick_mode_between(
    duet: Duet, children: tuple[Child, ...], *, router_begins: bool, router: Router | None = None
) -> Duet:
    """A Quick Mode under the SAs of a phase 1; `router` replaces the configuration of the router."""
    router_sa, sa = both(duet)
    router_sa = replace(router_sa, router=router or router_sa.router)

    def router_exchange(link: Link, host: object) -> Exchange:
        begin = ios_phase2.initiate_quick_mode if router_begins else ios_phase2.respond_quick_mode
        return begin(link, host, router_sa)  # type: ignore[arg-type]

    def our_exchange(link: Link, host: object) -> Exchange:
        if router_begins:
            return quick_mode.respond(link, host, sa, children, SeededEntropy(3))  # type: ignore[arg-type]
        return quick_mode.initiate(link, host, sa, children[0], SeededEntropy(3))  # type: ignore[arg-type]

    ours_first = phase2.chains(sa, MESSAGE_ID), (router_sa.chain(MESSAGE_ID),)
    chains = iter(reversed(ours_first) if router_begins else ours_first)
    return Duet(
        ExchangeType.QUICK_MODE,
        router_exchange if router_begins else our_exchange,
        our_exchange if router_begins else router_exchange,
        cookies=sa.cookies,
        message_id=MESSAGE_ID,
        chains=lambda: next(chains),
    ).run()
