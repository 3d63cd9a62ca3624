"""strongSwan's charon as the responder: Debian's binary with the kernel in user space (kernel-libipsec), logging off.

Run inside `tests/rig/rig run --kernel host`: the rig shows the binary to its commands and gives them a network of their
own. kernel-libipsec carries only ESP in UDP, which is why the initiator sits behind a NAT.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from bench.processes import Responder
from bench.sites import HUB, INSIDE, KEY, Place, Suite
from tests.interop.vici import Vici

CHARON = Path("/usr/sbin/charon-systemd")
LIBIPSEC = "kernel-libipsec kernel-netlink"
PLUGINS = "random nonce openssl aes sha1 sha2 hmac kdf pem pkcs1 x509 pubkey curve25519 socket-default vici updown"


class Charon(Responder):
    """One charon that accepts every spoke."""

    name = "charon"

    def __init__(self, place: Place, suites: Sequence[Suite], *, kernel: str = LIBIPSEC) -> None:
        super().__init__(place)
        self._suites = suites
        self._socket = place.directory / "vici"
        (place.directory / "strongswan.conf").write_text(self._settings(kernel))
        (place.directory / "swanctl").mkdir()
        (place.directory / "swanctl" / "swanctl.conf").write_text(self._connections())

    def _settings(self, kernel: str) -> str:
        return f"""
            charon-systemd {{
              load = {PLUGINS} {kernel}
              port = {self.place.port}
              port_nat_t = {self.place.nat_port}
              ikesa_table_size = 16384
              ikesa_table_segments = 16
              half_open_timeout = 75
              dos_protection = no
              install_routes = no
              process_route = no
              plugins {{ vici {{ socket = unix://{self._socket} }}
                kernel-netlink {{ roam_events = no }} }}
              journal {{ default = -1 }}
            }}
            swanctl {{ load = random openssl sha1 sha2 pem pkcs1 x509 pubkey }}
            """

    def _connections(self) -> str:
        ike = ",".join(dict.fromkeys(suite.ike for suite in self._suites))
        esp = ",".join(dict.fromkeys(suite.esp for suite in self._suites))
        return f"""
            connections {{ spokes {{
              version = 1
              local_addrs = {HUB}
              remote_addrs = 0.0.0.0/0
              unique = never
              proposals = {ike}
              encap = yes
              local {{ auth = psk
                id = {HUB} }}
              remote {{ auth = psk }}
              children {{ net {{ local_ts = {self.place.network}
                remote_ts = {INSIDE}
                esp_proposals = {esp}
                rekey_time = 0 }} }} }} }}
            secrets {{ ike {{ secret = "{KEY}" }} }}
            """

    def environment(self) -> dict[str, str]:
        """Its configuration."""
        folder = self.place.directory
        return os.environ | {"STRONGSWAN_CONF": f"{folder}/strongswan.conf", "SWANCTL_DIR": f"{folder}/swanctl"}

    def command(self) -> list[str]:
        """charon without systemd. kernel-libipsec refuses a tunnel for which it finds no address to route from."""
        inside = IPv4Network(self.place.network)[1]
        subprocess.run(["ip", "address", "replace", f"{inside}/24", "dev", "lo"], check=True)
        return [str(CHARON)]

    def is_ready(self) -> bool:
        """Once its control socket answers, its configuration is loaded."""
        try:
            Vici(self._socket).close()
        except OSError:
            return False
        load = ["swanctl", "--load-all", "--noprompt", "--uri", f"unix://{self._socket}"]
        subprocess.run(load, env=self.environment(), check=True, capture_output=True)
        return True
