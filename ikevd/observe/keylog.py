"""The key log: what Wireshark and tshark need to decrypt IKEv1. Written only where the operator asks for it.

Source of the format: the `ikev1_decryption_table` of Wireshark: initiator cookie, encryption key, both in hex.
"""

from __future__ import annotations

import os
from pathlib import Path

from ikevd.sa.model import IsakmpSa


class KeyLog:
    """Appends one line for each ISAKMP SA to a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchmod(self._file, 0o600)

    def write(self, sa: IsakmpSa) -> None:
        """The cipher key, after the stretch of RFC 2409 appendix B."""
        os.write(self._file, f"{sa.cookies.initiator.hex()},{sa.cipher_key.reveal().hex()}\n".encode())

    def close(self) -> None:
        """No more keys."""
        os.close(self._file)
