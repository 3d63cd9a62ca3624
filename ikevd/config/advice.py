"""What can be used, but somebody should look at: the warnings of `ikevd check`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ikevd.config.problems import Problems
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.schema_settings import ControlSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.peer.timing import SOONEST_BY_PEER, SOONEST_BY_VOLUME
from ikevd.policy import proposals
from ikevd.policy.connection import AddressRange
from ikevd.policy.identity import ANYONE, WANTED, Identity
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.registry import IdType, Integrity

_EVERYBODY = (b"any", b"%any", b"*", b"anyone", b"%fromcert", b"%null")
"""Words that elsewhere stand for any identity."""
LONG_LIFETIME = 7 * 86_400
SMALL_VOLUME = 1_250_000
"""Kilobytes that 1 Gb/s uses up in 10 s."""
_LABEL = rb"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rb"(?=.*[A-Za-z])" + _LABEL + rb"(\." + _LABEL + rb")*\.?")
"""RFC 1123 section 2.1, and somewhere a letter: `12345` and `2026-01-01` are rather numbers than names."""


def on_connection(problems: Problems, path: YamlPath, connection: ConnectionSection) -> None:
    """One peer."""
    if "ike_proposals" in connection.model_fields_set:
        _on_weakness(problems, (*path, "ike_proposals"), connection.ike_proposals)
    _on_lifetime(problems, (*path, "ike_lifetime"), connection.ike_lifetime)
    if connection.aggressive:
        _on_aggressive(problems, path, connection)
        if connection.aggressive_third == "clear":
            problems.warn(
                (*path, "aggressive_third"),
                "is clear: message 3 can then be altered on its way without the peer's noticing (NAT detection is not "
                "covered by its hash); for a peer that takes no other only",
            )
    elif connection.aggressive_third == "clear":
        problems.warn((*path, "aggressive_third"), "has no effect without aggressive: true")
    for key, identity in (("local_id", connection.local_id), ("remote_id", connection.remote_id)):
        if identity == ANYONE:
            continue
        if identity and (identity.data.lower() in _EVERYBODY or not any(identity.data)):
            _on_everybody(problems, (*path, key), identity)
        elif identity and identity.type == IdType.FQDN and not _HOST_NAME.fullmatch(identity.data):
            problems.warn((*path, key), f"is an ID_FQDN, but no host name: {identity}; is that meant? Else {WANTED}")
    if connection.unique == "keep" and may_call(connection):
        problems.warn(
            (*path, "unique"),
            "is keep, but the remote is one address: a peer that has crashed waits until its former self was asked for "
            "2 s, and without dead peer detection until that was silent for 30 s; replace lets it come back at once",
        )
    if connection.sha256_96:
        _on_sha256_96(problems, (*path, "sha256_96"), connection)
    _on_dpd(problems, (*path, "dpd"), connection)


def _on_everybody(problems: Problems, path: YamlPath, identity: Identity) -> None:
    instead = (
        "what the peer calls itself, any where it may be anything, or no such line: then the address that it comes from"
    )
    ours = "what we call ourselves, or no such line: then our address"
    problems.warn(
        path,
        f"is {str(identity)!r} and nothing else; wanted {instead if path[-1] == 'remote_id' else ours}",
    )


def on_child(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    """Networks to connect."""
    if child.proposals_key in child.model_fields_set:
        _on_weakness(problems, (*path, child.proposals_key), child.proposals)
    if not child.replay_window:
        problems.warn(
            (*path, "replay_window"),
            "is off: whoever records a packet can send it again, and it is taken as new (CVE-2006-4436); only for a "
            "peer that cannot count",
        )
    _on_lifetime(problems, (*path, "lifetime"), child.lifetime)
    if child.lifetime_kilobytes is not None and child.lifetime_kilobytes < SMALL_VOLUME:
        _on_volume(problems, (*path, "lifetime_kilobytes"), child.lifetime_kilobytes)
    if child.rekey == "if_used" and (child.start or ("always" if may_call(connection) else "")) == "always":
        problems.warn(
            (*path, "rekey"),
            "is if_used, but with start: always a child that was not used begins anew right after its end; start: "
            "on-demand lets it wait for traffic",
        )
    if may_call(connection):
        _on_groups(problems, (*path, child.proposals_key), child.proposals, "Quick Mode")


def on_control(problems: Problems, control: ControlSection) -> None:
    """The control socket."""
    if control.export_keys:
        problems.warn(
            ("control", "export_keys"),
            "is on: whoever may use the control socket can read the keys of every ISAKMP SA, and with a recording of "
            "the traffic all that these protect; for the time of a search for a fault only",
        )


def _on_aggressive(problems: Problems, path: YamlPath, connection: ConnectionSection) -> None:
    problems.warn(
        (*path, "aggressive"),
        "Aggressive Mode sends both identities and a hash of the pre-shared key in the clear, so that whoever "
        "asks, or listens, can guess the key offline (CVE-2002-1623): only a long random key withstands, for example "
        "from: ikevd genpsk; Main Mode, the default, needs an attacker in the path for that",
    )
    if "ike_proposals" in connection.model_fields_set and may_call(connection):
        _on_groups(problems, (*path, "ike_proposals"), connection.ike_proposals, "Aggressive Mode")


def may_call(connection: ConnectionSection) -> bool:
    """Can ikevd be the initiator? Where `remote` is `any`, a network or a range, only the peer can."""
    return connection.remote is not None and not isinstance(connection.remote, AddressRange)


def _on_groups(problems: Problems, path: YamlPath, suites: Sequence[IkeSuite | IpsecSuite], exchange: str) -> None:
    """An initiator sends one public value with its offer; a responder takes any of the groups."""
    first, *others = suites
    dropped = [proposals.format_suite(suite) for suite in others if suite.group != first.group]
    if dropped:
        problems.warn(
            path,
            f"name several groups, but message 1 of {exchange} holds one public value: as initiator only the group of "
            f"{proposals.format_suite(first)} is offered, without {', '.join(dropped)}",
        )


def _on_sha256_96(problems: Problems, path: YamlPath, connection: ConnectionSection) -> None:
    suites = (suite for child in connection.children.values() for suite in child.esp_proposals)
    if all(suite.integrity != Integrity.HMAC_SHA2_256 for suite in suites):
        problems.warn(path, "has no effect: no esp_proposals name sha256")
    else:
        problems.warn(
            path,
            "is on: HMAC-SHA-256 of ESP is cut to 96 bits against RFC 4868, and a peer that cuts to 128 drops every "
            "packet; only for peers that are known to need it",
        )


def _on_dpd(problems: Problems, path: YamlPath, connection: ConnectionSection) -> None:
    said = connection.dpd.model_fields_set
    if connection.dpd.mode == "off":
        for key in ("delay", "timeout", "action"):
            if key in said:
                problems.warn((*path, key), "has no effect with mode: off")
    elif connection.dpd.action in ("restart", "hold") and not may_call(connection):
        problems.warn((*path, "action"), "has no effect: only the peer can call, so its children wait for it")


def _on_weakness(problems: Problems, path: YamlPath, suites: Sequence[IkeSuite | IpsecSuite]) -> None:
    for index, suite in enumerate(suites):
        weak = proposals.weaknesses(suite)
        if weak:
            problems.warn((*path, index), f"{proposals.format_suite(suite)!r} is weak: {'; '.join(weak)}")


def _on_lifetime(problems: Problems, path: YamlPath, seconds: int) -> None:
    if seconds > LONG_LIFETIME:
        problems.warn(path, f"is more than 7 days ({seconds} s); keys should not live that long")


def _on_volume(problems: Problems, path: YamlPath, kilobytes: int) -> None:
    megabits = kilobytes * 1024 * 8 / 1e6
    problems.warn(
        path,
        f"is used up in {megabits / 1000:.2g} s at 1 Gb/s: no IPsec SA is replaced before it is "
        f"{SOONEST_BY_VOLUME:g} s old ({SOONEST_BY_PEER:g} s by the other end), so from about "
        f"{megabits / SOONEST_BY_PEER:.2g} Mb/s on packets would be lost; wanted {SMALL_VOLUME} or more (10 s at "
        "1 Gb/s)",
    )
