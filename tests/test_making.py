"""Files to take home are made in a process of their own: whole, or not at all, and said so."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE as TIMEOUT
from patience import wait_until

from resviz.limits import LimitError
from resviz.records import Run
from resviz.ui import making
from resviz.ui.making import CANCELLED, Making, Order, Workshop, why

LONG = ("--size=1920x1080", "--seconds=20", "--rate=50")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where temporary files go in these tests."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ended(one: Making) -> Making:
    one.thread.join(TIMEOUT)
    assert not one.thread.is_alive()
    assert one.ended
    return one


def test_a_file_is_what_the_command_makes_and_nothing_else_remains(tiny_run: Run, folder: Path):
    one = ended(Workshop(1).start(Order(tiny_run, None, "tiny.npz")))
    assert one.failure is None
    (folder / "back.npz").write_bytes(one.data)
    back = Run.load(folder / "back.npz")
    assert back.spec == tiny_run.spec
    assert (back.tracks == tiny_run.tracks).all()
    assert [path.name for path in folder.iterdir()] == ["back.npz"]


def test_two_runs_go_into_one_page(tiny_run: Run, tiny_classifier: Run, folder: Path):
    one = ended(Workshop(1).start(Order(tiny_run, tiny_run, "two.html", ("--present",))))
    assert one.failure is None
    assert one.data.lstrip().lower().startswith(b"<!doctype html>")


def test_a_film_says_how_far_it_is_and_is_ended_by_a_click(tiny_run: Run, folder: Path):
    one = Workshop(1).start(Order(tiny_run, None, "long.gif", LONG))
    wait_until(lambda: one.part or one.ended)
    assert 0 < one.part < 1
    process = one._process
    one.cancel()
    assert ended(one).failure.endswith(CANCELLED)
    assert process.returncode != 0
    assert one.data is None
    assert list(folder.iterdir()) == []


def test_cancelled_before_it_began_it_never_begins(tiny_run: Run, folder: Path):
    one = Making(Order(tiny_run, None, "never.gif", LONG))
    one.cancel()
    one.thread.start()
    assert ended(one).failure.endswith(CANCELLED)
    assert one._process is None


def test_what_is_not_allowed_comes_back_as_the_commands_sentence(tiny_run: Run, folder: Path):
    one = ended(Workshop(1).start(Order(tiny_run, None, "wrong.gif", ("--rate=3",))))
    assert one.failure.startswith("The file could not be made. rate: '3' is not allowed")
    assert one.failure.endswith(".")
    assert "\n" not in one.failure


def test_one_that_takes_too_long_is_ended(tiny_run: Run, folder: Path, monkeypatch):
    monkeypatch.setattr(making, "MOST_SECONDS", 0.05)
    one = ended(Workshop(1).start(Order(tiny_run, None, "long.gif", LONG)))
    assert "was not done after" in one.failure
    assert list(folder.iterdir()) == []


def test_over_the_servers_limit_it_is_refused_and_place_is_made_by_the_end(
    tiny_run: Run, folder: Path
):
    workshop = Workshop(1)
    first = workshop.start(Order(tiny_run, None, "long.gif", LONG))
    with pytest.raises(LimitError, match=r"makes 1 file at once .RESVIZ_MAX_EXPORTS"):
        workshop.start(Order(tiny_run, None, "tiny.json"))
    first.cancel()
    ended(first)
    assert ended(workshop.start(Order(tiny_run, None, "tiny.json"))).data.startswith(b"{")


def test_one_visitor_does_not_hold_every_place(tiny_run: Run, folder: Path):
    workshop = Workshop(2, each=1)
    first = workshop.start(Order(tiny_run, None, "long.gif", LONG), "greedy")
    with pytest.raises(LimitError, match=r"You have a file in the making, .*MAX_EXPORTS_EACH"):
        workshop.start(Order(tiny_run, None, "tiny.json"), "greedy")
    other = workshop.start(Order(tiny_run, None, "tiny.json"), "other")
    first.cancel()
    assert ended(other).failure is None
    ended(first)
    assert ended(workshop.start(Order(tiny_run, None, "tiny.json"), "greedy")).failure is None


ALONE = """
import sys, tempfile
tempfile.tempdir = sys.argv[2]
from resviz.records import Run
from resviz.ui.making import Order, Workshop
one = Workshop(1).start(Order(Run.load(sys.argv[1]), None, "long.gif", tuple(sys.argv[3:])))
while not one.part:
    one.thread.join(0.01)
print(one._process.pid, flush=True)
one.thread.join()
"""


@pytest.fixture
def orphan(tiny_run: Run, folder: Path) -> Iterator[subprocess.Popen]:
    """A server of its own that makes a film, in `folder`; its `film` is the process that does."""
    tiny_run.save(folder / "run.npz")
    place = folder / "made"
    place.mkdir()
    command = [sys.executable, "-c", ALONE, str(folder / "run.npz"), str(place), *LONG]
    with subprocess.Popen(command, cwd=making.ROOT, stdout=subprocess.PIPE, text=True) as server:
        server.film = int(server.stdout.readline())
        yield server
        server.kill()


def test_a_killed_servers_file_ends_with_it_and_leaves_nothing(
    orphan: subprocess.Popen, folder: Path
):
    assert len(list((folder / "made").iterdir())) == 1
    orphan.kill()
    wait_until(lambda: not list((folder / "made").iterdir()))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_what_was_left_all_the_same_is_cleared_when_a_server_starts(
    orphan: subprocess.Popen, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    os.kill(orphan.film, signal.SIGSTOP)
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "made"))
    making.clear_what_was_left()
    assert len(list((folder / "made").iterdir())) == 1  # its server is there
    orphan.kill()
    orphan.wait()
    try:
        making.clear_what_was_left()
        assert list((folder / "made").iterdir()) == []
    finally:
        os.kill(orphan.film, signal.SIGKILL)


def test_a_server_that_ends_takes_its_files_along(tiny_run: Run, folder: Path):
    workshop = Workshop(2)
    both = [workshop.start(Order(tiny_run, None, "long.gif", LONG)) for _ in range(2)]
    wait_until(lambda: all(one.part or one.ended for one in both))
    workshop.close()
    assert all(ended(one).failure.endswith(CANCELLED) for one in both)
    assert list(folder.iterdir()) == []


def test_a_process_that_is_gone_is_told_by_its_end():
    assert why(2, ["python -m resviz: size: 'x' is not allowed."]) == "size: 'x' is not allowed."
    assert why(2, ["usage: …", "python -m resviz export: error: no FILE"]) == "no FILE."
    assert why(-9, []) == "Its process was ended by signal 9, perhaps for want of memory."
    assert "code 1: MemoryError" in why(1, ["Traceback …", "MemoryError"])


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason=f"no niceness on {sys.platform}")
def test_trainings_go_first(tiny_run: Run, folder: Path):
    one = Workshop(1).start(Order(tiny_run, None, "long.gif", LONG))
    wait_until(lambda: one.part or one.ended)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    niceness = os.getpriority(os.PRIO_PROCESS, one._process.pid)
    assert niceness == max(own, making.NICENESS)
    one.cancel()
    ended(one)
