"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _forget_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()
