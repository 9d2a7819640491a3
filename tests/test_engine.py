"""Real workers, real chunks: what they give back is what `run` gives, whatever happens."""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import resviz.engine
from resviz import RunSpec, run
from resviz.chunks import LIVE_PLANS, take_chunk
from resviz.engine import Engine, Job, Phase
from resviz.pipeline import record_steps
from resviz.transport import optimal_plan

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


def test_a_network_that_overflows_at_once_keeps_its_untrained_picture(engine):
    wild = {"activation": "relu", "step_size": "1", "depth": 64, "width": 256, "batch": 32}
    job = engine.start(RunSpec(learning_rate=10.0, particles=20, **wild))
    assert job.wait_until(ended, TIMEOUT)
    assert job.phase is Phase.DONE, job.failure
    assert job.run.state.diverged == 1
    assert abs(job.run.tracks).max() < 10


def test_a_cancelled_job_gets_no_more_chunks(engine):
    job = engine.start(LONG)
    assert job.wait_until(at_step(1), TIMEOUT)
    job.cancel()
    step = job.step
    assert engine.start(SMALL).wait_until(ended, TIMEOUT)  # a worker was free for it
    assert (job.phase, job.step) == (Phase.CANCELLED, step)


def test_a_job_that_nobody_watches_sleeps_until_it_is_asked_after(engine, monkeypatch):
    monkeypatch.setattr(resviz.engine, "LEASE_SECONDS", 0.0)
    job = engine.start(LONG)
    # A whole other training gets done; the unwatched one gets none of the worker's time.
    monkeypatch.setattr(resviz.engine, "LEASE_SECONDS", 1e9)
    assert engine.start(SMALL).wait_until(ended, TIMEOUT)
    assert job.chunk is None
    job.touch()
    assert job.wait_until(at_step(1), TIMEOUT)
    job.cancel()


def test_over_many_particles_a_live_picture_keeps_the_plan_of_the_last_record():
    spec = RunSpec(particles=LIVE_PLANS + 1, depth=2, width=4, batch=16, steps=1000)
    first = take_chunk(spec, None, -1)
    second = take_chunk(spec, first, 0, seconds=0.0)
    assert second.state.step == 1
    assert second.records == ()
    assert (second.plan == first.plan).all()
    fewer = replace(spec, particles=20)
    third = take_chunk(fewer, take_chunk(fewer, None, -1), 0, seconds=0.0)
    assert (third.plan == optimal_plan(third.tracks[0], third.tracks[-1])).all()


def test_closing_ends_every_job_with_a_sentence():
    engine = Engine(workers=1)
    engine.wait_until_warm(TIMEOUT)
    jobs = [engine.start(LONG) for _ in range(3)]
    assert jobs[0].wait_until(at_step(1), TIMEOUT)
    engine.close()
    late = engine.start(SMALL)
    for job in (*jobs, late):
        assert job.wait_until(ended, TIMEOUT)
        assert job.failure == "The server is stopping."


def test_a_chunk_that_cannot_be_sent_fails_its_job_and_no_other(engine, monkeypatch):
    def no_process(*_: object) -> None:
        raise OSError("no memory for a process")

    with monkeypatch.context() as broken:
        broken.setattr(resviz.engine, "_submit", no_process)
        job = engine.start(SMALL)
        assert job.phase is Phase.FAILED
        assert "no memory for a process" in job.failure
    assert engine.start(SMALL).wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)


def test_workers_do_not_import_the_main_module(tmp_path):
    """A Streamlit server's main module is its page: run in a worker, it would fail."""
    script = tmp_path / "server.py"
    script.write_text(
        "import sys, os\n"
        "sys.stderr.write('main runs\\n')\n"
        "if __name__ == '__main__':\n"
        "    from resviz import RunSpec\n"
        "    from resviz.engine import Engine, Phase\n"
        "    engine = Engine(workers=1)\n"
        "    job = engine.start(RunSpec(depth=2, width=2, steps=3, batch=2, particles=2))\n"
        "    assert job.wait_until(lambda job: job.phase is Phase.DONE, 60)\n"
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


def test_a_chunk_with_time_enough_takes_every_record_on_its_way():
    first = take_chunk(SMALL, None, -1)
    rest = take_chunk(SMALL, first, 0, seconds=600.0)
    records = first.records + rest.records
    assert [record.step for record in records] == list(record_steps(SMALL))
    expected = [(r.step, r.loss) for r in run(SMALL).history]
    assert repr([(r.step, r.loss) for r in records]) == repr(expected)  # NaN at step 0


def test_a_diverging_chunk_records_where_it_ended_once():
    spec = RunSpec(learning_rate=10.0, steps=2000, depth=4, width=8, particles=20)
    chunk, history = take_chunk(spec, None, -1), ()
    while chunk.state.diverged is None:
        history += chunk.records
        chunk = take_chunk(spec, chunk, history[-1].step)
    steps = [record.step for record in history + chunk.records]
    assert steps == sorted(set(steps))
    assert steps[-1] == chunk.state.step
