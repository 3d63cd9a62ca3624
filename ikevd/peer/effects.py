"""What a session does after a fact, in this order, once the kernel is as the new state wants it."""

from __future__ import annotations

from ikevd import facts
from ikevd.addresses import Path
from ikevd.errors import Finding, IkeError
from ikevd.frozen import frozen
from ikevd.host.hooks import HookCall
from ikevd.peer.exchange_state import Attempt
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.payloads import Payload


@frozen
class BeginPhaseOne:
    """Begin a phase 1 of ours; where it cannot be begun, `PhaseOneFailed` follows."""

    attempt: Attempt
    why: Finding | None = None
    """Evidence, where nobody else tells."""


@frozen
class BeginQuickMode:
    """Begin a Quick Mode of ours."""

    attempt: Attempt
    child: str
    under: Cookies
    why: Finding | None = None
    """Evidence, where nobody else tells."""


@frozen
class Abort:
    """End an exchange under way with this error inside it; `PhaseOneFailed` or `QuickModeFailed` follows."""

    attempt: Attempt
    error: IkeError


@frozen
class Resume:
    """The exchange goes on: the kernel did what it waited for, or refused (`error`)."""

    attempt: Attempt
    error: IkeError | None = None
    spi: Spi | None = None
    """That the kernel has reserved, if it was asked for one."""


@frozen
class Say:
    """An Informational message under that ISAKMP SA, sent a few times since nothing answers it."""

    under: Cookies
    payloads: tuple[Payload, ...]
    once: bool = False
    """Sent once: it will be answered, or asked for again."""
    to: Path | None = None
    """None: by the path of the ISAKMP SA."""


@frozen
class AskTraffic:
    """Did packets of the peer come? `Carried` follows."""

    under: Cookies
    if_left: bool = False
    """Asked only where any has left."""


@frozen
class AskPackets:
    """Did packets of the child come or go? `Counted` follows."""

    child: str


@frozen
class AskUse:
    """Has the newest pair of the child carried a packet? `Used` follows."""

    child: str


@frozen
class AskBalance:
    """How many packets left and came? `Balance` follows."""

    under: Cookies | None = None
    """Through the pairs that were made under this ISAKMP SA; None: through all."""


Question = AskTraffic | AskPackets | AskUse | AskBalance
"""What only the kernel can answer."""


@frozen
class Follow:
    """The path of the ISAKMP SA is this from now on: what is under way under it goes by it."""

    under: Cookies
    path: Path


@frozen
class Forget:
    """The ISAKMP SA is gone from the state: its exchanges end, its cookie is nobody's."""

    under: Cookies


@frozen
class Record:
    """Evidence for the phase 1 that made the ISAKMP SA."""

    under: Cookies
    fact: facts.Fact


@frozen
class TellOthers:
    """The peer of that ISAKMP SA begins anew (INITIAL-CONTACT), proven: what other connections and instances have with
    it is older or in doubt."""

    under: Cookies


@frozen
class Answer:
    """Who waits for the child is told how the present attempt ended."""

    child: str
    error: IkeError | None


@frozen
class RunHook:
    """The child came up, or went down: its updown program is run. `HookEnded` follows."""

    child: str
    call: HookCall
    up: bool


Effect = (
    BeginPhaseOne
    | BeginQuickMode
    | Abort
    | Resume
    | Say
    | Question
    | Follow
    | Forget
    | Record
    | TellOthers
    | Answer
    | RunHook
)
