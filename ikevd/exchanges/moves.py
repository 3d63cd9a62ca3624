"""Where the peer's next message may come from: ports move only as RFC 3947 section 4 says.

A message that is accepted proves its content, never its source port: whoever hears it can send a copy from another port
before it arrives. So a port moves only where a NAT, found in phase 1, explains it.
"""

from __future__ import annotations

from ikevd.addresses import Endpoint, Path
from ikevd.errors import UnexpectedMessage
from ikevd.refusals import OtherAddresses, WrongPort
from ikevd.sa.model import NatTraversal


def check_addresses(known: Path, came: Path, *, roams: bool = False) -> None:
    """Both addresses of an exchange stay as they began; raises `UnexpectedMessage`. `roams`: the peer is authenticated,
    and the NAT in front of it may have another address meanwhile."""
    remote = known.remote.address if roams else came.remote.address
    if (came.local.address, remote) != (known.local.address, known.remote.address):
        raise UnexpectedMessage(OtherAddresses(str(came.remote), str(came.local), str(known)))


def check_ports(known: Path, came: Path, nat: NatTraversal | None, nat_port: int, *, must_float: bool = False) -> None:
    """Raises `UnexpectedMessage` unless a message may arrive by `came` where `known` is the path so far.

    Where a NAT was found the peer goes to `nat_port` and never back. `must_float`: it has seen our NAT-D payloads, and
    goes there with this message. The peer's port is free there if a NAT in front of the peer makes it; else the peer
    changes to `nat_port` too, or keeps its port.
    """
    floats = nat is not None and nat.encapsulates
    ours = _local_ports(known.local.port, nat_port, must_float=must_float) if floats else (known.local.port,)
    if came.local.port not in ours:
        raise UnexpectedMessage(WrongPort(came.local.port, ours, ours=True, nat=floats))
    if nat is not None and nat.remote and came.local.port == nat_port:
        return
    theirs = (known.remote.port,) if came.local.port == known.local.port else (known.remote.port, nat_port)
    if came.remote.port not in theirs:
        raise UnexpectedMessage(WrongPort(came.remote.port, tuple(dict.fromkeys(theirs)), ours=False, nat=False))


def floated(path: Path, nat_port: int) -> Path:
    """The path with both ports for NAT traversal, unless it is there already."""
    if path.local.port == nat_port:
        return path
    return Path(Endpoint(path.local.address, nat_port), Endpoint(path.remote.address, nat_port))


def _local_ports(known: int, nat_port: int, *, must_float: bool) -> tuple[int, ...]:
    """Where a NAT was found: a peer that stays at port 500 is heard there, one that has left is not."""
    return (nat_port,) if must_float or known == nat_port else (known, nat_port)
