"""The rows as a Markdown table, which a README takes as it is, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from resviz.bench.machine import Machine
from resviz.bench.rows import Aim, Row, Side, Spread

HEAD = ("what", "against", "ours", "ratio (least to most)", "aim")


@dataclass(frozen=True)
class Report:
    """What one call of the benchmark has measured."""

    machine: Machine
    command: str
    rows: tuple[Row, ...]

    def markdown(self) -> str:
        """The machine's line, the table, and the notes below it."""
        lines = [self.machine.line + ".", "", _line(HEAD), _line(["---"] * len(HEAD))]
        notes = list(dict.fromkeys(row.note for row in self.rows if row.note))
        for row in self.rows:
            mark = f" [{notes.index(row.note) + 1}]" if row.note else ""
            lines.append(_line(cells(row, mark)))
        numbered = [f"{place}. {note}" for place, note in enumerate(notes, start=1)]
        return "\n".join([*lines, *(["", *numbered] if notes else []), ""])

    def json(self) -> str:
        """Every number that was seen, with each run's own."""
        told = {
            "command": self.command,
            "machine": asdict(self.machine),
            "rows": [asdict(row) | {"aim_met": met(row)} for row in self.rows],
        }
        return json.dumps(_finite(told), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def cells(row: Row, mark: str = "") -> tuple[str, ...]:
    """The texts of one row."""
    other = f"{row.against}: {_side(row.other)}" if row.against else ""
    ratio = _ratio(row.ratio, row.meaning) if row.ratio else ""
    return row.what + mark, other, _side(row.ours), ratio, _aim(row)


def met(row: Row) -> tuple[int, int] | None:
    """In how many of how many runs the aim was reached."""
    if row.aim is None:
        return None
    seen = row.aimed
    return (row.aim.met(seen), len(seen.values)) if seen else (0, 1)


def _side(side: Side | None) -> str:
    if side is None:
        return "not reached"
    also = "".join(f", {name} {number(value)} {unit}".rstrip() for name, value, unit in side.also)
    return f"{number(side.seen.median)} {side.unit}{also}"


def _ratio(ratio: Spread, meaning: str) -> str:
    told = f"**{number(ratio.median)}{meaning}**"
    if len(ratio.values) == 1:
        return told
    return f"{told} ({number(ratio.low)} to {number(ratio.high)})"


def _aim(row: Row) -> str:
    if row.aim is None:
        return ""
    reached, runs = met(row)
    outcome = ("no", "yes")[reached] if runs == 1 else f"{reached} of {runs}"
    return f"{_bar(row.aim)}: {outcome}"


def _bar(aim: Aim) -> str:
    sign = "≥" if aim.at_least else "≤"
    return f"{sign} {aim.bar:g} {aim.unit}" if aim.unit else f"{sign} {aim.bar:g}×"


def number(value: float) -> str:
    """Three digits, and whole numbers whole: 0.0213, 1.54, 12.3, 850, 20000."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: those become None."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
