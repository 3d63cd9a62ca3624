"""What this daemon installed in the kernel, written before each kernel call.

Lines of JSON, one fact each, without keys. The file shall outlive the process, not the machine: neither do
the SAs, so nothing is forced to disk.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path

from ikevd.errors import KernelRefused
from ikevd.host.interface import Direction, PolicyId, SaId
from ikevd.obstacles import obstacle
from ikevd.sa.model import Spi

SPARE_LINES = 1000
"""Rewritten once it has this many lines more than twice what it means."""


class Journal:
    """The journal of one daemon, which holds the lock of the runtime folder: reads what is there, rewrites it without
    what is forgotten.

    Raises `CannotStart` where it cannot be kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._sas, self._policies = load(path)
            self._file = self._rewrite()
        except OSError as error:
            raise obstacle("runtime_directory: the journal", path, error) from error

    @property
    def sas(self) -> Mapping[SaId, int]:
        """The SAs that were installed and not removed, with their reqid."""
        return self._sas

    @property
    def policies(self) -> Mapping[PolicyId, int]:
        """The policies that were installed and not removed, with their reqid."""
        return self._policies

    def note_sa(self, sa: SaId, reqid: int) -> None:
        """An SA is about to be installed. Raises `KernelRefused` where this cannot be written."""
        self._note(_noted(_sa_text(sa), reqid))
        self._sas[sa] = reqid

    def forget_sa(self, sa: SaId) -> None:
        """An SA is gone."""
        if self._sas.pop(sa, None) is not None:
            self._forget(_sa_text(sa))

    def note_policy(self, policy: PolicyId, reqid: int) -> None:
        """A policy is about to be installed. Raises `KernelRefused` as `note_sa`."""
        self._note(_noted(_policy_text(policy), reqid))
        self._policies[policy] = reqid

    def forget_policy(self, policy: PolicyId) -> None:
        """A policy is gone."""
        if self._policies.pop(policy, None) is not None:
            self._forget(_policy_text(policy))

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _note(self, line: str) -> None:
        try:
            self._append(line)
        except OSError as error:
            raise KernelRefused(
                f"nothing is installed while the journal {self._path} cannot be written: {error.strerror}",
                error.errno or errno.EIO,
            ) from error

    def _forget(self, what: str) -> None:
        try:
            self._append(f'{{"forget": {what}}}\n')
        except OSError:
            pass  # what the file says too much is not in the kernel, so that no harm comes of it

    def _append(self, text: str) -> None:
        if self._lines > 2 * (len(self._sas) + len(self._policies)) + SPARE_LINES:
            old, self._file = self._file, self._rewrite()
            os.close(old)
        line = text.encode()
        written = os.write(self._file, line)
        if written != len(line):  # the disk is full
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._lines += 1

    def _rewrite(self) -> int:
        """Write what is meant into a new file, put it in the place of the old, and open it for more."""
        lines = [_noted(_sa_text(sa), reqid) for sa, reqid in self._sas.items()]
        lines += [_noted(_policy_text(policy), reqid) for policy, reqid in self._policies.items()]
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink(missing_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(file, "w", encoding="ascii", closefd=False) as text:
                text.writelines(lines)
            fresh.replace(self._path)
        except BaseException:
            os.close(file)
            raise
        self._lines = len(lines)
        return file


def load(path: Path) -> tuple[dict[SaId, int], dict[PolicyId, int]]:
    """The SAs and policies that a journal says are installed; a line that cannot be read is passed over.

    The last line may be torn: then what it was to tell was never installed. Raises OSError.
    """
    sas: dict[SaId, int] = {}
    policies: dict[PolicyId, int] = {}
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return sas, policies
    for line in lines:
        try:
            entry = json.loads(line)
            match entry:
                case {"note": "sa", "reqid": int(reqid)}:
                    sas[_read_sa(entry)] = reqid
                case {"note": "policy", "reqid": int(reqid)}:
                    policies[_read_policy(entry)] = reqid
                case {"forget": "sa"}:
                    sas.pop(_read_sa(entry), None)
                case {"forget": "policy"}:
                    policies.pop(_read_policy(entry), None)
        except (ValueError, KeyError, TypeError, RecursionError):  # the last: of json, for a line of many brackets
            continue
    return sas, policies


def _noted(what: str, reqid: int) -> str:
    """A line. The texts need no quoting, and `json.dumps` takes three times as long: five lines for each tunnel."""
    return f'{{"note": {what}, "reqid": {reqid}}}\n'


def _sa_text(sa: SaId) -> str:
    return f'"sa", "destination": "{sa.destination}", "spi": "{sa.spi}"'


def _read_sa(entry: Mapping[str, str]) -> SaId:
    return SaId(ip_address(entry["destination"]), Spi(int(entry["spi"], 16)))


def _policy_text(policy: PolicyId) -> str:
    return (
        f'"policy", "source": "{policy.source}", "destination": "{policy.destination}", "protocol": {policy.protocol}, '
        f'"source_port": {policy.source_port}, "destination_port": {policy.destination_port}, '
        f'"direction": "{policy.direction.value}"'
    )


def _read_policy(entry: Mapping[str, str]) -> PolicyId:
    return PolicyId(
        source=ip_network(entry["source"]),
        destination=ip_network(entry["destination"]),
        protocol=int(entry["protocol"]),
        source_port=int(entry["source_port"]),
        destination_port=int(entry["destination_port"]),
        direction=Direction(entry["direction"]),
    )
