"""What another configuration changes: which connections, which of their children, which settings, and how far that
reaches. It names keys of the file and never their values, which may be secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, fields
from enum import Enum
from typing import Any

from ikevd.frozen import frozen, replace
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Config


class Reach(Enum):
    """What becomes of the SAs that stand."""

    OURS = "holds from now on, nothing is negotiated for it"
    RENEWED = "negotiated anew; what stands carries the traffic until then"
    REPLACED = "ends now and begins anew; no traffic leaves in the clear meanwhile"

    def and_also(self, other: Reach) -> Reach:
        """The farther of the two."""
        order = list(Reach)
        return order[max(order.index(self), order.index(other))]


@frozen
class ChangedChild:
    """One child that both files have."""

    name: str
    keys: tuple[str, ...]
    """Which differ, as the file names them."""
    reach: Reach


@frozen
class ChangedConnection:
    """One connection that both files have."""

    name: str
    keys: tuple[str, ...]
    """Which differ, but for those of its children."""
    reach: Reach
    """Of these keys, for the ISAKMP SA and for every child."""
    children: tuple[ChangedChild, ...] = ()
    added: tuple[str, ...] = ()
    """Children that only the new file has."""
    removed: tuple[str, ...] = ()
    """Children that only the old file has."""

    def reach_of(self, child: str) -> Reach:
        """For a child that both files have: what its own keys and those of the connection mean for it."""
        own = next((changed.reach for changed in self.children if changed.name == child), Reach.OURS)
        return self.reach.and_also(own)


@frozen
class ChangedSetting:
    """A key that belongs to no connection."""

    key: str
    at_next_start: bool
    """It is of no effect while this process runs."""


@frozen
class Changes:
    """All of it; connections by name, in the order of the file."""

    unchanged: int = 0
    """So many connections are what they were."""
    changed: tuple[ChangedConnection, ...] = ()
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    settings: tuple[ChangedSetting, ...] = field(default=())

    def __bool__(self) -> bool:
        """Does anything change?"""
        return bool(self.changed or self.removed or self.added or self.settings)


def changes(before: Config, after: Config) -> Changes:
    """From the one to the other. Reqids are of no matter: each child keeps its own as long as it is there."""
    old = {connection.name: connection for connection in before.connections}
    new = {connection.name: connection for connection in after.connections}
    changed = [_connection(old[name], connection) for name, connection in new.items() if name in old]
    found = tuple([one for one in changed if one is not None])
    return Changes(
        unchanged=len(changed) - len(found),
        changed=found,
        removed=tuple([name for name in old if name not in new]),
        added=tuple([name for name in new if name not in old]),
        settings=tuple(_settings(before, after)),
    )


def effective(before: Config, after: Config) -> Config:
    """`after` as far as it can take effect while this process runs."""
    return replace(after, **{name: getattr(before, name) for name in AT_START})


# -- of connections


CHILD_KEYS = {
    "routed": "interface",
    "suites": "esp_proposals",
    "template": "remote",
    "group": "name",
}
PARTED = ("lifetime", "packing", "suites")
"""Fields that the file has several keys for."""
CHILD_REACH = {
    **dict.fromkeys(("local", "remote", "template", "routed", "if_id", "mark_in", "mark_out"), Reach.REPLACED),
    **dict.fromkeys(
        ("fail_open", "group", "inactivity", "lifetime_check", "rekey", "route", "selection", "start", "updown"),
        Reach.OURS,
    ),
}
"""Of the others: `RENEWED`."""
KEYS = {
    "suites": "ike_proposals",
    "lifetime": "ike_lifetime",
    "resend": "retransmit",
    "encrypt_third": "aggressive_third",
    "nat_methods": "nat_method",
    "remote_range": "remote",
    "any_identity": "remote_id",
    "places": "remote",
    "first_place": "remote_first",
}
REACH = {
    **dict.fromkeys(
        ("local", "remote", "remote_range", "places", "remote_id", "any_identity", "group_key"), Reach.REPLACED
    ),
    **dict.fromkeys(
        (
            "resend",
            "nat_keepalive",
            "first_place",
            "sha256_96",
            "lifetime_check",
            "dpd",
            "unique",
            "backup_of",
            "give_back",
            "interface",
            "mss",
        ),
        Reach.OURS,
    ),
}
"""Of the others: `RENEWED`. `sha256_96` is in each child, too. Another address or identity of the peer is another
peer."""
APART = ("name", "children", "reqid")
"""Fields that are no setting, or looked at by themselves."""


def _connection(before: Connection, after: Connection) -> ChangedConnection | None:
    """None: it is what it was."""
    if before == after:
        return None
    old, new = ({child.name: child for child in view.children} for view in (before, after))
    names, anywhere = _differing(before, after), after.anybody
    children = [_child(old[name], child, anywhere=anywhere) for name, child in new.items() if name in old]
    found = ChangedConnection(
        after.name,
        _keys(names, KEYS),
        _reach(names, REACH, anywhere=anywhere),
        children=tuple([one for one in children if one is not None]),
        added=tuple([name for name in new if name not in old]),
        removed=tuple([name for name in old if name not in new]),
    )
    return found if found.keys or found.children or found.added or found.removed else None


def _child(before: Child, after: Child, *, anywhere: bool) -> ChangedChild | None:
    """None: it is what it was."""
    names = _differing(before, after)
    bound = {"if_id", "mark_in", "mark_out"} if before.routed or after.routed else set[str]()
    keys = ["interface" if name in bound else CHILD_KEYS.get(name, name) for name in names if name not in PARTED]
    keys += (*_suite_keys(before, after), *_differing(before.packing, after.packing))
    reach = _reach(names, CHILD_REACH, anywhere=anywhere)
    for part, key in (("seconds", "lifetime"), ("kilobytes", "lifetime_kilobytes")):
        if getattr(before.lifetime, part) != getattr(after.lifetime, part):
            keys.append(key)
    return (
        ChangedChild(after.name, tuple(dict.fromkeys(keys)), reach.and_also(_mode_reach(before, after)))
        if names
        else None
    )


def _mode_reach(before: Child, after: Child) -> Reach:
    """Other packets are protected, or by another header."""
    same = (before.transport, before.protocol) == (after.transport, after.protocol)
    return Reach.OURS if same else Reach.REPLACED


def _suite_keys(before: Child, after: Child) -> list[str]:
    """The mode is that of all suites."""
    as_before = tuple(replace(suite, mode=before.suites[0].mode) for suite in after.suites)
    keys = {f"{child.protocol}".lower() + "_proposals": None for child in (before, after)}
    return [*keys] * (as_before != before.suites) + ["mode"] * (before.transport is not after.transport)


def _differing(before: object, after: object) -> list[str]:
    """Names of the fields that count and differ."""
    counting = [one.name for one in fields(before) if one.compare and one.name not in APART]  # type: ignore[arg-type]
    return [name for name in counting if getattr(before, name) != getattr(after, name)]


def _keys(names: list[str], renamed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(renamed.get(name, name) for name in names))


def _reach(names: list[str], known: Mapping[str, Reach], *, anywhere: bool) -> Reach:
    """`anywhere`: only the peer can call, so it must hear that it has to."""
    reach = Reach.OURS
    for name in names:
        reach = reach.and_also(known.get(name, Reach.REPLACED if anywhere else Reach.RENEWED))
    return reach


# -- of the rest


AT_START = ("listen", "control", "runtime", "store_key", "unknown_esp")
"""What a process has bound, opened or locked."""
SECTIONS = {"listen": {}, "control": {"path": "socket", "looks": "read_only"}, "limits": {}}
"""With the fields that the file names otherwise."""
SETTINGS = {
    "log_format": "log.format",
    "log_level": "log.level",
    "runtime": "runtime_directory",
    "bypasses": "bypass",
    "drops": "drop",
    "export_keys": "control.export_keys",
}


def _settings(before: Config, after: Config) -> Iterator[ChangedSetting]:
    for one in fields(Config):
        old, new = getattr(before, one.name), getattr(after, one.name)
        if one.name == "connections" or old == new:
            continue
        for key in _keys_of(one.name, old, new):
            yield ChangedSetting(key, one.name in AT_START)


def _keys_of(name: str, old: Any, new: Any) -> Iterator[str]:
    if name not in SECTIONS:
        yield SETTINGS.get(name, name)
        return
    for part in _differing(old, new):
        yield f"{name}.{SECTIONS[name].get(part, part)}"
