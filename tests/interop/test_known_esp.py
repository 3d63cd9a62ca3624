"""ESP of a tunnel that stands is the kernel's alone, however much comes, though ikevd listens for unknown SPIs."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.stray_esp import send_unknown_esp
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

PARTS, PACKETS, SIZE = 5, 500, 1300


def packet_sockets(pid: int) -> list[str]:
    """One line for each that stands in the network namespace of this process."""
    return Path(f"/proc/{pid}/net/packet").read_text().splitlines()[1:]


def waits(pid: int) -> int:
    """How often the process has gone to sleep: once at least for each thing that woke it."""
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_flood_of_known_esp_opens_no_packet_socket_and_does_not_wake_ikevd(
    topology: Topology, charon_b: StrongSwan
) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd() + "unknown_esp: true\n") as ikevd:
        ikevd.up("lan")
        pid, carried = ikevd.process.pid, 0
        before, began = waits(pid), time.monotonic()
        for _ in range(PARTS):
            flood = ("ping", "-n", "-q", "-f", "-l", "30", "-c", str(PACKETS), "-s", str(SIZE))
            answered = re.search(r"(\d+) received", topology.host_b.run(*flood, topology.host_a.address, timeout=60))
            assert answered is not None
            carried += int(answered[1])
            assert packet_sockets(pid) == []
        seconds = time.monotonic() - began
        assert carried > PARTS * PACKETS * 0.9
        assert waits(pid) - before < 10 * seconds, "its own looks, once a second; each packet would be one more"
        send_unknown_esp(topology)
        eventually(lambda: packet_sockets(pid))
