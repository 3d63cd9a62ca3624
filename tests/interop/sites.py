"""One site-to-site tunnel: what both gateways must agree on, and its text for ikevd and for swanctl."""

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
    """With a group at its end where there is perfect forward secrecy."""
    secret: str = SECRET
    children: tuple[tuple[str, str, str], ...] = ()
    ipv6: bool = False
    retransmit: str = "{interval: 500ms, factor: 1.5, sends: 4}"
    local_id: str = ""
    remote_id: str = ""
    aggressive: bool = False
    sha256_96: bool = False
    """Is HMAC-SHA-256 of ESP cut to 96 bits?"""
    protocol: str = "esp"
    """Or ah: then `esp` is a proposal of AH."""
    mode: str = "tunnel"
    """Or transport."""
    ipcomp: bool = False
    """Is what can be compressed?"""
    start: str = "manual"
    """Of ikevd's children."""
    options: tuple[str, ...] = ()
    """More lines of ikevd's connection: `encap: force`."""

    @property
    def addresses(self) -> tuple[str, str]:
        if self.ipv6:
            return self.here.address6, self.there.address6
        return self.here.address, self.there.outside

    @property
    def identities(self) -> tuple[str, str]:
        """The default is the address that each side itself has, also behind a NAT."""
        local, remote = (
            (self.here.address6, self.there.address6) if self.ipv6 else (self.here.address, self.there.address)
        )
        return self.local_id or local, self.remote_id or remote

    @property
    def nets(self) -> tuple[tuple[str, str, str], ...]:
        lan = (self.here.net6, self.there.net6) if self.ipv6 else (self.here.net, self.there.net)
        lan = ("dynamic", "dynamic") if self.mode == "transport" else lan
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
        lines = list(self.options)
        if self.local_id:
            lines.append(f"local_id: '{self.local_id}'")
        if self.remote_id or self.there.address != self.there.outside:
            lines.append(f"remote_id: '{self.identities[1]}'")
        lines += ["aggressive: true"] if self.aggressive else []
        lines += ["sha256_96: true"] if self.sha256_96 else []
        more = "".join(f"    {line}\n" for line in lines)
        children = "".join(
            f"      {name}: {{local: '{ours}', remote: '{theirs}', {self.protocol}_proposals: {self.esp}, "
            f"start: {self.start}{', mode: transport' if self.mode == 'transport' else ''}"
            f"{', ipcomp: true' if self.ipcomp else ''}}}\n"
            for name, ours, theirs in self.nets
        )
        return (
            f"connections:\n  peer:\n    local: '{local}'\n    remote: '{remote}'\n{more}"
            f"    psk: '{self.secret}'\n    ike_proposals: {self.ike}\n    retransmit: {self.retransmit}\n"
            f"    children:\n{children}"
        )

    def swanctl(self) -> str:
        """swanctl.conf."""
        local, remote = self.addresses
        local_id, remote_id = self.identities
        children = "".join(
            f"{name} {{\n local_ts = {ours}\n remote_ts = {theirs}\n {self.protocol}_proposals = {self.esp}\n"
            f" mode = {self.mode}\n ipcomp = {'yes' if self.ipcomp else 'no'}\n}}\n"
            for name, ours, theirs in self.nets
        )
        return f"""
            connections {{ peer {{
              version = 1
              aggressive = {"yes" if self.aggressive else "no"}
              local_addrs = {local}
              remote_addrs = {remote}
              proposals = {self.ike}
              local {{ auth = psk
                id = {local_id} }}
              remote {{ auth = psk
                id = {remote_id} }}
              children {{ {children} }} }} }}
            secrets {{ ike-1 {{ secret = "{self.secret}" }} }}
            """
