"""What a finished search has found, as the commands that go on from it ask for it."""

import os

from tenas_jax.errors import UserError
from tenas_jax.runs.json_values import read_object
from tenas_jax.runs.workdir import Workdir

RESULT = "result.json"  # of a search, and of a training


def found_by(workdir: str | os.PathLike, space: str) -> str:
    """The architecture that a finished search has found.

    Raises:
        UserError: `workdir` holds no search, one that is not finished, or one of another space.
    """
    record = Workdir.read(workdir)
    if "strategy" not in record.config:
        raise UserError(f"the run in {record.path} is no search")
    other = record.config.get("space")
    if other != space:
        raise UserError(f"the search in {record.path} is of {other}, the config's space is {space}")
    result = read_object(record.path / RESULT)
    if result is None or not isinstance(result.get("arch"), str):
        raise UserError(f"the search in {record.path} is not finished; start it again to go on")
    return result["arch"]
