"""Real workers, real chunks: what they give back is what `run` gives, whatever happens."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resviz import RunSpec, run
from resviz.engine import Engine, Job, Phase

SMALL = RunSpec(depth=4, width=8, steps=60, batch=32, particles=40, target="moons")
LONG = RunSpec(steps=20000)
ENDED = (Phase.DONE, Phase.FAILED, Phase.CANCELLED)
TIMEOUT = 60.0


@pytest.fixture(scope="module")
def engine():
    with_workers = Engine(workers=1)
    with_workers.wait_until_warm(TIMEOUT)
    yield with_workers
    with_workers.close()


def ended(job: Job) -> bool:
    return job.phase in ENDED


def at_step(step: int):
    return lambda job: job.step >= step


def assert_same_run(job: Job, expected) -> None:
    assert job.phase is Phase.DONE, job.failure
    assert (job.run.tracks == expected.tracks).all()
    assert json.dumps(job.run.summary()) == json.dumps(expected.summary())


def test_chunks_add_up_to_the_run(engine):
    job = engine.start(SMALL)
    assert job.wait_until(ended, TIMEOUT)
    assert_same_run(job, run(SMALL))


def test_the_first_picture_is_the_untrained_network(engine):
    job = engine.prepare(SMALL)
    assert job.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    assert (job.phase, job.step) == (Phase.PAUSED, 0)
    assert job.history[0].step == 0
    job.resume()
    assert job.wait_until(ended, TIMEOUT)
    assert_same_run(job, run(SMALL))


def test_pause_holds_and_resume_goes_on(engine):
    job = engine.start(LONG)
    assert job.wait_until(at_step(1), TIMEOUT)
    job.pause()
    # Another job's whole training fits in between: the paused one gets no chunk meanwhile,
    # but for the one that was under way.
    other = engine.start(SMALL)
    assert other.wait_until(at_step(1), TIMEOUT)
    held = job.step
    assert other.wait_until(ended, TIMEOUT)
    assert job.step == held
    assert job.phase is Phase.PAUSED
    job.resume()
    assert job.wait_until(at_step(held + 1), TIMEOUT)
    job.cancel()


def test_stop_scores_the_network_as_it_is(engine):
    job = engine.start(LONG)
    assert job.wait_until(at_step(1), TIMEOUT)
    job.stop()
    assert job.phase is Phase.SCORING
    assert job.wait_until(ended, TIMEOUT)
    assert 0 < job.run.state.step < LONG.steps
    assert not job.run.complete
    assert job.run.scores.gap is not None


def test_a_killed_worker_costs_no_bit(engine):
    spec = RunSpec(depth=4, width=8, steps=600, batch=32, particles=40)
    job = engine.start(spec)
    assert job.wait_until(at_step(1), TIMEOUT)
    for executor in list(engine._all):
        for process in list(executor._processes):
            os.kill(process, signal.SIGKILL)
    assert job.wait_until(ended, TIMEOUT)
    assert_same_run(job, run(spec))


def test_a_job_that_ends_its_workers_fails_with_a_sentence_and_no_other_does(engine, monkeypatch):
    deadly = engine.prepare(SMALL)
    assert deadly.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    monkeypatch.setattr(deadly, "_work", lambda: (os._exit, (1,)))
    deadly.resume()
    assert deadly.wait_until(ended, TIMEOUT)
    assert deadly.phase is Phase.FAILED
    assert "ended 3 workers in a row" in deadly.failure
    healthy = engine.start(SMALL)
    assert healthy.wait_until(ended, TIMEOUT)
    assert healthy.phase is Phase.DONE


def test_two_jobs_share_one_worker(engine):
    first, second = engine.start(LONG), engine.start(LONG)
    assert first.wait_until(at_step(1), TIMEOUT)
    assert second.wait_until(at_step(1), TIMEOUT)
    seen = first.step
    assert first.wait_until(at_step(seen + 1), TIMEOUT)
    for job in (first, second):
        job.cancel()


def test_a_diverging_run_ends_by_itself_with_finite_tracks(engine):
    spec = RunSpec(learning_rate=10.0, steps=2000)
    job = engine.start(spec)
    assert job.wait_until(ended, TIMEOUT)
    assert job.run.state.diverged == job.run.state.step + 1
    assert_same_run(job, run(spec))


def test_workers_do_not_import_the_main_module(tmp_path):
    """A Streamlit server's main module is its page: run in a worker, it would fail."""
    script = tmp_path / "server.py"
    script.write_text(
        "import sys, os\n"
        "sys.stderr.write('main runs\\n')\n"
        "if __name__ == '__main__':\n"
        "    from resviz.engine import Engine\n"
        "    engine = Engine(workers=1)\n"
        "    engine.wait_until_warm(60)\n"
        "    sys.stdout.write(str('torch' in sys.modules))\n"
        "    engine.close()\n"
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert done.stderr.count("main runs") == 1
    assert done.stdout == "False"  # the server's own process never loads torch


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_workers_do_not_outlive_a_killed_server(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(
        "import sys\n"
        "if __name__ == '__main__':\n"
        "    from resviz.engine import Engine\n"
        "    engine = Engine(workers=1)\n"
        "    engine.wait_until_warm(60)\n"
        "    sys.stdout.write(str(*engine._free[0]._processes) + '\\n')\n"
        "    sys.stdout.flush()\n"
        "    sys.stdin.read()\n"
    )
    root = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    ) as server:
        worker = os.pidfd_open(int(server.stdout.readline()))
        server.kill()
    ready, _, _ = select.select([worker], [], [], TIMEOUT)  # readable once it has ended
    os.close(worker)
    assert ready
