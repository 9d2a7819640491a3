"""Five hundred visits to one server, with everything that goes wrong on a bad day.

    python -m resviz.bench.soak [--visits 500] [--at-once 12]

Visitors come and go: most train to the end, others leave in mid-run, pause, stop, lose their
connection, or walk through the presets. Meanwhile one hostile client asks for one costly first
picture after the other and never trains, another holds as many endless trainings as it can get
from many pages. A third of the way one worker is stopped, so that it hangs, and at two thirds
one is killed.

Exits with 1, and says what was wrong, unless every honest visit ends as it should, nobody sees
an error, both hostile clients had some effect, and the server's memory at the end is within a
tenth of what it was when all that it keeps of those who left had filled up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from websockets.exceptions import WebSocketException

from resviz.bench.serve import ENDING, serving
from resviz.bench.visitors import Visitor

SMALL = "depth=4&width=8&batch=32&particles=60&steps=80"
COSTLY = "source=text:AAAAAAAB&particles=1000&depth=64&width=64&batch=2&steps=1"
ENDLESS = "depth=32&width=64&batch=512&particles=400&steps=20000"
PAGES_OF_THE_GREEDY = 8
PATIENCE = 600.0  # seconds in which an honest visit must be over: a hung worker is among them
KINDS = {"train": 60, "leave": 15, "pause": 8, "stop": 7, "reconnect": 5, "walk": 5}
FULL = 0.4  # the share of visits after which memory is looked at first: 128 lost sessions are kept
GROWTH = 0.1  # of memory, after that
ROOM = 8  # megabytes of finished runs


@dataclass
class Log:
    """What happened."""

    visits: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of those who trained to the end
    costly_pictures: int = 0
    refusals: int = 0  # of the hostile


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def workers(server: int) -> list[int]:
    """The worker processes: those that multiprocessing spawned, but its resource tracker."""
    lines = {
        pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children(server)
    }
    return [pid for pid, line in lines.items() if any(b"spawn_main" in part for part in line)]


def megabytes(process: int) -> float:
    """In memory, of this process alone: the workers are replaced on the way."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) / 1024


async def visit(address: str, number: int, kind: str) -> None:
    """One honest visit. Raises what went wrong."""
    async with Visitor(address, f"{SMALL}&seed={number}", b"honest %d" % number) as me:
        if kind == "walk":
            for _ in range(3):
                await me.press("next_preset")
        else:
            await me.train()
            await me.until(lambda me: me.step is not None or me.finished(), PATIENCE)
        match kind:
            case "train":
                await me.until(Visitor.finished, PATIENCE)
            case "pause":
                for _ in ("pause", "resume"):
                    if not me.elements["pause"].disabled:
                        await me.press("pause")
                await me.until(Visitor.finished, PATIENCE)
            case "stop":
                if not me.elements["stop"].disabled:
                    await me.press("stop")
                await me.until(lambda me: not me.live, PATIENCE)
            case "reconnect":
                await me.close()
                await me.open()
                await me.until(Visitor.finished, PATIENCE)
    if me.troubles:
        raise AssertionError(str(me.troubles))


async def guarded(address: str, number: int, kind: str, log: Log, gate: asyncio.Semaphore) -> None:
    async with gate:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(2 * PATIENCE):
                await visit(address, number, kind)
        except Exception as reason:
            log.troubles.append(f"visit {number} ({kind}): {type(reason).__name__} {reason}")
        log.visits[kind] += 1
        if kind == "train":
            log.seconds.append(time.perf_counter() - began)


async def ask_for_pictures(address: str, log: Log) -> None:
    """Hostile: the first picture of a large network, and at once another one."""
    async with Visitor(address, f"{COSTLY}&seed=1", b"hasty") as me:
        for seed in range(2, 10**6):
            me.step = None
            await me.choose("seed", str(seed))
            await me.press("reset")
            await me.until(lambda me: me.step is not None, 2 * PATIENCE)
            log.costly_pictures += 1
            log.refusals += len(me.troubles)
            me.troubles.clear()


async def hold_trainings(address: str, seed: int, log: Log) -> None:
    """Hostile: one of many pages of the same client, with a training that does not end."""
    async with Visitor(address, f"{ENDLESS}&seed={seed}", b"greedy") as me:
        while True:
            if not me.elements["train"].disabled and not me.live:
                await me.press("train")
            log.refusals += len(me.troubles)
            me.troubles.clear()
            await asyncio.sleep(5)


async def persist(attack, *arguments: object) -> None:
    """A hostile client begins again when it is thrown out."""
    while True:
        try:
            await attack(*arguments)
        except (OSError, TimeoutError, ValueError, WebSocketException):
            await asyncio.sleep(1)


async def soak(server: int, address: str, visits: int, at_once: int) -> tuple[Log, list[float]]:
    log, gate, remembered = Log(), asyncio.Semaphore(at_once), []
    dice = random.Random(0)
    kinds = dice.choices(list(KINDS), list(KINDS.values()), k=visits)
    hostile = [
        asyncio.create_task(persist(ask_for_pictures, address, log)),
        *(
            asyncio.create_task(persist(hold_trainings, address, 10**6 + k, log))
            for k in range(PAGES_OF_THE_GREEDY)
        ),
    ]
    under_way = [
        asyncio.create_task(guarded(address, number, kind, log, gate))
        for number, kind in enumerate(kinds)
    ]
    events = {
        visits // 3: ("stops", signal.SIGSTOP),
        int(FULL * visits): ("remembers", None),
        2 * visits // 3: ("kills", signal.SIGKILL),
    }
    for done, task in enumerate(asyncio.as_completed(under_way), 1):
        await task
        if done in events:
            what, number = events[done]
            if number is None:
                remembered.append(megabytes(server))
            else:
                os.kill(workers(server)[0], number)
            tell(f"{done} visits: {what}")
        elif done % 50 == 0:
            tell(f"{done} visits, {megabytes(server):.0f} MB, {len(log.troubles)} troubles")
    remembered.append(megabytes(server))
    for task in hostile:
        task.cancel()
    await asyncio.gather(*hostile, return_exceptions=True)
    return log, remembered


def tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def report(log: Log, remembered: list[float], growth: float, ending: float) -> str:
    told = {
        "visits": log.visits,
        "median seconds to a finished run": statistics.median(log.seconds),
        "most seconds to a finished run": max(log.seconds),
        "costly first pictures given": log.costly_pictures,
        "refusals of the hostile": log.refusals,
        "server's memory, MB": [round(value) for value in remembered],
        "growth": f"{growth:.1%}",
        "seconds from SIGTERM to the server's end": round(ending, 1),
        "troubles": log.troubles,
    }
    return json.dumps(told, indent=1) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--visits", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=12)
    options = parser.parse_args()
    with serving(RESVIZ_MAX_CACHE_MB=str(ROOM)) as server:
        log, remembered = asyncio.run(
            soak(server.pid, server.address, options.visits, options.at_once)
        )
        began = time.monotonic()
        server.terminate()
        server.wait(ENDING)
        ending = time.monotonic() - began
    growth = remembered[-1] / remembered[0] - 1
    sys.stdout.write(report(log, remembered, growth, ending))
    attacked = log.costly_pictures > 0 and log.refusals > 0  # else nothing is shown
    return int(bool(log.troubles) or growth > GROWTH or not attacked)


if __name__ == "__main__":
    sys.exit(main())
