"""What findings say, for tests that hold the words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ikevd.errors import IkeError
from ikevd.facts import Dropped, Established, Failed, Note
from ikevd.observe.words import say, say_error


def said(fact: Dropped | Established | Failed | Note) -> str:
    """The sentence of a fact."""
    return say(fact.finding)


@contextmanager
def raises_saying(kind: type[IkeError], words: str) -> Iterator[pytest.ExceptionInfo[IkeError]]:
    """As `pytest.raises` with `match`, for an error that holds a finding."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(words, say_error(caught.value)), say_error(caught.value)
