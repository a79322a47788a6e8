"""End a worker process when the process that started it has ended."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

POLL_SECONDS: Final = 0.5


def end_with(parent: int) -> None:
    """Watch the parent of this process, and exit as soon as it has ended.

    An idle worker waits for its next job on a pipe. A parent that is killed cannot send the word
    to stop, and the trackers of a pool live as long as any of its workers.

    The system hands the children of a dead process to another one, so the parent's id changes.
    Windows does not; there, idle workers end after five minutes, as before. Linux could send a
    signal instead (``PR_SET_PDEATHSIG``), but it does so when the *thread* that started the worker
    ends, which in a notebook or a server is not the end of the process.

    Parameters
    ----------
    parent : int
        The parent's process id, from the parent itself: it may have ended before this call.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os._exit(1)  # at once, whatever the job is doing: nobody waits for its result

    threading.Thread(target=watch, name="modalprism-parent-watch", daemon=True).start()
