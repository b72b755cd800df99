"""What things cost on this machine: named cases, and for each rows of seconds and memory."""

from tenas_jax.speed.cases import CASES, Case, tasks
from tenas_jax.speed.rows import FIELDS, measure
from tenas_jax.speed.work import Task, Work

__all__ = ["CASES", "FIELDS", "Case", "Task", "Work", "measure", "tasks"]
