"""A program that is run when a child comes up and when it goes down."""

from __future__ import annotations

from ikevd.frozen import frozen

TIMEOUT = 30.0
"""Seconds, unless the file says otherwise."""
CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner"),
    *("sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice"),
    *("sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap"),
    *("mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf"),
    "checkpoint_restore",
)
"""Linux's, each at its number (linux/capability.h)."""


@frozen
class Updown:
    """What is run, and how."""

    program: str
    """An absolute path; no shell reads it."""
    arguments: tuple[str, ...] = ()
    timeout: float = TIMEOUT
    """Seconds after which it is told to end."""
    capabilities: tuple[str, ...] = ()
    """Those of `CAPABILITIES` that it has; empty: none."""
    after_restart: bool = False
    """Is it run for what stands when a new process takes over?"""
