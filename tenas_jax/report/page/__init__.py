"""Runs as one HTML page that opens from the disk: tables, pictures, and what was run on what."""

from tenas_jax.report.page.document import page, write_page
from tenas_jax.report.page.kinds import KINDS

__all__ = ["KINDS", "page", "write_page"]
