"""Which measurements are taken, in which order, and how large: quick and in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache

from resviz.bench import classroom, distances, pages, quality, serving, steps
from resviz.bench.rows import Row
from resviz.bench.serve import APP
from resviz.bench.serve import serving as served_app
from resviz.spec import RunSpec

FIT, CLOSE_FIT = 0.10, 0.05  # squared W2 on unseen points
DEFAULT = RunSpec()


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    runs: int  # of what is timed in turn
    slow_runs: int  # of what takes a good part of a second
    seconds: float  # of one side's turn
    steps: int  # of a turn of whole steps
    variants: bool  # the usual loop's own tunings, and more of its runs
    clouds: tuple[int, ...]  # points of the distances' batches
    sinkhorn: tuple[tuple[str, str], ...]  # source and target
    seeds: int  # of gaussian → moons
    trainings: tuple[int, ...]  # at once
    window: float  # seconds in which their steps are counted
    pupils: int = 0  # visitors of one server at once; none are not measured
    lesson: str = "depth=6&width=16&batch=64&particles=100"  # what each of them trains
    lesson_steps: int = 600
    walks: int = 0  # through all presets in a browser; without one no page is measured
    look: float = 3.0  # seconds in which frames are counted
    # What is measured; smaller ones are for tests.
    alone: RunSpec = steps.NETWORK_ALONE
    default: RunSpec = DEFAULT
    moons: RunSpec = quality.MOONS
    close: RunSpec = quality.CLOSE_MOONS
    straight: RunSpec = quality.STRAIGHT


QUICK = Size(
    runs=5, slow_runs=2, seconds=0.1, steps=30, variants=False, clouds=(256,),
    sinkhorn=(("moons", "moons"),), seeds=1, trainings=(8,), window=1.5,
)  # fmt: skip
FULL = Size(
    runs=5, slow_runs=5, seconds=0.5, steps=100, variants=True, clouds=(256, 512),
    sinkhorn=(("gaussian", "moons"), ("moons", "moons")), seeds=5, trainings=(8, 30), window=8.0,
    pupils=30, walks=1,
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One measurement, with the name that the progress bar shows."""

    name: str
    measure: Callable[[], Sequence[Row]]


def parts(size: Size, stack: ExitStack) -> list[Part]:
    """All of them in order. The engine starts when the first needs it, and ends with `stack`."""
    runs, slow, seconds, variants = size.runs, size.slow_runs, size.seconds, size.variants
    found = [
        Part("a step", lambda: steps.network_alone(runs, seconds, variants, size.alone)),
        Part("whole steps", lambda: steps.whole_steps(runs, size.steps, variants, size.default)),
    ]
    for n in size.clouds:
        found.append(Part("energy distance", lambda n=n: distances.energy(n, runs, seconds)))
        found.append(Part("sliced W2²", lambda n=n: [distances.sliced(n, runs, seconds)]))
        for source, target in size.sinkhorn:
            spec = RunSpec(loss="sinkhorn", source=source, target=target, batch=n)
            found.append(Part("Sinkhorn", lambda s=spec: [distances.sinkhorn(s, slow, seconds)]))
    n = size.default.particles
    return [
        *found,
        Part("a plan", lambda: [distances.exact_plan(n, runs, seconds)]),
        Part("time to quality", lambda: _to_quality(size)),
        Part("a straight run", lambda: [quality.straight_and_soon(size.straight)]),
        Part("the default run", lambda: _default_run(size)),
        *_served(size, stack),
        *_pages(size),
    ]


def _to_quality(size: Size) -> list[Row]:
    def pairs_of(spec: RunSpec) -> list[quality.Pair]:
        return [quality.trained_by_both(replace(spec, seed=k)) for k in range(size.seeds)]

    pairs = pairs_of(size.moons)
    rows = [quality.to_fit(pairs, size.moons, FIT), quality.at_the_end(pairs, size.moons)]
    if size.variants:
        rows.append(quality.to_fit(pairs_of(size.close), size.close, CLOSE_FIT))
    return rows


def _default_run(size: Size) -> list[Row]:
    row = quality.default_run(3 if size.variants else 1, size.variants, size.default)
    if not size.variants:
        return [row]
    return [row, quality.same_fit(quality.trained_by_both(size.default))]


def _served(size: Size, stack: ExitStack) -> list[Part]:
    """What one warm engine is asked. A killed worker comes last."""
    slow, spec = size.slow_runs, size.default
    warm = cache(lambda: stack.enter_context(serving.warm_engine()))
    return [
        Part("a worker's way", lambda: [serving.way_to_a_worker(warm(), size.runs)]),
        Part("first picture", lambda: [serving.first_picture(warm(), slow, spec)]),
        Part(
            "many at once",
            lambda: serving.many_at_once(warm(), size.trainings, size.window, spec),
        ),
        Part("a killed worker", lambda: [serving.after_a_kill(warm(), 1 + slow // 3, spec)]),
    ]


def _pages(size: Size) -> list[Part]:
    """What a visitor sees, where the app is there to be served: an installed package has none."""
    found = []
    if size.pupils and APP.exists():
        found.append(Part("a class", lambda: _lesson(size)))
    if size.walks and APP.exists() and (path := pages.browser_path()):
        found.append(Part("in a browser", lambda: pages.in_a_browser(path, size.walks, size.look)))
    return found


def _lesson(size: Size) -> list[Row]:
    with served_app() as server:
        settings = f"{size.lesson}&steps={size.lesson_steps}"
        return classroom.lesson(server, size.pupils, settings, size.lesson_steps)
