"""A server that was told to end does, though something holds it up."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[1]
SCRIPT = """
import signal, sys, threading
from resviz.ending import end_in_time

def say(word):
    sys.stdout.write(word + "\\n")
    sys.stdout.flush()

signal.signal(signal.SIGTERM, lambda *_: say("told to end"))  # and nothing comes of it
end_in_time(lambda: say("workers ended"), patience=0.1, last=0.5)
say("begun")
while True:
    threading.Event().wait()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that can be taken up")
def test_whatever_holds_a_server_up_it_ends():
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as server:
        assert server.stdout.readline() == "begun\n"
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=PATIENCE)
    assert said.split("\n")[:2] == ["told to end", "workers ended"]
    assert server.returncode == 128 + signal.SIGTERM
