"""One machine: a network namespace, and what can be done in it.

Processes are dear in User Mode Linux (some 20 ms each), hence `ip -batch`, and a thread that enters a namespace where
another would start a process.
"""

import ctypes
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.interop.xfrm import XfrmPolicy, XfrmState, parse_policies, parse_states

T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(AssertionError):
    """A command in a namespace ended with a code that was not wanted; the message has its output."""


def run(*command: str, text: str | None = None, check: bool = True, timeout: float = 30) -> str:
    """Run a command, with `text` as its input; return its stdout (and stderr, if it fails unchecked)."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(f"{' '.join(command)}: not done within {timeout:g} s") from late
    if done.returncode == 0:
        return done.stdout
    if check:
        raise CommandFailed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def ip_batch(lines: Iterable[str], netns: str | None = None) -> None:
    """Run `ip` once for many lines."""
    where = ["-n", netns] if netns else []
    run("ip", *where, "-batch", "-", text="".join(f"{line}\n" for line in lines))


def enter_netns(netns: str) -> None:
    """This thread, and what it starts from now on, is in the namespace of that name."""
    with open(f"/run/netns/{netns}", "rb") as handle:
        if _libc.setns(handle.fileno(), 0x40000000):  # CLONE_NEWNET
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), netns)


def call_in_netns(netns: str, function: Callable[[], T]) -> T:
    """Call `function` in a thread that has entered the namespace; sockets it opens belong there for ever."""
    results: list[T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            enter_netns(netns)
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@dataclass(frozen=True)
class Node:
    """One machine: a network namespace with its addresses ("" where it has none)."""

    name: str
    """Of the namespace, as in `ip -n NAME`."""
    address: str
    """Of a gateway on the wide side; of a host."""
    address6: str = ""
    outside: str = ""
    """The address that the other gateway sees: differs from `address` behind a NAT."""
    net: str = ""
    """Of a gateway: the private network behind it."""
    net6: str = ""

    def run(self, *command: str, check: bool = True, timeout: float = 30, text: str | None = None) -> str:
        """Run a command here; its stdout. Raises CommandFailed unless `check` is off."""
        return run(*self.command(*command), check=check, timeout=timeout, text=text)

    def command(self, *command: str) -> list[str]:
        """The command that runs `command` here, for Popen and the like."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]

    def call(self, function: Callable[[], T]) -> T:
        """Call a function here (in a thread): a socket that it opens belongs to this node."""
        return call_in_netns(self.name, function)

    def ip(self, *arguments: str) -> str:
        return run("ip", "-n", self.name, *arguments)

    def xfrm_state(self) -> list[XfrmState]:
        return parse_states(self.ip("-s", "xfrm", "state"))

    def xfrm_policy(self) -> list[XfrmPolicy]:
        return parse_policies(self.ip("-s", "xfrm", "policy"))

    def ping(
        self,
        address: str,
        count: int = 3,
        *,
        interval: float = 0.02,
        wait: float = 10,
        size: int = 56,
        source: str = "",
    ) -> int:
        """Ping; return how many answers came. `wait`: seconds for all of it."""
        options = ["-I", source] if source else []
        numbers = ["-c", str(count), "-i", str(interval), "-w", str(max(1, round(wait))), "-s", str(size)]
        text = self.run("ping", "-n", "-q", *numbers, *options, address, check=False, timeout=wait + 10)
        received = re.search(r"(\d+) received", text)
        assert received is not None, f"ping {address}: {text}"
        return int(received[1])

    def set_sysctl(self, **values: int) -> None:
        """Set values below /proc/sys/net: `ipv4__ip_forward=1`, two underscores for a dot."""

        def write() -> None:
            for key, value in values.items():
                Path("/proc/sys/net", *key.split("__")).write_text(str(value))

        self.call(write)
