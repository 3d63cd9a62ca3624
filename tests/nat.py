"""A NAT between peers in virtual time: what is sent from inside shows the public address and a port of its own."""

from __future__ import annotations

from ikevd.addresses import Address, Endpoint, Path

FIRST_PORT = 40_000


class Nat:
    """Translates source endpoints of `inside` addresses to `public`, as masquerading does."""

    def __init__(self, public: Address, *inside: Address) -> None:
        self.public = public
        self._inside = frozenset(inside)
        self._ports: dict[Endpoint, int] = {}

    def arriving(self, path: Path) -> Path | None:
        """`path` as its sender sees it to the path as the receiver sees it; None: the NAT knows no such mapping."""
        local, remote = path.remote, path.local
        if remote.address in self._inside:
            port = self._ports.setdefault(remote, FIRST_PORT + len(self._ports))
            remote = Endpoint(self.public, port)
        if local.address == self.public:
            inside = {port: endpoint for endpoint, port in self._ports.items()}.get(local.port)
            if inside is None:
                return None
            local = inside
        return Path(local, remote)
