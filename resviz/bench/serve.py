"""A Streamlit server of its own, for what is measured from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
APP = ROOT / "app.py"
ENDING = 120.0  # seconds, after which a server that was told to end never will


@contextmanager
def serving(script: Path = APP, **environment: str) -> Iterator[subprocess.Popen]:
    """The process of `streamlit run`, on a free port, with its `address`.

    Raises `RuntimeError` if it ends before it serves, `TimeoutExpired` if it does not end after.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    process.address = f"http://localhost:{port}/"
    try:
        if not any(str(port) in line for line in process.stdout):
            raise RuntimeError("The server ended before it served.")
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()  # a full pipe would hold the server up
        yield process
    finally:
        process.terminate()
        try:
            process.wait(ENDING)
        finally:
            process.kill()
            process.stdout.close()
