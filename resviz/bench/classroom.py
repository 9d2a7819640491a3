"""A class on one server: how soon a control answers and a newcomer sees something."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from collections.abc import Awaitable, Sequence

from resviz.bench.rows import AS_LONG, AS_MANY, Row, Side, Spread
from resviz.bench.visitors import Visitor

CHARTS = ("Training", "Effort", "Layers")


def lesson(server: subprocess.Popen, pupils: int, settings: str, steps: int) -> list[Row]:
    """So many visitors train at once, every third looks at other charts, and one comes late.

    Against a visitor who has the server to herself and does the same.
    """
    asyncio.run(_alone(server, settings, steps))  # loads what the others find loaded
    alone = asyncio.run(_alone(server, settings, steps))
    everybody = asyncio.run(_class(server, pupils, settings, steps))
    answers = sorted(everybody.answers)
    late = answers[int(0.95 * len(answers))]
    return [
        Row(
            what=f"a control's answer while {pupils} visitors train",
            ours=Side(Spread(tuple(answers)), "s", (("95 % within", late, "s"),)),
            against="while one does",
            other=Side(Spread(tuple(alone.answers)), "s"),
            ratio=Spread((Spread(tuple(answers)).median / Spread(tuple(alone.answers)).median,)),
            meaning=AS_LONG,
        ),
        Row(
            what=f"a newcomer's first picture while {pupils} visitors train",
            ours=Side(Spread(tuple(everybody.first)), "s"),
            against="on a server of one's own",
            other=Side(Spread(tuple(alone.first)), "s"),
            ratio=Spread((everybody.first[-1] / alone.first[-1],)),
            meaning=AS_LONG,
        ),
        Row(
            what=f"steps a second of {pupils + 1} visitors' trainings, all together",
            ours=Side(Spread(((pupils + 1) * steps / everybody.seconds,)), "steps/s"),
            against="one visitor's",
            other=Side(Spread((steps / alone.seconds,)), "steps/s"),
            ratio=Spread(((pupils + 1) * alone.seconds / everybody.seconds,)),
            meaning=AS_MANY,
        ),
    ]


class _Seen:
    """What the clock said of some visitors."""

    def __init__(self) -> None:
        self.answers: list[float] = []  # seconds, of a control
        self.first: list[float] = []  # seconds to the first picture
        self.seconds = 0.0  # from the first Train to the last step of all


async def _alone(server: subprocess.Popen, settings: str, steps: int) -> _Seen:
    seen = _Seen()
    async with _visitor(server, settings) as visitor:
        began = time.perf_counter()
        seen.first.append(await _until_seen(visitor))
        await _look_around(visitor, seen)
        await visitor.until(lambda me: me.steps == (steps, steps))
        seen.seconds = time.perf_counter() - began
        await visitor.until(Visitor.finished)
    _tell_troubles([visitor])
    return seen


async def _class(server: subprocess.Popen, pupils: int, settings: str, steps: int) -> _Seen:
    seen = _Seen()
    everybody = [_visitor(server, settings) for _ in range(pupils)]
    late = _visitor(server, settings)
    await asyncio.gather(*(visitor.open() for visitor in (*everybody, late)))
    began = time.perf_counter()

    async def last_step(visitor: Visitor) -> None:
        await visitor.until(lambda me: me.steps == (steps, steps))
        seen.seconds = max(seen.seconds, time.perf_counter() - began)

    async def take_part(visitor: Visitor, restless: bool) -> None:
        await _until_seen(visitor)
        if restless:
            await _look_around(visitor, seen)
        await visitor.until(Visitor.finished)

    async def come_late() -> None:
        for visitor in everybody:
            await visitor.until(lambda me: me.step is not None or me.trained())
        seen.first.append(await _until_seen(late))
        await late.until(Visitor.finished)

    await asyncio.gather(
        *(take_part(visitor, k % 3 == 0) for k, visitor in enumerate(everybody)),
        come_late(),
        *(last_step(visitor) for visitor in (*everybody, late)),
    )
    for visitor in (*everybody, late):
        await visitor.close()
    _tell_troubles([*everybody, late])
    return seen


def _visitor(server: subprocess.Popen, settings: str) -> Visitor:
    """With a seed that nobody has asked for."""
    return Visitor(server.address, f"{settings}&seed={secrets.randbelow(2**31 - 1)}")


async def _until_seen(visitor: Visitor) -> float:
    """Press Train; the seconds until its first picture."""

    async def first_picture() -> None:
        await visitor.train()
        await visitor.until(lambda me: me.step is not None or me.trained())

    return await _seconds_of(first_picture())


async def _look_around(visitor: Visitor, seen: _Seen) -> None:
    for chart in CHARTS:
        seen.answers.append(await _seconds_of(visitor.choose("chart", chart)))


async def _seconds_of(act: Awaitable[None]) -> float:
    began = time.perf_counter()
    await act
    return time.perf_counter() - began


def _tell_troubles(visitors: Sequence[Visitor]) -> None:
    troubles = [trouble for visitor in visitors for trouble in visitor.troubles]
    if troubles:
        raise RuntimeError(f"A visitor met with trouble: {troubles[0]}")
