"""What a process has written so far, read while it goes on writing."""

from __future__ import annotations

import os
from typing import IO


def written(file: IO[bytes]) -> bytes:
    """All that stands in the file. Where the process writes next is left alone: it shares that place with us, and after
    a `seek` of ours it would write over its own first lines."""
    descriptor = file.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
