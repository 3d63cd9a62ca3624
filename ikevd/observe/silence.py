"""The words for silence: what was seen first, then what it may mean, the likeliest first."""

from __future__ import annotations

from collections.abc import Callable

from ikevd.errors import Finding
from ikevd.findings import NoAnswerYet, Silence, SilentIdentity

OTHERWISE = "the peer answered, encrypted, but not under our key"
Say = Callable[[Finding], str]


def silence(found: Silence, say: Say) -> str:
    """`no MM2: MM1 was sent 6 times in 41 s`, after what the network or the peer said meanwhile."""
    seen = [*(say(each) for each in found.unreachable), *_hints(found)]
    if found.sent is None:
        waited = f"no {found.awaited} in {found.seconds} s"
    else:
        waited = f"no {found.awaited}: {found.sent} was sent {_times(found.sends)} in {found.seconds} s"
    return "; ".join((*seen, waited, *_refused(found, say), *_meaning(found)))


def _meaning(found: Silence) -> list[str]:
    """Only where nothing better was seen."""
    if found.unreachable or found.hints or found.refused or found.sent is None:
        return []
    if found.port != found.first_port:
        return [
            f"UDP {found.port} may be blocked on the way: nothing came from there, while {found.first_port} had worked"
        ]
    return [meaning] if (meaning := MEANINGS.get(found.awaited)) else []


MEANINGS = {
    "MM2": "UDP 500 may be blocked, or the peer knows no connection for our address",
    "MM4": "a long message may be lost on the way, or the peer has no key for our address",
    "AM2": "UDP 500 may be blocked, or the peer does not allow Aggressive Mode, or knows no such identity",
    "QM2": "the peer may be silent where it refuses selectors, PFS or cipher, or may have lost the ISAKMP SA",
}


def silent_identity(found: SilentIdentity, say: Say) -> str:
    """Port 4500 first where only it is new; a wrong key else; both after what was said meanwhile."""
    heard = found.silence
    seen = [*(say(each) for each in heard.unreachable), *_hints(heard)]
    sent = f"MM5 was sent {_times(heard.sends)} in {heard.seconds} s"
    identity = f"{found.identity.value} ({found.identity.type})"
    key = f"the secret that was tried is defined at {found.source}"
    if heard.otherwise:
        meaning = f"probable pre-shared key mismatch: {OTHERWISE} ({sent})"
        return "; ".join((*seen, meaning, *_refused(heard, say), key))
    if heard.port != heard.first_port and not heard.refused:
        silent = f"no answer on UDP port {heard.port} ({sent}), while port {heard.first_port} had worked"
        means = (
            f"UDP {heard.port} may be blocked on the way; or the pre-shared keys differ: {key}; "
            f"or the peer refuses our identity {identity}"
        )
        return "; ".join((*seen, silent, means))
    silent = f"probable pre-shared key mismatch: the peer went silent at message 5, the first encrypted one ({sent})"
    return "; ".join((*seen, silent, *_refused(heard, say), f"{key}. Or the peer refuses our identity {identity}"))


def no_answer_yet(found: NoAnswerYet) -> str:
    """At the first repetition, so that nobody waits mutely for the end."""
    if found.port != found.first_port:
        keys = ", or the pre-shared keys differ" if found.awaited == "MM6" else ""
        return f"no answer to {found.sent} yet: UDP {found.port} may be blocked{keys}"
    if found.awaited == "MM6":
        return f"no answer to {found.sent} yet: the pre-shared keys may differ, or the peer refuses our identity"
    meaning = MEANINGS.get(found.awaited)
    return f"no answer to {found.sent} yet{f': {meaning}' if meaning else ''}"


def _refused(found: Silence, say: Say) -> list[str]:
    return [f"the last message that came was refused: {say(found.refused)}"] if found.refused else []


def _hints(found: Silence) -> list[str]:
    return [f"the peer says, unauthenticated: {hint}" for hint in found.hints]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
