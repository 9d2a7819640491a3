"""A class of thirty on one server: real sessions over websockets, all training at once.

How soon each is answered is told by `python -m resviz bench`; here all finish, and nothing fails.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from resviz.bench.serve import serving
from resviz.bench.visitors import Visitor

CLASS, ROUNDS = 30, 2
STEPS = 300
SETTINGS = f"depth=6&width=16&batch=64&particles=100&steps={STEPS}"
CHARTS = ("Training", "Effort", "Layers")
# Finished runs that are kept may take so many megabytes: full after the first round, so that
# what grows after it is a leak.
ROOM = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks memory up in /proc"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen]:
    with serving(RESVIZ_MAX_CACHE_MB=str(ROOM)) as process:
        yield process


def megabytes(process: int) -> float:
    """The memory of a process and of its children, as far as it is in use."""
    status = Path(f"/proc/{process}/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    tasks = Path(f"/proc/{process}/task").iterdir()
    children = {child for task in tasks for child in (task / "children").read_text().split()}
    return own / 1024 + sum(megabytes(int(child)) for child in children)


async def take_part(pupil: Visitor, restless: bool) -> None:
    """Train, watch to the end; the restless look at every chart meanwhile."""
    await pupil.train()
    await pupil.until(lambda me: me.step is not None or me.trained())
    for chart in CHARTS if restless else ():
        await pupil.choose("chart", chart)
    await pupil.until(Visitor.finished)
    assert pupil.steps == (STEPS, STEPS)


async def come_late(late: Visitor, pupils: list[Visitor]) -> None:
    """Press Train when everybody has begun."""
    for pupil in pupils:
        await pupil.until(lambda me: me.step is not None or me.trained())
    await take_part(late, restless=False)


async def lesson(server: subprocess.Popen, seeds: Iterator[int]) -> list[str]:
    """All open the page, all train, one comes late, all leave; what nobody should have seen."""
    everybody = [Visitor(server.address, f"{SETTINGS}&seed={next(seeds)}") for _ in range(CLASS)]
    late = Visitor(server.address, f"{SETTINGS}&seed={next(seeds)}")
    await asyncio.gather(*(visitor.open() for visitor in (*everybody, late)))
    await asyncio.gather(
        *(take_part(pupil, restless=i % 3 == 0) for i, pupil in enumerate(everybody)),
        come_late(late, everybody),
    )
    for visitor in (*everybody, late):
        await visitor.close()
    return [trouble for visitor in (*everybody, late) for trouble in visitor.troubles]


def test_a_class_of_thirty_trains_on_one_server(server):
    seeds, memory = count(1000), []
    for _ in range(ROUNDS):
        assert asyncio.run(lesson(server, seeds)) == []
        memory.append(megabytes(server.pid))
    assert max(memory) <= 1.1 * memory[0], memory
