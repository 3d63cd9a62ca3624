"""Which start of this machine it is: what was kept over a restart of ikevd is of no use after one of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id(environ: Mapping[str, str], file: Path = BOOT_ID) -> str | None:
    """32 hex digits, or None where nobody tells. The unit sets IKEVD_BOOT_ID (`%b`): below ProcSubset=pid there is no
    such file."""
    try:
        return UUID(environ.get("IKEVD_BOOT_ID") or file.read_text().strip()).hex
    except (OSError, ValueError):
        return None
