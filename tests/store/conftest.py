"""A medium for each kind of store."""

import pytest

from tests.store.media import InMemory, Medium


@pytest.fixture(params=["memory"])
def medium() -> Medium:
    return InMemory()
