"""Which of our addresses routing chooses for a peer."""

from __future__ import annotations

import os
import socket

from ikevd.addresses import Address
from ikevd.errors import Abandoned
from ikevd.path_findings import NoRoute
from ikevd.transport.sockaddr import family_of, from_sockaddr, to_sockaddr
from ikevd.vrf import bind_to


def source_for(remote: Address, vrf: str = "") -> Address:
    """The local address that routing chooses for `remote`; raises `OSError` where there is no route."""
    with socket.socket(family_of(remote), socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        bind_to(probe, vrf)
        probe.connect(to_sockaddr(remote, 9))  # sends nothing
        return from_sockaddr(probe.getsockname()).address


def chosen_source(vrf: str, remote: Address) -> Address:
    """The same; raises `Abandoned` where there is none."""
    try:
        return source_for(remote, vrf)
    except OSError as error:
        raise Abandoned(NoRoute(str(remote), os.strerror(error.errno or 0))) from error
