"""Where things are unless the command line or the environment says otherwise, as on Debian."""

from __future__ import annotations

from pathlib import Path

CONFIG = Path("/etc/ikevd/ikevd.yaml")
SOCKET = Path("/run/ikevd/control.sock")
BLOCKS = Path("/var/lib/ikevd/blocks")
