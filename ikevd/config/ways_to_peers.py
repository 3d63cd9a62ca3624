"""How this machine's way to a peer and back may lose packets though the tunnel stands: doubts of `ikevd check`.

Linux checks the way back (rp_filter) of no packet that came out of an SA; but of the ESP that it came in it does.
"""

from __future__ import annotations

from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import Places
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.surroundings import Surroundings
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange


def doubt(problems: Problems, file: FileSection, machine: Surroundings) -> None:
    """At the address by which the peer is to reach this machine."""
    for name, connection in file.connections.items():
        _on_way_back(problems, ("connections", name, "local"), connection, machine)


def _on_way_back(problems: Problems, path: YamlPath, connection: ConnectionSection, machine: Surroundings) -> None:
    local, remote = connection.local, connection.remote
    if local is None or local.version != 4 or remote is None or isinstance(remote, AddressRange | Places):
        return
    arrives, hop = machine.interface_of(local), machine.first_hop(remote)
    leaves = hop.interface if hop else None
    if arrives in machine.strict and leaves not in (None, "lo", arrives):
        problems.warn(
            path,
            f"{local} is an address of {arrives}, and the way to {remote} begins at {leaves}: what the peer sends "
            f"may come in by {arrives} and is dropped there, since rp_filter is strict; wanted a route to the peer by "
            f"{arrives}, or run: sysctl -w net.ipv4.conf.{arrives}.rp_filter=2",
        )
