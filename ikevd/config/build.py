"""From the sections of a checked file to the frozen values of `model`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from ikevd.addresses import Address
from ikevd.config import marks
from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection, ShuntSection
from ikevd.config.schema_addresses import Places, Within
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection, DpdSection
from ikevd.config.schema_interface import InterfaceSection
from ikevd.config.schema_settings import ControlSection
from ikevd.crypto.secret import Secret
from ikevd.frozen import replace
from ikevd.policy.child import Child, Pfs, Rekey, Selection, Start
from ikevd.policy.child_route import ChildRoute
from ikevd.policy.connection import AddressRange, Connection, Location, PreSharedKey, Resend, Unique
from ikevd.policy.dpd import Dpd, DpdAction, DpdMode
from ikevd.policy.identity import ANYONE
from ikevd.policy.interface import Interface, InterfaceKind, bearing, distinct_numbers
from ikevd.policy.lives import Lifetime, LifetimeCheck
from ikevd.policy.marks import WantedMark
from ikevd.policy.nat import Encap, NatMethod
from ikevd.policy.packing import CopyDscp, HwOffload, Packing
from ikevd.policy.reqids import Holder, Reqids
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.settings import Config, Control, Limits, Listen, LogFormat, Looks, OnStop, Shunt
from ikevd.policy.suites import IpsecSuite
from ikevd.policy.updown import Updown
from ikevd.wire.registry import Encapsulation

NAT_METHODS: Mapping[str, tuple[NatMethod, ...]] = {
    "both": (NatMethod.RFC_3947, NatMethod.DRAFT_03, NatMethod.DRAFT_02),
    "rfc": (NatMethod.RFC_3947,),
    "drafts": (NatMethod.DRAFT_03, NatMethod.DRAFT_02, NatMethod.DRAFT_07),
    "none": (),
}
"""What each word of `nat_method` announces, best first; draft 07 with `drafts` alone."""


def build(
    problems: Problems, file: FileSection, keys: Mapping[str, PreSharedKey], store_key: Secret | None = None
) -> Config:
    """What the program works with. `keys`: of each connection, by name."""
    reqids, numbers = _leased(file), _numbered(file)
    return Config(
        connections=tuple(
            _connection(
                name, section, keys[name], problems.location(("connections", name), at_key=True), reqids, numbers
            )
            for name, section in file.connections.items()
        ),
        listen=Listen(
            file.listen.addresses, file.listen.port, file.listen.nat_port, file.listen.holder, file.listen.vrf or ""
        ),
        control=_control(file.control),
        limits=Limits(
            half_open=file.limits.half_open,
            half_open_per_address=min(file.limits.half_open_per_address, file.limits.half_open),
            first_messages=file.limits.first_messages,
            first_messages_per_address=min(file.limits.first_messages_per_address, file.limits.first_messages),
            secrets=file.limits.secrets,
        ),
        log_format=LogFormat(file.log.format),
        log_level=file.log.level,
        runtime=file.runtime_directory,
        store_key=store_key,
        bypasses=tuple(_shunts(file.bypass)),
        drops=tuple(_shunts(file.drop)),
        bypass_connected=file.bypass_connected,
        on_stop=OnStop(file.on_stop),
        remove_unknown=file.remove_unknown,
        unknown_esp=file.unknown_esp,
        export_keys=file.control.export_keys,
    )


def _control(section: ControlSection) -> Control:
    looks = None
    if section.read_only is not None:
        looks = Looks(section.read_only, section.read_only_owner, section.read_only_mode)
    return Control(section.socket, section.owner, section.mode, looks)


def _connection(
    name: str,
    section: ConnectionSection,
    psk: PreSharedKey,
    location: Location,
    reqids: Reqids,
    numbers: Mapping[str, int],
) -> Connection:
    remote, remote_range = addresses_of(section.remote)
    places = section.remote.all if isinstance(section.remote, Places) else ()
    interface = _interface(name, section.interface, numbers) if section.interface else None
    default = Start.PASSIVE if remote is None and not places else Start.ALWAYS
    return Connection(
        name=name,
        local=section.local,
        remote=remote,
        local_id=section.local_id,
        remote_id=None if section.remote_id == ANYONE else section.remote_id,
        any_identity=section.remote_id == ANYONE,
        psk=psk,
        suites=section.ike_proposals,
        lifetime=Lifetime(section.ike_lifetime),
        children=tuple(_children(name, section, default, reqids, interface)),
        mss=section.mss,
        interface=interface,
        resend=Resend(section.retransmit.interval, section.retransmit.factor, section.retransmit.sends),
        location=location,
        remote_range=remote_range,
        places=places,
        first_place=section.remote_first,
        group_key=has_group_key(section),
        aggressive=section.aggressive,
        encrypt_third=section.aggressive_third == "encrypted",
        encap=Encap(section.encap),
        nat_methods=NAT_METHODS[section.nat_method],
        nat_keepalive=section.nat_keepalive,
        sha256_96=section.sha256_96,
        lifetime_check=LifetimeCheck(section.lifetime_check),
        cisco_unity=section.cisco_unity,
        dpd=_dpd(section.dpd),
        unique=Unique(section.unique),
        backup_of=section.backup_of,
        give_back=section.give_back,
    )


def _numbered(file: FileSection) -> Mapping[str, int]:
    """The numbers of interfaces for which the file names none."""
    sections = {name: section.interface for name, section in file.connections.items() if section.interface}
    given = [section.if_id for section in sections.values() if section.if_id is not None]
    return distinct_numbers((name for name, section in sections.items() if section.if_id is None), given)


def _interface(name: str, section: InterfaceSection, numbers: Mapping[str, int]) -> Interface:
    return Interface(
        name=section.name,
        number=numbers[name] if section.if_id is None else section.if_id,
        kind=None if section.kind == "auto" else InterfaceKind(section.kind),
        addresses=section.addresses,
        routes=section.routes,
        unreachable=section.unreachable,
        table=section.table,
        metric=section.metric,
        mtu=section.mtu,
        namespace=section.namespace or "",
    )


def _dpd(section: DpdSection) -> Dpd:
    action = DpdAction(section.action) if section.action else None
    return Dpd(DpdMode(section.mode), section.delay, section.timeout, action)


def has_group_key(section: ConnectionSection) -> bool:
    """Without `remote_id`, or with any, the key is that of every address from which a peer may come."""
    if section.group_key is not None:
        return section.group_key
    return section.remote_id in (None, ANYONE) and (section.remote is None or isinstance(section.remote, AddressRange))


def addresses_of(remote: Address | AddressRange | Places | None) -> tuple[Address | None, AddressRange | None]:
    """`Connection.remote` and `Connection.remote_range`; both None for `any`, and for `Connection.places`."""
    if isinstance(remote, Places):
        return None, None
    return (None, remote) if isinstance(remote, AddressRange) else (remote, None)


def _leased(file: FileSection) -> Reqids:
    """The numbers of all children, by their names alone: their order in the file does not matter."""
    reqids = Reqids()
    names = [
        (connection, child)
        for connection, section in file.connections.items()
        for name, its in section.children.items()
        for child, _ in _pairs(name, its)
    ]
    for connection, child in sorted(names):
        reqids.lease(Holder(connection, child))
    return reqids


def _shunts(sections: Mapping[str, ShuntSection]) -> Iterator[Shunt]:
    return (Shunt(member, *pair) for name, its in sections.items() for member, pair in _pairs(name, its))


def _pairs(
    name: str, section: ChildSection | ShuntSection
) -> Iterator[tuple[str, tuple[TrafficSelector, TrafficSelector]]]:
    """Each pair with its name, local by local: it is one child, as a Quick Mode carries one pair, or one shunt."""
    pairs = list(product(section.local, section.remote))
    for number, pair in enumerate(pairs, start=1):
        yield (name if len(pairs) == 1 else f"{name}[{number}]"), pair


def _children(
    connection: str, section: ConnectionSection, default: Start, reqids: Reqids, interface: Interface | None
) -> Iterator[Child]:
    for group, its in section.children.items():
        routed = interface is not None and its.interface is not False
        if_id, mark_in, mark_out = _chosen_by(its, interface if routed else None)
        set_mark_in, set_mark_out = marks.given(its)
        for name, (local, remote) in _pairs(group, its):
            yield Child(
                name=name,
                group=None if name == group else group,
                reqid=reqids.lease(Holder(connection, name)),
                local=local,
                remote=remote.whole if isinstance(remote, Within) else remote,
                template=isinstance(remote, Within),
                suites=_suites(its),
                lifetime=Lifetime(its.lifetime, its.lifetime_kilobytes),
                inactivity=its.inactivity,
                start=Start(its.start) if its.start else default,
                rekey=Rekey(its.rekey),
                replay_window=its.replay_window,
                pfs=_pfs(its),
                sha256_96=section.sha256_96,
                lifetime_check=LifetimeCheck(section.lifetime_check),
                selection=Selection(its.selection or section.selection),
                fail_open=section.fail_open if its.fail_open is None else its.fail_open,
                updown=_updown(section, its),
                packing=_packing(its),
                routed=routed,
                route=_route(section, its),
                if_id=if_id,
                mark_in=mark_in,
                mark_out=mark_out,
                set_mark_in=set_mark_in,
                set_mark_out=set_mark_out,
                ipcomp=its.ipcomp,
            )


def _packing(section: ChildSection) -> Packing:
    return Packing(
        copy_df=section.copy_df,
        copy_ecn=section.copy_ecn,
        copy_dscp=CopyDscp(section.copy_dscp),
        hw_offload=HwOffload(section.hw_offload),
        tfc_padding=section.tfc_padding,
    )


def _chosen_by(section: ChildSection, interface: Interface | None) -> tuple[int, WantedMark | None, WantedMark | None]:
    """if_id and marks of its packets. `interface`: to which they are routed."""
    if interface is None:
        return section.if_id or 0, *marks.wanted(section)
    if_id, mark = bearing(interface)
    return if_id, mark, mark


def _updown(section: ConnectionSection, child: ChildSection) -> Updown | None:
    command = section.updown if child.updown is None else child.updown
    if not command:
        return None
    program, *arguments = command
    return Updown(
        program,
        tuple(arguments),
        section.updown_timeout,
        section.hook_capabilities,
        after_restart=section.updown_after_restart,
    )


def _route(section: ConnectionSection, child: ChildSection) -> ChildRoute | None:
    route = section.route
    if route is None or child.route is False or child.transport or is_routed(section, child):
        return None
    return ChildRoute(route.source, route.table, route.metric, route.mtu)


def _suites(section: ChildSection) -> tuple[IpsecSuite, ...]:
    if not section.transport:
        return section.proposals
    return tuple(replace(suite, mode=Encapsulation.TRANSPORT) for suite in section.proposals)


def _pfs(section: ChildSection) -> Pfs:
    named = any(suite.group is not None for suite in section.proposals)
    return Pfs(section.pfs or ("required" if named else "off"))
