"""Imports run one way: each module may use those before it, and none that come later."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What stands on one line may import what stands on the lines above, or beside it. The package
# itself hands `pipeline.run` on, so it comes with it. A name ending in a dot is a folder.
ORDER = (
    "resviz.letters resviz.numerals",
    "resviz.spec resviz.processes resviz.ending resviz.files",
    "resviz.workers.",
    "resviz.shapes",
    "resviz.saved",
    "resviz.records resviz.limits resviz.lab.design resviz.telling resviz.player",
    "resviz.distributions resviz.parameters resviz.transport resviz.words",
    "resviz.claims",
    "resviz.presets",
    "resviz.flow",
    "resviz.networks resviz.losses",
    "resviz.training resviz.scores",
    "resviz.pipeline resviz",
    "resviz.lab.",
    "resviz.chunks",
    "resviz.shared resviz.turns",
    "resviz.job",
    "resviz.engine",
    "resviz.bench.",
    "resviz.figures.",
    "resviz.exports.",
    "resviz.ui.",
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names.split()}
# `app.py`, `__main__.py` and any module not named above: they may use all, and none of the
# modules above may use them.
LAST = len(ORDER)

# Where a package may be imported; nowhere else.
ONLY_IN = {
    "dask": ("resviz.workers.cluster",),
    "distributed": ("resviz.workers.cluster",),
    "streamlit": ("resviz.ui.", "app", "resviz.bench.visitors"),
    "ot": ("resviz.transport", "resviz.losses", "resviz.bench.rivals"),
    "PIL": ("resviz.distributions", "resviz.exports.gif"),
    "av": ("resviz.exports.film",),
    "matplotlib": ("resviz.exports.",),
    "plotly": ("resviz.figures.", "resviz.exports.page"),
    "safetensors": ("resviz.exports.weights",),
    "starlette": ("resviz.ui.gate", "resviz.ui.reels", "resviz.ui.routes", "app"),
    "torch": (
        *("resviz.parameters", "resviz.flow", "resviz.networks", "resviz.losses"),
        *("resviz.training", "resviz.bench."),
    ),
}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in [*ROOT.glob("resviz/**/*.py"), *ROOT.glob("app.py")]}


def imports(name):
    """Every module that `name` imports, anywhere in its file, with our own down to the file."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            base = node.module or ""
            if node.level:
                base = f"{package}.{base}".rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in FILES else base)
    return found


def belongs(name, place):
    return f"{name}.".startswith(place) if place.endswith(".") else name == place


def rank(name):
    return next((rank for place, rank in RANK.items() if belongs(name, place)), LAST)


every_file = pytest.mark.parametrize("name", sorted(FILES))


def test_the_core_is_all_there():
    assert {place for place in RANK if not place.endswith(".")} <= FILES.keys()


def test_imports_are_read_down_to_the_file():
    assert {"resviz.spec", "resviz.records", "resviz.pipeline"} <= imports("resviz")
    assert {"resviz.parameters", "torch", "collections.abc"} <= imports("resviz.losses")
    # Inside their functions.
    assert "ot" in imports("resviz.transport")
    assert "PIL" in imports("resviz.distributions")
    assert "resviz.pipeline" in imports("resviz.lab.rows")


def test_what_a_lab_would_run_is_known_without_running_it():
    assert rank("resviz.lab.design") < rank("resviz.networks")
    assert rank("resviz.lab") == rank("resviz.lab.table") > rank("resviz.pipeline")


@every_file
def test_imports_run_one_way(name):
    later = {other for other in imports(name) & FILES.keys() if rank(other) > rank(name)}
    assert not later, f"{name} comes before {', '.join(sorted(later))}: see ORDER"


@every_file
def test_each_library_is_imported_in_its_own_places(name):
    for imported in sorted(imports(name)):
        places = ONLY_IN.get(imported.partition(".")[0])
        assert places is None or any(belongs(name, place) for place in places), (
            f"{name} imports {imported}, which is for {', '.join(places)} alone"
        )


def test_no_module_needs_itself():
    """Beside each other, too, imports run one way."""
    ours = {name: (imports(name) & FILES.keys()) - {name} for name in FILES}
    assert len(list(TopologicalSorter(ours).static_order())) == len(FILES)
