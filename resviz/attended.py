"""The command line for a server that may be killed: it ends with it, and takes its folder along.

    python -m resviz.attended FOLDER export …

Standard input is a pipe that the server holds open and never writes to: its end is the server's.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence

TRIES = 20  # the command may still be writing into the folder


def main(arguments: Sequence[str]) -> int:
    """Run the command, whose temporary files go into the folder, too."""
    folder, *command = arguments
    tempfile.tempdir = folder
    threading.Thread(target=_leave_with_the_server, args=(folder,), daemon=True).start()
    from resviz.__main__ import main as run  # seconds, during which the server may go already

    return run(command)


def _leave_with_the_server(folder: str) -> None:
    # Not by `sys.stdin`, whose lock a thread must not hold when the interpreter ends.
    while os.read(0, 1):
        pass
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            break
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
