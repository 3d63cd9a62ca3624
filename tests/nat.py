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
        self._next = FIRST_PORT + len(self._ports)

    def forge(self, forger: Endpoint, victim: Endpoint) -> None:
        """From here on what `forger` sends shows the port of `victim`, who gets all that is sent to that."""
        port = self._ports.pop(victim)
        self._ports[forger] = self._ports[victim] = port

    def concerns(self, path: Path) -> bool:
        """Does what takes `path`, as its sender sees it, come by this NAT?"""
        return path.local.address in self._inside or path.remote.address == self.public

    def forget(self, inside: Address) -> None:
        """Its mappings are gone: what it sends from here on comes from other ports."""
        self._ports = {known: port for known, port in self._ports.items() if known.address != inside}

    def arriving(self, path: Path) -> Path | None:
        """`path` as its sender sees it to the path as the receiver sees it; None: the NAT knows no such mapping."""
        local, remote = path.remote, path.local
        if remote.address in self._inside:
            if remote not in self._ports:
                self._ports[remote], self._next = self._next, self._next + 1
            remote = Endpoint(self.public, self._ports[remote])
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


class Nats:
    """Several NATs, each with its own peers inside."""

    def __init__(self, *nats: Nat) -> None:
        self._nats = nats

    def arriving(self, path: Path) -> Path | None:
        """As `Nat.arriving`: who is inside of none, and writes to none, is not translated."""
        for nat in self._nats:
            if nat.concerns(path):
                return nat.arriving(path)
        return Path(path.remote, path.local)

    def first_path(self, path: Path) -> Path:
        """As `Nat.first_path`."""
        return next((nat.first_path(path) for nat in self._nats if nat.concerns(path)), path)
