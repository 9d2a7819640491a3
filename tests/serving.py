"""The app as `streamlit run app.py` serves it, on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patience import PATIENCE

ROOT = Path(__file__).parents[1]


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[subprocess.Popen]:
    """Its process, with its `address`. Options are Streamlit's; ended in peace at the end."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    usual = ["--server.port", str(port), "--server.headless", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *usual, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    process.address = f"http://localhost:{port}/"
    for line in process.stdout:
        if str(port) in line:
            break
    else:
        raise RuntimeError("The server ended before it served.")
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    drain.start()  # a full pipe would hold the server up
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)
        drain.join()
        process.stdout.close()
