"""The sentences of findings about peers that begin anew, and about who replaces whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ikevd import contact_findings as cf
from ikevd.errors import Finding


def _begins_anew(found: cf.BeginsAnew) -> str:
    said = "the peer says INITIAL_CONTACT, it holds nothing else with us"
    ends = [_count(number, what) for number, what in ((found.pairs, "pair"), (found.isakmp_sas, "ISAKMP SA")) if number]
    return f"{said}: {' and '.join(ends)} of before end" if ends else f"{said}, and nothing older stands here"


def _former_lives(found: cf.FormerLives) -> str:
    return (
        f"the peer says INITIAL_CONTACT, but what it has at {found.former} was heard of within the last "
        f"{found.seconds} s; it is refused (unique: keep)"
    )


def _rivals(found: cf.Rivals) -> str:
    return (
        f"{found.first} and {found.second} show one identity and replace each other: two peers may have it; "
        f"{found.second} is refused for {found.seconds} s"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


SENTENCES: dict[type[Finding], Callable[[Any], str]] = {
    cf.BeginsAnew: _begins_anew,
    cf.NotHeeded: lambda found: "the peer says INITIAL_CONTACT, which has no consequence here (unique: never)",
    cf.FormerLives: _former_lives,
    cf.Rivals: _rivals,
    cf.CalledAnew: lambda found: (
        f"{found.notify} came, which nothing proves, and the peer cannot be asked whether it lives: it is called anew "
        "beside what stands"
    ),
    cf.LostAtPeer: lambda found: (
        f"the peer says INVALID_SPI: it does not know {found.spi}, which {found.child} sends to; another pair takes "
        "its place"
    ),
    cf.StraySpi: lambda found: (
        f"ESP comes from the peer under {found.spi}, which nobody has here: it is told INVALID_SPI"
        + (f" ({found.times} such packets since this was last told)" if found.times > 1 else "")
    ),
    cf.Greeted: lambda found: "we say INITIAL_CONTACT: nothing stood with the peer",
}
