"""Whether a network namespace is that in which the SAs of a former process stand."""

import pytest

from ikevd.kernel.place import namespace_cookie
from tests.kernel.namespaces import Namespace, new_namespace

pytestmark = pytest.mark.kernel


def cookie_in(namespace: Namespace) -> int | None:
    with namespace.entered():
        return namespace_cookie()


def test_each_network_namespace_has_a_cookie_of_its_own() -> None:
    first = new_namespace()
    of_first = cookie_in(first)
    first.close()
    second = new_namespace()
    of_second = cookie_in(second)
    second.close()
    assert None not in (of_first, of_second)
    assert len({namespace_cookie(), of_first, of_second}) == 3
