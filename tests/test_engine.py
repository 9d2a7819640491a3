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
from patience import PATIENCE as TIMEOUT

import resviz.engine
import resviz.job
from resviz import RunSpec, run
from resviz.chunks import LIVE_PLANS, Chunk, take_chunk, take_scores
from resviz.engine import Engine, Job, Phase
from resviz.limits import Limits
from resviz.pipeline import record_steps
from resviz.records import Measures
from resviz.scores import FLOOR_PAIRS
from resviz.transport import optimal_plan

SMALL = RunSpec(depth=4, width=8, steps=60, batch=32, particles=40, target="moons")
LONG = RunSpec(steps=20000)
ENDED = (Phase.DONE, Phase.FAILED, Phase.CANCELLED)


@pytest.fixture(scope="module")
def engine():
    with_workers = Engine(workers=1, limits=Limits(units=64 * 256))
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


@pytest.mark.slow
def test_killing_every_worker_in_ten_runs_changes_no_bit():
    specs = [replace(SMALL, seed=seed, steps=400) for seed in range(10)]
    engine = Engine(workers=2)
    try:
        engine.wait_until_warm(TIMEOUT)
        first = engine.processes()
        jobs = [engine.start(spec) for spec in specs]
        for job in jobs:
            assert job.wait_until(at_step(1), TIMEOUT)
        assert any(not ended(job) for job in jobs)
        for process in first:
            os.kill(process, signal.SIGKILL)
        for job in jobs:
            assert job.wait_until(ended, TIMEOUT)
        assert not set(engine.processes()) & set(first)
    finally:
        engine.close()
    for job, spec in zip(jobs, specs, strict=True):
        assert_same_run(job, run(spec))


@pytest.mark.slow
def test_a_worker_killed_again_and_again_costs_no_bit(engine):
    """Before the first look, in training and in scoring: each piece is taken once more."""
    spec = replace(SMALL, seed=77, steps=2000)
    job = engine.start(spec)
    for moment in (lambda j: True, at_step(1), at_step(1000), lambda j: j.phase is Phase.SCORING):
        assert job.wait_until(moment, TIMEOUT)
        for process in engine.processes():
            os.kill(process, signal.SIGKILL)
    assert job.wait_until(ended, TIMEOUT)
    assert_same_run(job, run(spec))


def test_a_job_that_ends_its_workers_fails_with_a_sentence_and_no_other_does(engine, monkeypatch):
    deadly = engine.prepare(replace(SMALL, seed=1))
    assert deadly.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    healthy = engine.start(replace(LONG, seed=1))
    assert healthy.wait_until(at_step(1), TIMEOUT)
    monkeypatch.setattr(deadly._shared, "piece", lambda: (os._exit, (1,)))
    deadly.resume()
    assert deadly.wait_until(ended, 3 * TIMEOUT)  # three workers have to warm up
    assert deadly.phase is Phase.FAILED
    assert "ended 3 workers in a row" in deadly.failure
    seen = healthy.step
    assert healthy.wait_until(at_step(seen + 1), TIMEOUT)
    healthy.cancel()
    # Asked for again it is trained anew.
    anew = engine.start(replace(SMALL, seed=1))
    assert anew.wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)


def test_a_newcomers_first_picture_goes_before_all(engine):
    jobs = [engine.start(replace(LONG, seed=seed, target="ring")) for seed in range(30)]
    for job in jobs:
        assert job.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    steps = [job.step for job in jobs]
    newcomer = engine.start(replace(LONG, seed=99))
    assert newcomer.wait_until(lambda j: j.chunk is not None, TIMEOUT)
    moved = sum(job.step > step for job, step in zip(jobs, steps, strict=True))
    assert moved <= 4  # two pieces lie with the worker, and one more may have been handed over
    for job in (*jobs, newcomer):
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
    monkeypatch.setattr(resviz.job, "LEASE_SECONDS", -1.0)
    job = engine.start(replace(LONG, seed=5))
    # A whole other training gets done; the unwatched one gets none of the worker's time.
    monkeypatch.setattr(resviz.job, "LEASE_SECONDS", 1e9)
    assert engine.start(replace(SMALL, seed=5)).wait_until(ended, TIMEOUT)
    assert job.chunk is None
    job.touch()
    assert job.wait_until(at_step(1), TIMEOUT)
    job.cancel()


def follow(spec: RunSpec, chunk: Chunk, **others: object) -> Chunk:
    """The piece after this one."""
    last = chunk.record.step if chunk.record else 0
    return take_chunk(spec, chunk.state, chunk.plan, last, **others)


def test_over_many_particles_a_live_picture_keeps_the_plan_of_the_last_record():
    spec = RunSpec(particles=LIVE_PLANS + 1, depth=2, width=4, batch=16, steps=1000)
    first = take_chunk(spec, None)
    second = follow(spec, first, seconds=0.0)
    assert second.state.step == 1
    assert second.record is None
    assert (second.plan == first.plan).all()
    fewer = replace(spec, particles=20)
    third = follow(fewer, take_chunk(fewer, None), seconds=0.0)
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
    def no_process(*_: object, **__: object) -> None:
        raise OSError("no memory for a process")

    with monkeypatch.context() as broken:
        broken.setattr(engine._workers, "submit", no_process)
        job = engine.start(replace(SMALL, seed=8))
        assert job.phase is Phase.FAILED
        assert "no memory for a process" in job.failure
    assert engine.start(replace(SMALL, seed=8)).wait_until(lambda j: j.phase is Phase.DONE, TIMEOUT)


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
        "    assert job.wait_until(lambda job: job.phase is Phase.DONE, 600)\n"
        "    sys.stdout.write(str('torch' in sys.modules))\n"
        "    engine.close()\n"
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
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
        "    engine.wait_until_warm(600)\n"
        "    sys.stdout.write(str(*engine.processes()) + '\\n')\n"
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


def test_chunks_with_time_enough_end_at_every_record():
    chunks = [take_chunk(SMALL, None)]
    while chunks[-1].state.step < SMALL.steps:
        chunks.append(follow(SMALL, chunks[-1], seconds=600.0))
    assert [chunk.record.step for chunk in chunks] == list(record_steps(SMALL))
    expected = [(r.step, r.loss) for r in run(SMALL).history]
    assert repr([(c.record.step, c.record.loss) for c in chunks]) == repr(expected)  # NaN at 0


def test_the_end_of_scoring_is_a_piece_of_its_own_where_time_is_over():
    last = take_chunk(SMALL, None)
    history, measures = (last.record,), Measures()
    pieces = []
    while not pieces or pieces[-1].run is None:
        pieces.append(take_scores(SMALL, last.state, history, measures, seconds=0.0))
        measures = pieces[-1].measures
    assert len(pieces) == FLOOR_PAIRS + SMALL.depth + 1
    assert pieces[-1].measures == pieces[-2].measures
    assert take_scores(SMALL, last.state, history, Measures(), seconds=1e9).run is not None


def test_a_diverging_chunk_records_where_it_ended_once():
    spec = RunSpec(learning_rate=10.0, steps=2000, depth=4, width=8, particles=20)
    chunk, steps = take_chunk(spec, None), [0]
    while chunk.state.diverged is None:
        chunk = take_chunk(spec, chunk.state, chunk.plan, steps[-1])
        steps += [chunk.record.step] if chunk.record else []
    assert steps == sorted(set(steps))
    assert steps[-1] == chunk.state.step
