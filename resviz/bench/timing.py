"""The clock's rules: warm-up first, the ways in turn, medians, no collector in between."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

WARM_UP = 3  # calls at most, at the beginning of each turn, that are not timed


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch's sums split over so many threads, as before when it ends."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def no_collector() -> Iterator[None]:
    """Python's garbage collector waits: its pauses are nobody's speed."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def seconds_of(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turn(
    ways: Mapping[str, Callable[[], object]],
    runs: int,
    seconds: float,
    split: Mapping[str, int] | None = None,
) -> dict[str, tuple[float, ...]]:
    """The median seconds of a call of each way, in each of `runs` runs.

    In a run every way has its turn of about `seconds`, so that whatever else the machine
    does meets them alike. Sums are split over as many threads as `split` says, or none.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with no_collector():
        for _ in range(runs):
            for name, work in ways.items():
                with threads((split or {}).get(name, 1)):
                    taken[name].append(_median_call(work, seconds))
    return {name: tuple(medians) for name, medians in taken.items()}


def _median_call(work: Callable[[], object], seconds: float) -> float:
    """The median of the calls that fit into so many seconds, after some to warm up."""
    spent = 0.0
    for _ in range(WARM_UP):
        if spent < seconds:
            spent += seconds_of(work)
    calls, end = [], time.perf_counter() + seconds
    while not calls or time.perf_counter() < end:
        calls.append(seconds_of(work))
    return statistics.median(calls)
