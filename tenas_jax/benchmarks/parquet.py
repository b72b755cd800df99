"""Parquet files, which need the optional package pyarrow."""

import importlib
import os
from types import ModuleType

from tenas_jax.errors import UserError


def import_pyarrow(path: str | os.PathLike) -> ModuleType:
    """Imports `pyarrow` with `pyarrow.parquet`; a `UserError` says how to install it.

    Args:
        path: the file that it is wanted for, which the error names.
    """
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise UserError(
            f"{os.fspath(path)}: Parquet needs pyarrow (pip install 'tenas_jax[parquet]'); "
            "or name a .csv file"
        ) from error
