"""What fails below Orbax, as one line for the user.

Orbax logs every save and every failure, the latter with its traceback, and reads that are left
over after the first failed one print theirs. A user who is told in one line is better served.
"""

import contextlib
import errno
import io
import logging
import os
import re
import time
from collections.abc import Iterator

SETTLE = 0.2  # seconds for Orbax's other reads to end after one has failed
LONGEST = 120  # letters of a reason


class Quiet(logging.Filter):
    """Lets nothing pass that Orbax itself says; installed on absl's logger between two calls."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record comes from elsewhere."""
        return f"{os.sep}orbax{os.sep}" not in record.pathname

    def install(self) -> None:
        """From now on Orbax is quiet."""
        logging.getLogger("absl").addFilter(self)

    def remove(self) -> None:
        """It may speak again; fine if it was not installed."""
        logging.getLogger("absl").removeFilter(self)


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Keeps what Orbax's threads print about a failure off standard error."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            yield
        except BaseException:
            time.sleep(SETTLE)
            raise


def system_error(error: BaseException) -> str | None:
    """The file system's own words, such as "No space left on device"; None if it was not that."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen.strerror or os.strerror(seen.errno or errno.EIO)
        # TensorStore has no types of exceptions, but names the number at the end of its text.
        found = re.search(r"os_error_code='(\d+)'", str(seen))
        if found:
            return os.strerror(int(found[1]))
        seen = seen.__cause__ or seen.__context__
    return None


def reason(error: BaseException) -> str:
    """Why a checkpoint cannot be read, in a few words."""
    words = system_error(error) or " ".join(f"{type(error).__name__}: {error}".split())
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}..."
