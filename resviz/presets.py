"""Runs made beforehand, each with one sentence that says where to look.

A preset shows one run, or two that differ in one setting: A, which is kept, and B. What its
sentence says must be seen whatever the seed, so each makes claims, too: `python -m resviz
presets --check` counts over seeds how often they hold, and `python -m resviz presets` makes the
files that `load` reads. No PyTorch here: the page's own process loads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from resviz.claims import Claim
from resviz.records import Run
from resviz.spec import RunSpec
from resviz.words import CLOUDS

ASSETS = Path(__file__).parents[1] / "assets" / "presets"
LONGEST_LOOK = 110  # characters: one line on a projector


@dataclass(frozen=True)
class Preset:
    """A run to be shown, or two to be compared, and where to look.

    Raises `ValueError` where the sentence is too long, nothing is claimed, or A and B have
    other clouds, so that their scores would not compare.
    """

    name: str  # of its files and in a link: lowercase, with hyphens
    title: str  # in a list
    look: str
    run: RunSpec  # B, or the only one
    kept: RunSpec | None  # A
    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.look) <= LONGEST_LOOK:
            raise ValueError(
                f"look: of {self.name} has {len(self.look)} characters; allowed is 1 to "
                f"{LONGEST_LOOK}"
            )
        if not self.claims:
            raise ValueError(f"claims: {self.name} has none; allowed is one or more")
        for field in CLOUDS if self.kept else ():
            a, b = getattr(self.kept, field), getattr(self.run, field)
            if a != b:
                raise ValueError(
                    f"kept: {self.name} has {field} {a!r} beside {b!r}; allowed is the same"
                )


# Runs that more than one preset shows.
_LONG_WAY = RunSpec()
_MOONS = RunSpec(target="moons", learning_rate=0.01, steps=2000)
_RESIDUAL = RunSpec(target="eight_gaussians", learning_rate=0.01)
_PLAIN = replace(_RESIDUAL, network="plain")

# In the order in which a class may be led through them; the first is what the page opens with.
_IN_ORDER = (
    Preset(
        name="the-long-way",
        title="The long way",
        look="Look left: the cloud is squeezed and swung round; right, it simply parts.",
        run=_LONG_WAY,
        kept=None,
        claims=(
            Claim("effort", least=3),
            Claim("gap", least=0.5),
            Claim("miss / unmoved", most=0.1),
        ),
    ),
    Preset(
        name="pay-for-steps",
        title="Pay for steps",
        look="A swings the cloud round; B pays for its steps, and can hardly be told from the "
        "cheapest way.",
        run=replace(_LONG_WAY, kinetic=0.01),
        kept=_LONG_WAY,
        claims=(
            Claim("effort", "A", least=3),
            Claim("effort", most=1.2),
            Claim("gap", most=0.25),
            Claim("miss / unmoved", most=0.1),
        ),
    ),
    Preset(
        name="the-papers-knob",
        title="The paper's knob",
        look="B pays for large weights: straighter tracks than A's, but watch the miss: it stops "
        "short of the moons.",
        run=replace(_MOONS, l2=1e-3),
        kept=_MOONS,
        claims=(
            Claim("LSS", "A − B", least=0.25),
            Claim("effort", "A − B", least=1),
            Claim("miss / unmoved", "B − A", least=0.05),
            Claim("miss / unmoved", most=0.4),
        ),
    ),
    Preset(
        name="too-much",
        title="Too much of it",
        look="Straight, cheap and of no use: the cloud stretches half-way to the grey blobs, and "
        "never parts.",
        run=replace(_LONG_WAY, l2=0.12),
        kept=None,
        claims=(
            Claim("bends", most=1.1),
            Claim("LSS", most=1.05),
            Claim("undershoot", least=0.15, most=0.4),
            Claim("miss / unmoved", least=0.5),
        ),
    ),
    Preset(
        name="longer-training",
        title="Longer training",
        look="A was trained briefly: straight and rough; B twenty times longer: true moons, by a "
        "long way round.",
        run=RunSpec(target="moons", steps=4000),
        kept=RunSpec(target="moons", steps=200),
        claims=(
            Claim("effort", "A", most=1.3),
            Claim("effort", least=8),
            Claim("miss / unmoved", "A − B", least=0.15),
        ),
    ),
    Preset(
        name="one-layer",
        title="One layer",
        look="One layer, so every track is straight; but look at the colours: left, they end "
        "turned.",
        run=RunSpec(depth=1, steps=3000),
        kept=None,
        claims=(
            Claim("LSS", most=1.0001),
            Claim("OTS", most=0.75),
            Claim("turned", least=30),
            Claim("miss / unmoved", most=0.2),
        ),
    ),
    Preset(
        name="straight-but-dear",
        title="Straight, but dear",
        look="Left each blob travels whole, and straight; right each splits in two, and goes "
        "cheaper.",
        run=RunSpec(source="two_blobs", target="two_blobs_turned", kinetic=0.01),
        kept=None,
        claims=(
            Claim("bends", most=1.05),
            Claim("OTS", most=0.8),
            Claim("miss / unmoved", most=0.15),
        ),
    ),
    Preset(
        name="the-swirl",
        title="The swirl",
        look="Left turns the moons by a quarter on their way; right takes short steps to the "
        "same end.",
        run=RunSpec(source="moons", target="circles", learning_rate=0.04),
        kept=None,
        claims=(
            Claim("turned", least=75, most=120),
            Claim("OTS", most=0.3),
            Claim("miss / unmoved", most=0.3),
        ),
    ),
    Preset(
        name="nothing-tears",
        title="Nothing tears",
        look="Left bends the ring into a heart and keeps it whole; right tears it open, and goes "
        "cheaper.",
        run=RunSpec(source="ring", target="heart"),
        kept=None,
        claims=(
            Claim("rift, network", most=0.6),
            Claim("rift, cheapest way", least=1),
            Claim("effort", least=5),
            Claim("miss / unmoved", most=0.25),
        ),
    ),
    Preset(
        name="a-plain-network",
        title="A plain network",
        look="A adds a step in each layer; B's layers say anew where to go: its cloud leaves the "
        "picture and returns.",
        run=_PLAIN,
        kept=_RESIDUAL,
        claims=(
            Claim("effort", "A", most=2),
            Claim("outside", "A", most=0.05),
            Claim("outside", least=0.9),
            Claim("outside at the end", most=0.02),
            Claim("miss / unmoved", "B − A", most=0.05),
        ),
    ),
    Preset(
        name="another-activation",
        title="Another activation",
        look="Both are plain: A, of tanh, flies apart; B, of ReLU, keeps the cloud in the picture.",
        run=replace(_PLAIN, activation="relu"),
        kept=_PLAIN,
        claims=(
            Claim("outside", "A", least=0.9),
            Claim("outside", most=0.1),
            Claim("effort", most=8),
            Claim("miss / unmoved", "B − A", most=0.05),
        ),
    ),
    Preset(
        name="two-gaussians",
        title="Two Gaussians",
        look="Here the cheapest way is known exactly: with κ, left keeps near it (dashed, under "
        "Layers).",
        run=RunSpec(target="anisotropic_gaussian", kinetic=0.003),
        kept=None,
        claims=(
            Claim("effort", most=1.15),
            Claim("exact gap", most=0.25),
            Claim("miss / unmoved", most=0.15),
        ),
    ),
    Preset(
        name="classes-apart",
        title="Classes pulled apart",
        look="Left draws the inner ring out of the outer one; the cheapest way would mix their "
        "colours.",
        run=RunSpec(task="classify", source="circles", kinetic=0.01),
        kept=None,
        claims=(
            Claim("accuracy", least=0.98),
            Claim("OTS", most=0.5),
            Claim("OTS by class", least=0.9),
            Claim("outside", most=0.05),
        ),
    ),
    Preset(
        name="a-word",
        title="A word",
        look="Left blows the cloud up and pulls it together again to write OT; right writes it at "
        "once.",
        run=RunSpec(target="text:OT", steps=4000),
        kept=None,
        claims=(
            Claim("effort", least=6),
            Claim("gap", least=0.7),
            Claim("miss / unmoved", most=0.25),
        ),
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _IN_ORDER}


def named(name: str) -> Preset:
    """The preset of this name. Raises `ValueError` that lists the names for another one."""
    if name not in PRESETS:
        raise ValueError(f"preset: {name!r} is unknown; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def files() -> dict[RunSpec, str]:
    """The name of each run's file: NAME.npz for B, NAME-a.npz for A.

    Presets that show the same run share the file of the first.
    """
    found: dict[RunSpec, str] = {}
    for preset in PRESETS.values():
        found.setdefault(preset.run, f"{preset.name}.npz")
        if preset.kept:
            found.setdefault(preset.kept, f"{preset.name}-a.npz")
    return found


def load(name: str) -> tuple[Run | None, Run]:
    """The runs A (None where there is none) and B of a preset, as made beforehand.

    Each file is read once. Raises `ValueError` for an unknown name, and for a file that is
    missing, damaged, or of other settings than the preset's.
    """
    preset = named(name)
    return preset.kept and _read(preset.kept), _read(preset.run)


@cache
def _read(spec: RunSpec) -> Run:
    path, remedy = ASSETS / files()[spec], "`python -m resviz presets` makes it anew"
    try:
        run = Run.load(path)
    except OSError as reason:
        raise ValueError(f"{path}: cannot be read ({reason.strerror}); {remedy}") from reason
    if run.spec != spec:
        raise ValueError(f"{path}: holds a run of other settings than the preset's; {remedy}")
    return run
