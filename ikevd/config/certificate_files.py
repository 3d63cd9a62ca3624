"""Where certificates, keys and CRLs come from: files named in the configuration, or credentials of the systemd unit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ikevd import owners
from ikevd.config.secrets import FromCredential, FromFile, credential_path
from ikevd.pki import files
from ikevd.pki.contents import Octets

Source = FromFile | FromCredential


def read(source: Source, folder: Path, environ: Mapping[str, str], account: owners.Account, *, secret: bool) -> Octets:
    """`folder`: of the configuration file. `account`: whom the daemon runs as. `secret`: does it hold a private key?

    Raises ValueError, which says where it was looked for and what would be right.
    """
    match source:
        case FromFile(name):
            return files.read(folder / name, account, secret=secret)
        case FromCredential(name):
            return files.read_credential(credential_path(name, environ), name)
