"""Records of a peer for tests: everything has a default, a test names what it is about; and effects in words.

Alice's peer is Bob. ISAKMP SAs are named by a letter, pairs by a number: our SPI is 0xD000000n, the peer's 0xE000000n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.secret import Secret
from ikevd.errors import Finding, IkeError
from ikevd.facts import Established, Note
from ikevd.observe.words import say
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.decide import decide
from ikevd.peer.effects import (
    Abort,
    Answer,
    AskBalance,
    AskPackets,
    AskTraffic,
    AskUse,
    BeginPhaseOne,
    BeginQuickMode,
    Effect,
    Follow,
    Forget,
    Record,
    Resume,
    RunHook,
    Say,
    TellOthers,
)
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.facts import Fact
from ikevd.peer.isakmp_state import IsakmpState, LastFlight, Stage
from ikevd.peer.start import pause
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, Spi
from ikevd.wire.payloads import DeletePayload, NotifyPayload, Payload
from ikevd.wire.registry import Hash, Protocol
from tests.builders import (
    AES128_SHA256_X25519,
    ALICE,
    ALICE_TO_BOB,
    BOB,
    ESP_AES128_SHA256,
    child,
    connection,
    fqdn,
)

NOW = 1000.0
SALT = b"drawn in a test"
KEY = PeerKey("bob", fqdn("bob.example"))
LAN = child(name="lan", start=Start.ALWAYS)
OTHER = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
"""Manual."""
VIEW = connection(children=(LAN, OTHER))
A, B, C = (Cookies(letter.encode() * 8, letter.lower().encode() * 8) for letter in "ABC")


def isakmp_sa(cookies: Cookies = A, *, initiator: bool = True, seconds: int = 86400) -> IsakmpSa:
    nothing = Secret(bytes(32))
    return IsakmpSa(
        cookies=cookies,
        connection="bob",
        initiator=initiator,
        path=ALICE_TO_BOB,
        local_id=fqdn("alice.example"),
        remote_id=fqdn("bob.example"),
        suite=AES128_SHA256_X25519,
        lifetime=Lifetime(seconds),
        keys=Phase1Keys(Hash.SHA2_256, nothing, nothing),
        cipher_key=Secret(bytes(16)),
        last_blocks=(bytes(16),),
    )


LAST_WORD = LastFlight(b"message 5", (b"message 6",))
"""Of phase 1, ours, which may have been lost."""


def isakmp(cookies: Cookies = A, **changes: object) -> IsakmpState:
    """Born at 500, heard of at 990."""
    plain = IsakmpState(isakmp_sa(cookies), Stage.READY, ALICE_TO_BOB, 500.0, 990.0, 86900.0)
    return replace(plain, **changes)  # type: ignore[arg-type]


def ipsec(number: int = 1, name: str = "lan", **changes: object) -> IpsecSa:
    """The `number`-th pair."""
    configured = child()
    plain = IpsecSa(
        child=name,
        reqid=configured.reqid,
        local=ALICE,
        remote=BOB,
        local_selector=configured.local,
        remote_selector=configured.remote,
        suite=ESP_AES128_SHA256,
        lifetime=Lifetime(3600),
        replay_window=128,
        inbound=ours(number),
        outbound=theirs(number),
        initiator=True,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def seen_from_there(sa: IpsecSa) -> IpsecSa:
    """By the other end."""
    return replace(sa, inbound=sa.outbound, outbound=sa.inbound, initiator=not sa.initiator)


def pair(number: int = 1, name: str = "lan", **changes: object) -> PairState:
    """Made 600 s ago, under A."""
    plain = PairState(ipsec(number, name), A, Half.BOTH, NOW - 600, NOW + 3000, None)
    return replace(plain, **changes)  # type: ignore[arg-type]


def opening(number: int, attempt: int, half: Half = Half.INBOUND, name: str = "lan", **changes: object) -> PairState:
    """A pair that `attempt` is making since a moment ago."""
    return pair(number, name, half=half, attempt=Attempt(attempt), born=NOW - 0.1, expires=NOW + 3599.9, **changes)


def mode(child: str | None = "lan", **changes: object) -> QuickModeState:
    """A Quick Mode of ours, begun a moment ago."""
    return replace(QuickModeState(A, ours=True, born=NOW - 0.1, child=child), **changes)  # type: ignore[arg-type]


def ours(number: int = 1) -> Spi:
    return Spi(0xD0000000 + number)


def theirs(number: int = 1) -> Spi:
    return Spi(0xE0000000 + number)


def peer(
    *stands: IsakmpState,
    lan: ChildState | None = None,
    dmz: ChildState | None = None,
    modes: dict[int, QuickModeState] | None = None,
    **changes: object,
) -> PeerState:
    """A peer with these ISAKMP SAs, children and Quick Modes; `serial` is 10 where it is not said."""
    children = {name: state for name, state in (("lan", lan), ("dmz", dmz)) if state is not None}
    plain = PeerState(
        KEY,
        isakmp={isakmp.sa.cookies: isakmp for isakmp in stands},
        children=children,
        quick_modes={Attempt(number): quick for number, quick in (modes or {}).items()},
        serial=10,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def later(failures: int, name: str = "lan") -> float:
    """When a child is tried again after so many failures in a row."""
    return NOW + pause(KEY, name, failures)


def told(state: PeerState, *facts: Fact, now: float = NOW, view: Connection = VIEW) -> tuple[PeerState, list[str]]:
    """The state after these facts, and the effects of the last one in words."""
    effects: tuple[Effect, ...] = ()
    for fact in facts:
        state, effects = decide(view, state, fact, now, SALT)
    return state, in_words(effects)


def effects_of(state: PeerState, fact: Fact, now: float = NOW) -> tuple[Effect, ...]:
    """As they are."""
    return decide(VIEW, state, fact, now, SALT)[1]


def in_words(effects: Iterable[Effect]) -> list[str]:
    return [_in_words(effect) for effect in effects]


def _in_words(effect: Effect) -> str:
    match effect:
        case BeginPhaseOne(attempt, why):
            return f"begin phase 1 as {attempt}" + (f": {_said(why)}" if why else "")
        case BeginQuickMode(attempt, name, under, why):
            return f"begin {name} as {attempt} under {_letter(under)}" + (f": {_said(why)}" if why else "")
        case Abort(attempt, error):
            return f"abort {attempt}: {_error(error)}"
        case Resume(attempt, error):
            return f"resume {attempt}" + (f": {_error(error)}" if error else "")
        case Say(under, payloads, once, to):
            where = f"under {_letter(under)}" + (f" to {to.remote}" if to else "")
            return f"say{' once' if once else ''} {where}: {', '.join(map(_payload, payloads))}"
        case AskUse(name):
            return f"ask whether {name} is used"
        case AskBalance(counted):
            return "ask how many packets came" + (f" under {_letter(counted)}" if counted else "")
        case AskPackets(name):
            return f"ask for packets of {name}"
        case AskTraffic(under, if_left):
            return f"ask for traffic under {_letter(under)}" + (", if any has left" if if_left else "")
        case Follow(under, path):
            return f"follow {_letter(under)} to {path.remote}"
        case Forget(under):
            return f"forget {_letter(under)}"
        case Record(under, Note(finding) | Established(finding)):
            return f"record of {_letter(under)}: {_said(finding)}"
        case TellOthers(under):
            return f"tell others of {_letter(under)}"
        case Answer(name, error):
            return f"answer {name}: " + (_error(error) if error else "up")
        case RunHook(name, call, up):
            return f"run {call.updown.program} for {name}: {'up' if up else 'down'}"
        case _:
            raise AssertionError(effect)


def _letter(under: Cookies) -> str:
    return under.initiator[:1].decode()


def _error(error: IkeError) -> str:
    return f"{type(error).__name__} ({_said(error.finding)})"


def _said(finding: Finding) -> str:
    return say(finding)


def _payload(payload: Payload) -> str:
    match payload:
        case DeletePayload(protocol=Protocol.ISAKMP, spis=spis):
            return "delete " + " ".join(f"ISAKMP SA {spi[:1].decode()}" for spi in spis)
        case DeletePayload(spis=spis):
            return "delete " + " ".join(spi.hex() for spi in spis)
        case NotifyPayload(type=kind, spi=spi):
            return f"{kind}" + (f" for {spi.hex()}" if spi else "")
        case _:
            raise AssertionError(payload)
