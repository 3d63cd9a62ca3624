"""A NAT between peers in virtual time: what is sent from inside shows the public address and a port of its own."""

from __future__ import annotations

from ikevd.addresses import Address, Endpoint, Path

FIRST_PORT = 40_000


class Nat:
    """Translates source endpoints of `inside` addresses to `public`, as masquerading does; ports 500 and 4500 of the
    public address lead to `server`."""

    def __init__(self, public: Address, *inside: Address, server: Address | None = None) -> None:
        self.public = public
        self._inside = frozenset(inside) | ({server} if server else set())
        self._ports = {Endpoint(server, port): port for port in (500, 4500)} if server else {}

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

    def first_path(self, path: Path) -> Path:
        """Where each side of a duet begins: who is outside knows the public address only."""
        if path.remote.address in self._inside:
            return Path(path.local, Endpoint(self.public, path.remote.port))
        return path
