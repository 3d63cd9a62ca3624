"""Our own range of reqids: the number that ties a configured child to its SAs and policies in the kernel."""

from __future__ import annotations

REQID_FIRST = 0x696B0000
REQID_LAST = 0x696BFFFF
"""65,536 of them, "ik" in ASCII; strongSwan and libreswan count from 1 and 16,384."""
