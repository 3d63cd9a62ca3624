"""A peer whose connection is gone from the file: it is told Delete, and nothing else."""

from __future__ import annotations

from ikevd.crypto.secret import Secret
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.policy.connection import Connection, Location, PreSharedKey, Resend

NOWHERE = Location("the store", 0, 0)


def former_connection(isakmp: IsakmpState) -> Connection:
    """As far as one is needed to say Delete under an old ISAKMP SA; without children."""
    sa = isakmp.sa
    return Connection(
        name=sa.connection,
        local=isakmp.path.local.address,
        remote=isakmp.path.remote.address,
        local_id=sa.local_id,
        remote_id=sa.remote_id,
        psk=PreSharedKey(Secret(b""), "none: its connection is gone from the file"),
        suites=(sa.suite,),
        lifetime=sa.lifetime,
        children=(),
        resend=Resend(),
        location=NOWHERE,
    )
