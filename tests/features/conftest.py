from __future__ import annotations

from collections.abc import Iterator

import pytest
from memory_session import MemorySession


@pytest.fixture
def session() -> Iterator[MemorySession]:
    with MemorySession() as session:
        yield session
