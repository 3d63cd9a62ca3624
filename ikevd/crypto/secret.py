"""Secret octets that cannot be printed by accident."""

from __future__ import annotations

import hmac
from dataclasses import field

from ikevd.frozen import frozen


@frozen
class Secret:
    """Key material. `repr`, `str` and formatting show nothing; comparison takes constant time."""

    _octets: bytes = field(repr=False)

    def reveal(self) -> bytes:
        """The octets: call it only where they enter a computation or the kernel."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash(("Secret", self._octets))

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")
