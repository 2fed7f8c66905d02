"""Fixtures of the integration tests, for the tests that need more than Debian's packages."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from integration.conftest import (  # noqa: E402,F401
    culvert, folder, pytest_configure, pytest_runtest_makereport)
