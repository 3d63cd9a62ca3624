"""The JSON of `ikevd status`: the daemon, its connections and their children."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from ikevd.control.sa_shapes import IpsecPair, Isakmp, Phase1


class Updown(TypedDict):
    """The last run of a child's updown program."""

    program: str
    """Its path."""
    verb: Literal["up", "down"]
    """What the child had done."""
    ended: bool
    """false: it runs, or waits for its turn."""
    failure: str | None
    """Why it failed, in one sentence; null: it did not, or has not ended."""
    finding: dict[str, object] | None
    """The same as fields: its `kind`, and what belongs to it."""


class Child(TypedDict):
    """One pair of traffic selectors."""

    name: str
    """As in the configuration; `lan[2]` where subnets make several of one entry."""
    group: str | None
    """The entry of the configuration that makes it and others: `lan` of `lan[2]`; null: it is the whole entry."""
    local: str
    """The local selector."""
    remote: str
    """The remote selector; `within 10.3.0.0/16` where each peer has a part of its own."""
    state: str
    """`up`, `negotiating`, `retry` (down until the next attempt), `waiting` (down until a packet for it comes) or
    `down`; with pairs and `down`, its policies cannot stand in the kernel."""
    carried_by: str | None
    """The connection that carries the traffic, where it is another one and this one's SAs stand by (`backup_of`)."""
    last_cause: str | None
    """Why its policies cannot stand in the kernel, else why the last attempt failed or the last pair ended, in one
    sentence."""
    retry_in_seconds: float | None
    """Seconds until the next attempt, or until a packet may bring one about; null: none is planned, or it may now."""
    last_in_seconds: int | None
    """Seconds since the last packet arrived for it; null: none did, or none since its policies were last replaced."""
    one_way_seconds: int | None
    """Packets leave and none arrives: for so many seconds now; null: that is not so."""
    updown: Updown | None
    """null: none was run, or what the last one did is undone."""
    esp_proposals: list[str]
    """The configured suites, best first."""
    pfs: str
    """As configured: `required`, `optional` or `off`; without meaning where no suite names a group."""
    sas: list[IpsecPair]
    """The pairs that carry it, of every peer of the connection, oldest first."""


class OneWay(TypedDict):
    """Packets left and none came, though the peer answers by IKE: what came of trying ESP in UDP (`encap: auto`)."""

    state: Literal["suspected", "trying", "helped", "in vain"]
    """What left is counted; the trial is under way; ESP stays in UDP; the trial was undone."""
    found: str | None
    """What was found out last, in one sentence; null: nothing yet."""
    finding: dict[str, object] | None
    """The same as fields: its `kind`, and what belongs to it."""
    again_in_seconds: int | None
    """Seconds before which it is not tried again; null: nothing holds it back."""


class Interface(TypedDict):
    """The interface of a route-based connection."""

    name: str
    """As in the configuration."""
    kind: Literal["xfrm", "vti"]
    """What the kernel makes of it."""
    if_id: int
    """Its number: if_id of an XFRM interface, key and mark of a VTI."""
    namespace: str | None
    """The network namespace in which it stands; null: that of ikevd."""
    up: bool
    """Shall it be up? It is while a tunnel sends, or a packet may begin one."""
    problem: str | None
    """Why it does not stand as it shall, in one sentence; null: it does."""


class Connection(TypedDict):
    """One connection of the configuration."""

    name: str
    """As in the configuration."""
    local: str
    """The configured address, or `any`."""
    remote: str
    """The configured address or range, or `any`."""
    ike_proposals: list[str]
    """The configured suites, best first."""
    negotiating: bool
    """Is this side's phase 1 under way?"""
    phase1: Phase1 | None
    """The newest phase 1; null: none was begun."""
    isakmp: list[Isakmp]
    """The ISAKMP SAs that stand, of every peer of the connection."""
    one_way: OneWay | None
    """null: nothing suggests that ESP is blocked on the way to the peer."""
    interface: Interface | None
    """null: policy-based."""
    route_problem: str | None
    """Why a route to what its children protect cannot be set, in one sentence; null: nothing is in the way."""
    mss_problem: str | None
    """Why TCP connections through its tunnels do not get their MSS, in one sentence; null: they do, or it is not asked
    for."""
    children: list[Child]
    """Its children, in the order of the configuration."""


class Refused(TypedDict):
    """Negotiations that a peer began and that came to nothing; equal ones once."""

    at: float
    """Unix seconds at the end of the last one."""
    times: int
    """How many there were."""
    exchange: str
    """`MAIN_MODE`, `AGGRESSIVE`, `QUICK_MODE` or `INFORMATIONAL`."""
    peer: str
    """Address and port of the peer."""
    connection: str | None
    """null: a stranger's."""
    child: str | None
    """Of a Quick Mode, once it is known."""
    cause: str
    """Why, in one sentence."""
    finding: dict[str, object]
    """The same as fields: its `kind`, and what belongs to it."""


class SocketHolder(TypedDict):
    """Who keeps the UDP sockets open while ikevd is away, so that ESP in UDP goes on."""

    kind: Literal["service manager", "process", "none"]
    """systemd's file descriptor store, a process of ours, or nobody, as configured."""
    pid: int | None
    """Of our own process while it stands."""
    problem: str | None
    """Why they are not held although they should be."""


class Status(TypedDict):
    """`ikevd status --json`; `GET /v1/status`."""

    schema: Literal[1]
    """Number of this description."""
    version: str
    """Version of the running daemon."""
    pid: int
    """Its process."""
    uptime_seconds: float
    """Seconds since its start."""
    listening: list[str]
    """The UDP sockets: address and port."""
    socket_holder: SocketHolder
    """Who keeps them open while ikevd is away."""
    half_open: int
    """Negotiations whose peer is not authenticated yet."""
    refused: list[Refused]
    """The last ones of the connections that were asked for and, where no name was given, of strangers; oldest first."""
    connections: list[Connection]
    """The connections that were asked for, in the order of the configuration."""
    counters: dict[str, int]
    """How often a thing happened since the start, by its name; names come and go with versions."""
