"""What tests of several folders share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def pruner(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a very small pruner that knows dark discs."""
    from tiny_pruner import tiny_pruner

    folder = tmp_path_factory.mktemp("pruner")
    tiny_pruner().save(folder)
    return str(folder)
