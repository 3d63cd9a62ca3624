"""The key log: what Wireshark and tshark need to decrypt IKEv1. Written only where the operator asks for it.

Source of the format: the `ikev1_decryption_table` of Wireshark: initiator cookie, encryption key, both in hex.
"""

from __future__ import annotations

import os
from pathlib import Path

from ikevd import files
from ikevd.errors import ConfigError
from ikevd.observe import log
from ikevd.obstacles import obstacle
from ikevd.sa.model import IsakmpSa


def key_line(sa: IsakmpSa) -> str:
    """The cipher key, after the stretch of RFC 2409 appendix B, behind the cookie by which Wireshark finds it."""
    return f"{sa.cookies.initiator.hex()},{sa.cipher_key.reveal().hex()}"


class KeyLog:
    """Appends one line for each ISAKMP SA to a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        """Raises `ConfigError` for what is no regular file of root's or our own, and of nobody else's; `CannotStart`
        for what cannot be opened."""
        try:
            self._file = files.open_private(path, os.O_APPEND)
        except ValueError as error:
            raise ConfigError((f"key log {path}: {error}",)) from error
        except OSError as error:
            raise obstacle("key log", path, error) from error

    def write(self, sa: IsakmpSa) -> None:
        """One line. A full disk costs the line, not the SA."""
        try:
            os.write(self._file, f"{key_line(sa)}\n".encode())
        except OSError as error:
            log.warning(f"a key could not be written to the key log: {error.strerror}")

    def close(self) -> None:
        """No more keys."""
        os.close(self._file)
