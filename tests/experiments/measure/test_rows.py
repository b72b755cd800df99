"""What the measuring process hears of the one that it starts."""

import sys

import pytest

from experiments.measure.rows import measure_apart
from experiments.measure.work import Task
from tenas_jax.errors import UserError

TASK = Task("search", "nas_bench_201", "auto", 16, 1, 32, 1)


def say(program: str) -> dict:
    return measure_apart([sys.executable, "-c", f"import json, os, sys\n{program}"], TASK)


def test_the_last_line_is_the_answer():
    answer = say(
        "print('chatter')\n"
        "name, text = sys.argv[1].split('=', 1)\n"
        "cache = os.environ['JAX_ENABLE_COMPILATION_CACHE']\n"
        "print(json.dumps([name, json.loads(text), cache]))"
    )
    assert answer[0] == "--task"
    assert Task(**answer[1]) == TASK
    assert answer[2] == "false"


def test_a_users_mistake_is_its_line():
    with pytest.raises(UserError, match="^no such engine$"):
        say("print('warning', file=sys.stderr); print('error: no such engine', file=sys.stderr)\n"
            "sys.exit(2)")  # fmt: skip


def test_a_failure_keeps_its_traceback(capsys):
    with pytest.raises(ChildProcessError, match="exit status 1"):
        say("1 / 0")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_killed_process_is_told_of():
    with pytest.raises(ChildProcessError, match="killed by signal 9"):
        say("os.kill(os.getpid(), 9)")
