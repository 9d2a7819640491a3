"""Whose piece is next: worker time is shared out evenly, and what it cost is not forgotten.

Start-time fair queueing (Goyal, Vin & Cheng, SIGCOMM 1996): a piece may start when those before
it of the same account have had their time, and who comes back after a rest has saved up none.
An account is a visitor's, so that what a cancelled task has cost weighs on the next one. Where
nobody says who asks, each task has one of its own, and the first pictures of endlessly many
tasks would each begin without debts: so those of all together have an account, too.

A first picture goes before all, unless its visitor is in debt, or first pictures have had more
time than the trainings beside them. Nothing here knows of threads or clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from resviz.chunks import CHUNK_SECONDS

# So many seconds of worker time first pictures may have more than the trainings beside them, so
# that those of a class which presses at once go before; and so many one visitor in advance.
HEAD_START = 2.0
LEAST_SECONDS = 0.01  # that a piece counts as, for its way


class Task(Protocol):
    """Something whose pieces are taken one after the other."""

    @property
    def first(self) -> bool:
        """Whether it waits for its first picture."""

    @property
    def payers(self) -> Collection[Hashable]:
        """The accounts that its next piece is charged to, at least one."""

    @property
    def price(self) -> float:
        """The seconds that its next piece is expected to take."""


@dataclass(frozen=True)
class Bill:
    """What a piece was charged in advance."""

    task: Task
    payers: tuple[Hashable, ...]
    seconds: float
    early: bool  # a first picture that went before the others


class Turns:
    """The accounts. Times are seconds that a worker spends."""

    def __init__(self) -> None:
        self._now = 0.0  # the start of the latest piece that had its turn
        self._accounts: dict[Hashable, float] = {}  # where each may start next
        self._lead = 0.0  # of first pictures before the trainings beside them

    def join(self, task: Task) -> None:
        """The task waits for its next piece from now on: its accounts have saved up nothing."""
        for payer in task.payers:
            self._accounts[payer] = max(self._now, self._accounts.get(payer, self._now))

    def give(self, waiting: Iterable[Task], given: Iterable[Bill], idle: bool) -> Bill | None:
        """Give the next piece its turn, and charge it; None if none should be handed over yet.

        `given` are the turns that workers are at. Unless a worker is `idle` a piece would only
        lie ready, and whoever is owed more and has one there may be back before it is taken up.
        """
        early, others = [], []  # with the start of each
        for task in waiting:
            start = self._start(task)
            is_early = task.first and start <= self._now + HEAD_START
            (early if is_early else others).append((start, task))
        rivals = [self._start(bill.task) for bill in given if not bill.early]
        if not others and not rivals:
            self._lead = 0.0  # nobody is held up
        if early and (self._lead < HEAD_START or (idle and not others)):
            return self._charged(min(early, key=_when)[1], early=True)
        if not others:
            return None
        start, task = min(others, key=_when)
        if not idle and start > min(rivals, default=start) + CHUNK_SECONDS:
            return None
        self._now = max(self._now, start)
        return self._charged(task, early=False)

    def settle(self, bill: Bill, seconds: float) -> None:
        """Correct what was charged in advance by what it took."""
        self._charge(bill, max(LEAST_SECONDS, seconds) - bill.seconds)
        self._accounts = {who: at for who, at in self._accounts.items() if at > self._now}

    def rest(self) -> None:
        """Nobody waits and no worker is at anything: all are even."""
        self._now = max(self._accounts.values(), default=self._now)
        self._accounts.clear()
        self._lead = 0.0

    def _charged(self, task: Task, early: bool) -> Bill:
        bill = Bill(task, tuple(task.payers), max(LEAST_SECONDS, task.price), early)
        self._charge(bill, bill.seconds)
        return bill

    def _charge(self, bill: Bill, seconds: float) -> None:
        for payer in bill.payers:
            self._accounts[payer] = self._accounts.get(payer, self._now) + seconds
        self._lead = max(0.0, self._lead + (seconds if bill.early else -seconds))

    def _start(self, task: Task) -> float:
        return min(self._accounts.get(payer, self._now) for payer in task.payers)


def _when(waiting: tuple[float, Task]) -> float:
    return waiting[0]
