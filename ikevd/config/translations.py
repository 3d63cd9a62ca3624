"""Whether a rule that translates source addresses catches what a child protects, before IPsec: it is then no traffic of
the child any more. A doubt of `ikevd check`.
"""

from __future__ import annotations

from ikevd.config.interfaces import is_routed
from ikevd.config.nat_rules import NatRule, NatTable, Verdict
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import Places
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.surroundings import Surroundings
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange
from ikevd.policy.selectors import TrafficSelector

MAX_JUMPS = 16


def doubt(problems: Problems, file: FileSection, machine: Surroundings) -> None:
    """Once for each child at most."""
    for name, connection in file.connections.items() if machine.nat else ():
        leaves = _interface(connection, machine)
        for child_name, child in connection.children.items():
            if child.transport or is_routed(connection, child):  # not what leaves by the way to the peer
                continue
            path: YamlPath = ("connections", name, "children", child_name, "local")
            pairs = ((index, local, remote) for index, local in enumerate(child.local) for remote in child.remote)
            found = ((index, _caught(local, remote, leaves, machine.nat)) for index, local, remote in pairs)
            if first := next((one for one in found if one[1]), None):
                problems.warn((*path, first[0]), first[1])


def _interface(connection: ConnectionSection, machine: Surroundings) -> str | None:
    """By which packets to the peer leave; None: that is not known."""
    remote = connection.remote
    if remote is None or isinstance(remote, AddressRange | Places):
        return None
    hop = machine.first_hop(remote)
    return hop.interface if hop else None


def _caught(local: TrafficSelector, remote: TrafficSelector, leaves: str | None, tables: tuple[NatTable, ...]) -> str:
    for table in tables:
        if local.first.version not in table.versions:
            continue
        for base in table.bases:
            rule = _Walk(table, local, remote, leaves).first(base)
            if isinstance(rule, NatRule):
                return (
                    f"what goes from {local} to {remote} gets another source address by the rule `{rule.text}`, before "
                    "IPsec looks at it, and is then none of this child: it is not protected; to exempt it, run: "
                    f"{table.cure.format(chain=base)}"
                )
    return ""


class _Walk:
    """Of the packets of one pair through the chains of a table."""

    def __init__(self, table: NatTable, local: TrafficSelector, remote: TrafficSelector, leaves: str | None) -> None:
        self._table = table
        self._local = local
        self._remote = remote
        self._leaves = leaves

    def first(self, chain: str, jumps: int = 0) -> NatRule | Verdict:
        """The first rule that translates any of them; or what becomes of all: ACCEPT or RETURN."""
        for rule in self._table.chains.get(chain, ()):
            if not self._may_match(rule):
                continue
            whole = self._matches_all(rule)
            match rule.verdict:
                case Verdict.TRANSLATE if rule.sure:
                    return rule
                case Verdict.ACCEPT if whole or not rule.sure or rule.protected:
                    return Verdict.ACCEPT
                case Verdict.RETURN if whole:
                    return Verdict.RETURN
                case Verdict.JUMP if rule.sure and jumps < MAX_JUMPS:
                    found = self.first(rule.target, jumps + 1)
                    if isinstance(found, NatRule) or (found is Verdict.ACCEPT and whole):
                        return found
        return Verdict.RETURN

    def _may_match(self, rule: NatRule) -> bool:
        sides = ((rule.source, self._local), (rule.destination, self._remote))
        met = all(ends is None or ends.meets(selector) for ends, selector in sides)
        return met and rule.protected is not False and self._leaves_by(rule.interfaces)

    def _matches_all(self, rule: NatRule) -> bool:
        sides = ((rule.source, self._local), (rule.destination, self._remote))
        return rule.sure and all(ends is None or ends.covers(selector) for ends, selector in sides)

    def _leaves_by(self, interfaces: frozenset[str] | None) -> bool:
        if interfaces is None or self._leaves is None:
            return True
        return any(_fits(self._leaves, pattern) for pattern in interfaces)


def _fits(interface: str, pattern: str) -> bool:
    return interface.startswith(pattern[:-1]) if pattern.endswith("+") else interface == pattern
