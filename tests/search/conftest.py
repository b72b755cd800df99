"""What several tests of searches would else do over and over."""

import functools
import os

import pytest

from tenas_jax.runs import workdir
from tenas_jax.search import nsga2


@pytest.fixture
def quick_starts(monkeypatch):
    """Runs that do not wait for the disk, nor ask for the commit and the versions of packages."""
    monkeypatch.setattr(workdir, "environment", dict)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def counted_once(monkeypatch):
    """Costs of a space's operations that are counted for the first strategy alone."""
    monkeypatch.setattr(nsga2, "cost_table", functools.cache(nsga2.cost_table))
