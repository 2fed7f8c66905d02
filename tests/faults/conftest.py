"""Fixtures of the integration tests, for the tests that need more than Debian's packages."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from integration import conftest as shared  # noqa: E402

folder = shared.folder
culvert = shared.culvert
pytest_configure = shared.pytest_configure
pytest_runtest_makereport = shared.pytest_runtest_makereport
