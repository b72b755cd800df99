"""A run that is open, and what it warns of."""

import pytest

from tenas_jax.runs import json_lines
from tenas_jax.runs.workdir import Workdir


@pytest.fixture
def run(tmp_path):
    """A new run."""
    with Workdir.open(tmp_path / "a" / "run", {"seed": 0}, writer=True) as work:
        yield work


@pytest.fixture
def warnings_logged(monkeypatch):
    """The warnings of reading records, as they come."""
    messages = []
    monkeypatch.setattr(json_lines.logging, "warning", lambda m, *a: messages.append(m % a))
    return messages
