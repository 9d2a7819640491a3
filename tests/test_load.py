"""A class of thirty on one server: real sessions over websockets, all training at once.

The figures: `pytest tests/test_load.py --junitxml FILE -o junit_family=xunit1`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from visitors import Visitor

from resviz.processes import own_cores

ROOT = Path(__file__).parents[1]
CLASS, ROUNDS = 30, 3
STEPS = 600
SETTINGS = f"depth=6&width=16&batch=64&particles=100&steps={STEPS}"
PATIENCE = 300.0
# Finished runs that are kept may take so many megabytes: full after the first round, so that
# what grows after it is a leak.
ROOM = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks memory up in /proc"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RESVIZ_MAX_CACHE_MB": str(ROOM)},
    )
    process.address = f"http://localhost:{port}/"
    for line in process.stdout:
        if str(port) in line:
            break
    else:
        pytest.fail("the server ended before it served")
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    drain.start()  # a full pipe would hold the server up
    yield process
    process.terminate()
    process.wait(60)
    drain.join()
    process.stdout.close()


@dataclass
class Seen:
    """What a class saw."""

    seconds: float = 0.0  # from the first Train to the last step of all
    answers: list[float] = field(default_factory=list)  # of a control, in seconds
    first_pictures: list[float] = field(default_factory=list)
    newcomer: float = 0.0  # until the first picture of one who comes while all train
    troubles: list[str] = field(default_factory=list)
    client: float = 0.0  # seconds of processor time that the visitors themselves took


def megabytes(process: int) -> float:
    """The memory of a process and of its children, as far as it is in use."""
    status = Path(f"/proc/{process}/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    tasks = Path(f"/proc/{process}/task").iterdir()
    children = {child for task in tasks for child in (task / "children").read_text().split()}
    return own / 1024 + sum(megabytes(int(child)) for child in children)


def visitor(server: subprocess.Popen, seeds: Iterator[int]) -> Visitor:
    return Visitor(server.address, f"{SETTINGS}&seed={next(seeds)}")


def all_steps_taken(visitor: Visitor) -> bool:
    return visitor.steps == (STEPS, STEPS)


async def one_alone(server: subprocess.Popen, seeds: Iterator[int]) -> float:
    """Steps a second of a visitor who has the server to herself."""
    async with visitor(server, seeds) as alone:
        began = time.perf_counter()
        await alone.train()
        await alone.until(all_steps_taken, PATIENCE)
        seconds = time.perf_counter() - began
        await alone.until(Visitor.finished, PATIENCE)
    assert not alone.troubles
    return STEPS / seconds


async def take_part(pupil: Visitor, seen: Seen, restless: bool) -> None:
    """Train, watch to the end; the restless look at other charts meanwhile."""
    began = time.perf_counter()
    await pupil.train()
    await pupil.until(lambda me: me.step is not None, PATIENCE)
    seen.first_pictures.append(time.perf_counter() - began)
    for chart in ("Training", "Effort", "Layers") if restless else ():
        if not pupil.trained():
            seen.answers.append(await pupil.choose("chart", chart))
            shown = pupil.step
            await pupil.until(lambda me, at=shown: me.step != at or me.trained(), PATIENCE)
    await pupil.until(Visitor.finished, PATIENCE)


async def come_late(late: Visitor, pupils: list[Visitor], seen: Seen) -> None:
    """Press Train when everybody has begun."""
    for pupil in pupils:
        await pupil.until(lambda me: me.step is not None, PATIENCE)
    began = time.perf_counter()
    await late.train()
    await late.until(lambda me: me.step is not None, PATIENCE)
    seen.newcomer = time.perf_counter() - began
    await late.until(Visitor.finished, PATIENCE)


async def lesson(server: subprocess.Popen, seeds: Iterator[int]) -> Seen:
    """All open the page, all train, one comes late, all leave."""
    seen, processor = Seen(), time.process_time()
    pupils = [visitor(server, seeds) for _ in range(CLASS)]
    late = visitor(server, seeds)
    await asyncio.gather(*(pupil.open() for pupil in (*pupils, late)))
    began = time.perf_counter()

    async def last_step(pupil: Visitor) -> None:
        await pupil.until(all_steps_taken, PATIENCE)
        seen.seconds = max(seen.seconds, time.perf_counter() - began)

    await asyncio.gather(
        *(take_part(pupil, seen, i % 3 == 0) for i, pupil in enumerate(pupils)),
        come_late(late, pupils, seen),
        *(last_step(pupil) for pupil in (*pupils, late)),
    )
    for pupil in (*pupils, late):
        await pupil.close()
        seen.troubles += pupil.troubles
    seen.client = time.process_time() - processor
    return seen


def test_a_class_of_thirty_trains_on_one_server(server, record_property):
    seeds = count(1000)
    # The first run of a server loads what the others find loaded.
    paces = [asyncio.run(one_alone(server, seeds)) for _ in range(4)][1:]
    alone = statistics.median(paces)
    lessons, memory = [], []
    for _ in range(ROUNDS):
        lessons.append(asyncio.run(lesson(server, seeds)))
        memory.append(megabytes(server.pid))
    workers = max(1, own_cores() - 1)
    shares = [(CLASS + 1) * STEPS / seen.seconds / (alone * workers) for seen in lessons]
    answers = sorted(answer for seen in lessons for answer in seen.answers)
    slow = answers[int(0.95 * len(answers))]
    newcomers = [seen.newcomer for seen in lessons]
    figures = {
        "steps a second of one alone": alone,
        "share of it, all together": shares,
        "answers": len(answers),
        "95th percentile of an answer, seconds": slow,
        "newcomer's first picture, seconds": newcomers,
        "first pictures of all who press at once, slowest": max(
            max(seen.first_pictures) for seen in lessons
        ),
        "server and workers, megabytes": memory,
        "lesson, seconds": [seen.seconds for seen in lessons],
        "the visitors' own processor seconds": [seen.client for seen in lessons],
    }
    for name, value in figures.items():
        record_property(name, value)
    assert not [trouble for seen in lessons for trouble in seen.troubles], figures
    assert len(answers) >= CLASS, figures
    assert statistics.median(shares) >= 0.8, figures
    assert slow <= 1.0, figures
    assert max(newcomers) <= 2.0, figures
    assert max(memory) <= 1.1 * memory[0], figures
