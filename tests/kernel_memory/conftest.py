"""So that a failing assert of the contract suite shows its values."""

import pytest

pytest.register_assert_rewrite("tests.kernel.contract", "tests.kernel.contract_links", "tests.kernel.contract_routes")
