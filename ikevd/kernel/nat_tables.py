"""The rules that translate source addresses behind routing, as nft and iptables tell them; none where these programs
are missing or tell nothing to this user. Changes nothing.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from ikevd.config.nat_rules import Ends, NatRule, NatTable, Verdict
from ikevd.policy.selectors import Network

SECONDS = 5.0
SAVERS = (("iptables-save", 4), ("iptables-legacy-save", 4), ("ip6tables-save", 6), ("ip6tables-legacy-save", 6))
"""Where both kinds of iptables are there, the first of each is one of the two."""
OLD_TABLES = {4: "ip_tables_names", 6: "ip6_tables_names"}
"""Files in /proc/net: the tables of the old iptables that are there, one a line."""
PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
TRANSLATING = ("MASQUERADE", "SNAT", "NETMAP")
FAMILIES = {"ip": {4}, "ip6": {6}, "inet": {4, 6}}


def read(programs: str = PROGRAMS, net: Path = Path("/proc/net")) -> tuple[NatTable, ...]:
    """Of this network namespace. `programs`: the folders that have them."""
    found = [*nft_tables(_output(shutil.which("nft", path=programs), "-j", "list", "ruleset"))]
    for name, version in SAVERS:
        program = shutil.which(name, path=programs)
        if program is None or (_is_old(program) and not _has_old_nat(net / OLD_TABLES[version])):
            continue
        table = iptables_table(_output(program, "-t", "nat"), version)
        if table.chains and not any(table.chains == other.chains for other in found):
            found.append(table)
    return tuple(found)


def lacks_nft(programs: str = PROGRAMS) -> bool:
    """Is there no program nft?"""
    return shutil.which("nft", path=programs) is None


def _is_old(program: str) -> bool:
    """Is it of the iptables that has tables of its own in the kernel, and makes one by asking for it?"""
    return "nft" not in Path(program).resolve().name


def _has_old_nat(names: Path) -> bool:
    try:
        return "nat" in names.read_text().split()
    except OSError:
        return False  # no old iptables in this kernel, or none that this user may see


def _output(program: str | None, *arguments: str) -> str:
    """What it prints; nothing where it cannot."""
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


# -- iptables ---------------------------------------------------------------------------------------------------------


def iptables_table(saved: str, version: int) -> NatTable:
    """Of what `iptables-save -t nat` prints; lines that are no rules say nothing."""
    chains: dict[str, list[NatRule]] = {}
    for line in saved.splitlines():
        if line.startswith("-A "):
            try:
                _, chain, *words = shlex.split(line)
                chains.setdefault(chain, []).append(_iptables_rule(line, words))
            except (ValueError, StopIteration):  # of an iptables that says it otherwise
                continue
    program = "iptables" if version == 4 else "ip6tables"
    return NatTable(
        frozenset({version}),
        ("POSTROUTING",),
        {name: tuple(rules) for name, rules in chains.items()},
        f"{program} -t nat -I {{chain}} -m policy --dir out --pol ipsec -j ACCEPT",
    )


def _iptables_rule(line: str, words: list[str]) -> NatRule:
    """Raises ValueError and StopIteration."""
    found: dict[str, Any] = {"sure": True}
    negated, rest = False, iter(words)
    for word in rest:
        if word == "!":
            negated = True
            continue
        match word:
            case "-s" | "-d":
                side = "source" if word == "-s" else "destination"
                found[side] = Ends((ip_network(next(rest), strict=False),), negated)
            case "-o" if not negated:
                found["interfaces"] = frozenset({next(rest)})
            case "-j" | "-g":
                target = next(rest)
                return NatRule(line, _iptables_verdict(target), target=target, **found)
            case "-m":
                _iptables_match(next(rest), rest, found)
            case _:
                found["sure"] = False
        negated = False
    return NatRule(line, Verdict.OTHER, **found)


def _iptables_match(name: str, rest: Iterator[str], found: dict[str, Any]) -> None:
    if name == "comment":
        for _ in ("--comment", "what it says"):
            next(rest)
    elif name == "policy":
        options = {next(rest): next(rest) for _ in range(2)}
        if options == {"--dir": "out", "--pol": options.get("--pol")}:
            found["protected"] = options["--pol"] == "ipsec"
        else:
            found["sure"] = False
    else:
        found["sure"] = False


def _iptables_verdict(target: str) -> Verdict:
    if target in TRANSLATING:
        return Verdict.TRANSLATE
    if target in ("ACCEPT", "RETURN"):
        return Verdict[target]
    return Verdict.JUMP


# -- nftables ---------------------------------------------------------------------------------------------------------


def nft_tables(listed: str) -> Iterator[NatTable]:
    """Of what `nft -j list ruleset` prints: each table that translates."""
    try:
        items = json.loads(listed)["nftables"]
    except (ValueError, KeyError, TypeError):
        return
    chains = [item["chain"] for item in items if "chain" in item]
    rules = [item["rule"] for item in items if "rule" in item]
    behind = [one for one in chains if (one.get("type"), one.get("hook")) == ("nat", "postrouting")]
    for family, table in dict.fromkeys((one["family"], one["table"]) for one in behind):
        bases = sorted((one["prio"], one["name"]) for one in behind if (one["family"], one["table"]) == (family, table))
        own = [rule for rule in rules if (rule["family"], rule["table"]) == (family, table)]
        names = dict.fromkeys(rule["chain"] for rule in own)
        yield NatTable(
            frozenset(FAMILIES.get(family, ())),
            tuple(name for _, name in bases),
            {name: tuple(_nft_rule(rule) for rule in own if rule["chain"] == name) for name in names},
            f"nft insert rule {family} {table} {{chain}} rt ipsec exists accept",
        )


def _nft_rule(rule: dict[str, Any]) -> NatRule:
    found: dict[str, Any] = {"sure": True}
    verdict, target, words = Verdict.OTHER, "", [f"{rule['family']} {rule['table']} {rule['chain']}:"]
    for expression in rule["expr"]:
        ((kind, value),) = expression.items()
        match kind:
            case "match":
                words.append(_nft_match(value, found))
            case "masquerade" | "snat":
                verdict = Verdict.TRANSLATE
                words.append(kind)
            case "accept" | "return":
                verdict = Verdict[kind.upper()]
            case "jump" | "goto":
                verdict, target = Verdict.JUMP, value["target"]
            case "counter" | "comment" | "log":
                pass
            case _:
                found["sure"] = False
    return NatRule(" ".join(words), verdict, target=target, **found)


def _nft_match(value: dict[str, Any], found: dict[str, Any]) -> str:
    """In words; what is not understood makes the rule unsure."""
    left, right, negated = value["left"], value["right"], value["op"] == "!="
    match left:
        case {"payload": {"protocol": "ip" | "ip6", "field": "saddr" | "daddr" as field}} if networks := _networks(
            right
        ):
            found["source" if field == "saddr" else "destination"] = Ends(networks, negated)
            return f"{field} {'!= ' if negated else ''}{', '.join(map(str, networks))}"
        case {"meta": {"key": "oifname"}} if not negated and (names := _names(right)):
            found["interfaces"] = frozenset(name.replace("*", "+") for name in names)
            return f"oifname {', '.join(names)}"
        case {"rt": {"key": "ipsec"}} if isinstance(right, bool):
            found["protected"] = right is not negated
            return f"rt ipsec {'exists' if found['protected'] else 'missing'}"
    found["sure"] = False
    return "..."


def _networks(right: Any) -> tuple[Network, ...]:
    """None of them where one is not understood."""
    found = []
    for one in _listed(right):
        match one:
            case {"prefix": {"addr": str(address), "len": int(length)}}:
                found.append(ip_network(f"{address}/{length}", strict=False))
            case str():
                try:
                    found.append(ip_network(one))
                except ValueError:
                    return ()
            case _:
                return ()
    return tuple(found)


def _names(right: Any) -> tuple[str, ...]:
    return tuple(one for one in _listed(right) if isinstance(one, str))


def _listed(right: Any) -> Iterable[Any]:
    return right["set"] if isinstance(right, dict) and isinstance(right.get("set"), list) else (right,)
