"""A run as the Python that trains it again."""

from __future__ import annotations

import json
from importlib.metadata import version

from resviz import words
from resviz.records import Run
from resviz.spec import FIELDS

SNIPPET = '''\
"""Does a ResNet take the shortest way? Trains this run again and prints its scores.

{told}
"""

# Runs where the `resviz` package can be imported: in its folder, or where it is installed.
# With torch {torch} the action ratio is {action_ratio!r}.
# Equal settings give the same run to the last bit on one machine; another machine or another
# torch may round otherwise.

from resviz import RunSpec, run

spec = RunSpec({fields})
result = run(spec)
for name in (
{names}
):
    print(f"{{name:20}} {{getattr(result.scores, name)!r}}")
'''
SHOWN = ("action_ratio", "path_factor", "map_factor", "line_shape", "optimal_transport")
GOAL = {"match": ("fit", "fit_floor", "unmoved"), "classify": ("accuracy", "majority")}


def snippet(run: Run) -> str:
    """A script that trains the run again and prints its scores to the last digit.

    It names the fields that differ from the default. A run that was stopped is trained to its end.
    """
    spec = run.spec
    given = [
        f"    {name}={json.dumps(value)},\n"
        for name, field in FIELDS.items()
        if (value := getattr(spec, name)) != field.default
    ]
    names = (*SHOWN, *GOAL[spec.task])
    ending = words.ending(run)
    return SNIPPET.format(
        told=_wrapped(words.score_line(run.scores, run.class_scores), ending),
        torch=version("torch"),
        action_ratio=run.scores.action_ratio,
        fields=f"\n{''.join(given)}" if given else "",
        names="\n".join(f'    "{name}",' for name in names),
    )


def _wrapped(line: str, ending: str | None) -> str:
    """A score a line, and how training ended where it did before its last step."""
    return "\n".join(filter(None, (*line.split(" · "), ending)))
