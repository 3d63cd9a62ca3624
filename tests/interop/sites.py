"""The configurations of a site-to-site tunnel, for ikevd and for strongSwan, from one description."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.interop.node import Node
from tests.plugins.secrets import MARK

SECRET = f"the {MARK} of the gateways"


@dataclass(frozen=True)
class Site:
    """One tunnel, seen from `here`. `children` is (name, local net, remote net)."""

    here: Node
    there: Node
    ike: str = "aes128-sha256-modp2048"
    esp: str = "aes128-sha256"
    secret: str = SECRET
    children: tuple[tuple[str, str, str], ...] = ()
    ipv6: bool = False
    retransmit: str = "{interval: 500ms, factor: 1.5, sends: 4}"
    local_id: str = ""
    remote_id: str = ""

    @property
    def addresses(self) -> tuple[str, str]:
        if self.ipv6:
            return self.here.address6, self.there.address6
        return self.here.address, self.there.outside

    @property
    def nets(self) -> tuple[tuple[str, str, str], ...]:
        lan = (self.here.net6, self.there.net6) if self.ipv6 else (self.here.net, self.there.net)
        return self.children or (("lan", *lan),)

    def mirrored(self, **changes: object) -> Site:
        """The same tunnel as the other gateway configures it."""
        turned = tuple((name, remote, local) for name, local, remote in self.nets)
        other = replace(self, here=self.there, there=self.here, children=turned)
        other = replace(other, local_id=self.remote_id, remote_id=self.local_id)
        return replace(other, **changes)  # type: ignore[arg-type]

    def ikevd(self) -> str:
        """ikevd.yaml."""
        local, remote = self.addresses
        identities = f"    local_id: {self.local_id}\n" if self.local_id else ""
        identities += f"    remote_id: {self.remote_id}\n" if self.remote_id else ""
        children = "".join(
            f"      {name}: {{local: '{ours}', remote: '{theirs}', esp_proposals: {self.esp}, start: manual}}\n"
            for name, ours, theirs in self.nets
        )
        return (
            f"connections:\n  peer:\n    local: '{local}'\n    remote: '{remote}'\n{identities}"
            f"    psk: '{self.secret}'\n    ike_proposals: {self.ike}\n    retransmit: {self.retransmit}\n"
            f"    children:\n{children}"
        )

    def swanctl(self) -> str:
        """swanctl.conf."""
        local, remote = self.addresses
        children = "".join(
            f"{name} {{\n local_ts = {ours}\n remote_ts = {theirs}\n esp_proposals = {self.esp}\n}}\n"
            for name, ours, theirs in self.nets
        )
        return f"""
            connections {{ peer {{
              version = 1
              local_addrs = {local}
              remote_addrs = {remote}
              proposals = {self.ike.replace("curve25519", "x25519")}
              local {{ auth = psk
                id = {self.local_id or local} }}
              remote {{ auth = psk
                id = {self.remote_id or remote} }}
              children {{ {children} }} }} }}
            secrets {{ ike-1 {{ secret = "{self.secret}" }} }}
            """
