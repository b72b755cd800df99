"""What every command shares: a user's mistake is one line on standard error, and exit status 2."""

import functools
import logging
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Sequence

import jax
from absl import flags

from experiments.devices import LOST, leave
from tenas_jax.errors import UserError

TOO_LARGE = "not enough memory; a smaller network, batch or limit needs less"

# That there is no accelerator is no news to the user of a laptop.
logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)


def main_without_traceback(main: Callable[[list[str]], int | None]) -> Callable[[list[str]], None]:
    """Wraps `main` for `absl.app.run`, with a `UserError` printed instead of raised."""

    @functools.wraps(main)
    def wrapped(argv: list[str]) -> None:
        if len(argv) > 1:
            _fail(f"unexpected argument {argv[1]!r}; flags look like --name=value")
        try:
            status = main(argv)
        except UserError as error:
            print(_one_line(str(error)), file=sys.stderr)
            status = 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            status = 130
        except Exception as error:
            words = str(error) if isinstance(error, jax.errors.JaxRuntimeError) else ""
            if "RESOURCE_EXHAUSTED" in words:
                print(_one_line(f"{TOO_LARGE} ({words.splitlines()[0][:120]})"), file=sys.stderr)
            elif not jax.distributed.is_initialized():
                raise
            elif "Gloo" in words:
                print(_one_line(f"{LOST} ({words})"), file=sys.stderr)
            else:  # a defect of this process; the others are not kept waiting
                traceback.print_exc()
            status = 1
        leave(status or 0)

    return wrapped


def names(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Splits metric names, given as a tuple or as `one,two`; None for the preset's."""
    if value is None:
        return None
    value = [value] if isinstance(value, str) else value
    return tuple(name for part in value for name in str(part).split(","))


def parse_flags(argv: list[str]) -> list[str]:
    """Parses as absl does; a mistake in a flag, a config file or a field of it becomes one line."""
    try:
        rest = flags.FLAGS(argv)
        if "config" in flags.FLAGS:
            _ = flags.FLAGS["config"].value.keys()  # a file that could not be read fails when used
        return rest
    except flags.Error as error:
        _fail(str(error))
    except Exception as error:  # a config file is a program, and may raise anything
        _fail(_config_mistake(error, argv))


def _config_mistake(error: Exception, argv: list[str]) -> str:
    """Says what is wrong with the config file or a `--config.field`."""
    words = " ".join(argv).replace("--config ", "--config=").split()
    path = next((w.split("=", 1)[1] for w in words if w.startswith("--config=")), "")
    path = path.split(":")[0]  # what follows is the file's argument
    if not pathlib.Path(path).is_file():
        return f"there is no config file {path!r}"
    text = str(error.args[0] if error.args else error)
    if isinstance(error, AttributeError | KeyError):
        for argument in argv:
            field = argument.removeprefix("--config.").split("=")[0]
            if argument.startswith("--config.") and f"'{field}'" in text.replace("\\", ""):
                near = re.search(r'Did you mean "(\w+)"', text)
                hint = f" (did you mean {near[1]!r}?)" if near else ""
                return f"unknown config field {field!r}{hint}; {path} lists the valid ones"
    if isinstance(error, TypeError | ValueError) and "--config." in " ".join(argv):
        return text  # a value of the wrong type: the message names field and types
    return f"cannot use the config file {path!r}: {type(error).__name__}: {text}"


def _fail(message: str) -> None:
    """Prints a mistake and ends the process."""
    print(_one_line(message), file=sys.stderr)
    sys.exit(2)


def _one_line(message: str) -> str:
    """Puts a message on one line, as an error."""
    return "error: " + " ".join(message.split())
