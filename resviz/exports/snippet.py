"""A run as the Python that trains it again."""

from __future__ import annotations

import json
from importlib.metadata import version

from resviz import words
from resviz.exports.data import how_ended
from resviz.exports.titles import title
from resviz.records import Run
from resviz.spec import FIELDS

SNIPPET = '''\
"""{title}.

Trains this run again and prints its scores.
{told}
"""

# Runs where the `resviz` package can be imported: in its folder, or where it is installed.
# With torch {torch} the action ratio is {action_ratio!r}.
# Equal settings give the same run to the last bit on one machine; another machine or another
# torch may round otherwise.

{imports}

spec = RunSpec({fields})
{trained}
for name in (
{names}
):
    print(f"{{name:20}} {{getattr(result.scores, name)!r}}")
'''
WHOLE = "from resviz import RunSpec, run", "result = run(spec)"
# A run that was stopped: its learning rate is that of a longer one, so `steps` stays what it was.
STOPPED = (
    """\
from resviz import RunSpec
from resviz.pipeline import finish, look
from resviz.training import advance, initial_state""",
    """\
state = advance(spec, initial_state(spec), {step})  # of {steps}; resviz.run(spec) takes them all
result = finish(spec, state, (look(spec, state).record(state),))""",
)
SHOWN = ("action_ratio", "path_factor", "map_factor", "line_shape", "optimal_transport")
GOAL = {"match": ("fit", "fit_floor", "unmoved"), "classify": ("accuracy", "majority")}


def snippet(run: Run) -> str:
    """A script that trains the run again and prints its scores to the last digit.

    It names the fields that differ from the default. A run that was stopped is trained as far as
    it came; one that diverged does so again.
    """
    spec = run.spec
    given = [
        f"    {name}={json.dumps(value)},\n"
        for name, field in FIELDS.items()
        if (value := getattr(spec, name)) != field.default
    ]
    names = (*SHOWN, *GOAL[spec.task])
    stopped = how_ended(run) == "stopped"
    imports, trained = STOPPED if stopped else WHOLE
    return SNIPPET.format(
        title=title(run),
        told="\n".join(
            [*words.score_line(run.scores, run.class_scores).split(" · "), words.ended(run)]
        ),
        imports=imports,
        trained=trained.format(step=run.state.step, steps=spec.steps),
        torch=version("torch"),
        action_ratio=run.scores.action_ratio,
        fields=f"\n{''.join(given)}" if given else "",
        names="\n".join(f'    "{name}",' for name in names),
    )
