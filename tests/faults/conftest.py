"""Fixtures of the integration tests, for the tests that need more than Debian's packages."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from integration import conftest as shared  # noqa: E402
from integration.test_my_exactly_once import SETUP  # noqa: E402

folder = shared.folder
culvert = shared.culvert
faults = shared.faults
pg_source, pg_target = shared.pg_source, shared.pg_target
my_source, my_target = shared.my_source, shared.my_target
pytest_configure = shared.pytest_configure
pytest_runtest_makereport = shared.pytest_runtest_makereport


@pytest.fixture
def bank(request):
    """Accounts on two servers; the parameter is the direction."""
    b = shared.make_cross(request, request.param)
    b.sql(SETUP[b.direction[:2]])
    yield b
    b.drop()
