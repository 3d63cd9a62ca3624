"""What stands in the kernel while no tunnel does: made of the configuration alone, installed without ikevd too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ikevd.errors import KernelRefused
from ikevd.host.interface import Kernel
from ikevd.host.policies import KernelPolicy
from ikevd.peer.child_state import ChildState
from ikevd.peer.desired import desired_child
from ikevd.peer.outside import outside
from ikevd.policy.connection import Connection
from ikevd.policy.selectors import Network
from ikevd.policy.settings import Config


def blocks(config: Config, connected: Iterable[Network]) -> tuple[KernelPolicy, ...]:
    """What passes outside first, so that nothing of it is blocked for a moment; then the gate of every child that has
    no interface: while none is there, nothing is routed to it.

    `connected`: the networks of this machine's interfaces.
    """
    backups_first = sorted(config.connections, key=lambda connection: connection.backup_of is None)
    found = {policy.id: policy for connection in backups_first for policy in gates(connection, routed=False)}
    return (*outside(config, connected).values(), *found.values())


def gates(connection: Connection, *, routed: bool = True) -> Iterator[KernelPolicy]:
    """Of all its children, those for its interface included, while none of them is up, and nobody hears what a trap
    asks for."""
    down = ChildState(by_command=True)
    for child in connection.children:
        if routed or not child.routed:
            yield from desired_child(connection, child, down).policies.values()


async def install(kernel: Kernel, policies: Sequence[KernelPolicy]) -> tuple[str, ...]:
    """Install what can be; why the rest cannot. Raises `MissingPrivilege`."""
    refused = list[str]()
    for policy in policies:
        try:
            await kernel.put_policy(policy)
        except KernelRefused as refusal:
            refused.append(str(refusal))
    return tuple(refused)
