"""What the exported page says of its runs at each recorded step of their training.

page.js puts it in the place of what it says of their ends, while the player shows that step.
"""

from __future__ import annotations

import math

from resviz import words
from resviz.records import Run


def told(run: Run) -> list[dict[str, object]]:
    """Of each point of a run's course: its step, a line of scores, and where to look."""
    return [
        {
            "step": record.step,
            "scores": f"Step {record.step} · {words.score_line(*run.at(record))}",
            "look": words.look_at(run, record),
        }
        for record in run.history
    ]


def compared(kept: Run, run: Run) -> dict[str, str]:
    """What A and B differ in, by *step of A/step of B*, at each moment that both are shown at.

    The player shows both at one share of their own courses, a moment of the longer one.
    """
    last = max(len(kept.history), len(run.history)) - 1
    pairs = [
        [one.history[math.floor(k / last * (len(one.history) - 1) + 0.5)] for one in (kept, run)]
        for k in (range(last + 1) if last else ())
    ]
    return {f"{a.step}/{b.step}": words.compare(kept, run, a, b) for a, b in pairs}
