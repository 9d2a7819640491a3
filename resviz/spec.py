"""What is to be run: one frozen, validated `RunSpec`, and its form in a link.

Standard library only (as are `numerals` and `letters`), so that a page, a command line or a
worker can read a spec without loading anything else. Every field states its own rule (a range or
a set of names) and what it does to the picture; the sidebar, the command line
and the error messages are all made from those statements.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resviz import letters, numerals

DISTRIBUTIONS: Mapping[str, str] = {
    "gaussian": "one round cloud, standard deviation 0.5",
    "anisotropic_gaussian": "one cloud, standard deviations 0.6 and 0.15, tilted by 30°",
    "two_blobs": "two round clouds at x = −1.2 and x = 1.2, standard deviation 0.25",
    "two_blobs_turned": "two round clouds at y = −1.2 and y = 1.2, standard deviation 0.25",
    "square": "evenly filled, [−1.4, 1.4]²",
    "disk": "evenly filled, radius 1.5",
    "ring": "one circle of radius 1.3, noise 0.08",
    "two_rings": "two circles of radius 0.7 side by side, at x = −1 and x = 1, noise 0.05",
    "moons": "two interleaved half circles, noise 0.05, centred, scaled by 1.2",
    "circles": "two concentric circles of radius 1.4 and 0.7, noise 0.05",
    "eight_gaussians": "eight small clouds on a circle of radius 1.5, standard deviation 0.1",
    "twenty_five_gaussians": "a 5 × 5 grid of small clouds, 0.75 apart, standard deviation 0.06",
    "pinwheel": "five blades, turned by their distance from the middle",
    "spiral": "one spiral of two turns and a half out to radius 1.7, noise 0.05",
    "two_spirals": "two arms of one and a half turns, radius 0.24 to 1.7, noise 0.05",
    "checkerboard": "the dark squares of a 4 × 4 board on [−1.6, 1.6]²",
    "two_colour_board": "all squares of a 4 × 4 board on [−1.6, 1.6]², of two classes",
    "xor": "four round clouds at (±1, ±1), opposite corners of one class, standard deviation 0.25",
    "s_curve": "the letter S of three quarter turns each way, 3.4 high, noise 0.05",
    "swiss_roll": "a roll of one and a half turns seen from its end, out to radius 1.7, noise 0.05",
    "heart": "an evenly filled heart, 3 wide and 3.1 high",
}
# A word of so many letters and digits is a distribution, too: its shape, evenly filled.
TEXT, LONGEST_WORD = "text:", 8
TEXT_DOC = f"any word of up to {LONGEST_WORD} letters and digits, drawn as points"
# How many classes the points of a distribution belong to; one where it is not named.
CLASSES: Mapping[str, int] = {
    "two_blobs": 2,
    "two_blobs_turned": 2,
    "two_rings": 2,
    "moons": 2,
    "circles": 2,
    "eight_gaussians": 8,
    "twenty_five_gaussians": 25,
    "pinwheel": 5,
    "two_spirals": 2,
    "two_colour_board": 2,
    "xor": 2,
}
TASKS: Mapping[str, str] = {
    "match": "move the source cloud onto the target cloud",
    "classify": "move the source's classes apart, so that straight lines can part them",
}
NETWORKS: Mapping[str, str] = {
    "residual": "each layer adds a step: x + h f(x)",
    "plain": "each layer replaces the point: f(x)",
}
ACTIVATIONS: Mapping[str, str] = {
    "tanh": "smooth and bounded",
    "relu": "piecewise linear: the tracks kink",
    "softplus": "a smooth ReLU",
    "gelu": "a smooth ReLU that dips below zero",
}
LOSSES: Mapping[str, str] = {
    "energy": "energy distance between output and target batches",
    "sliced": "squared W2 of their shadows on lines of random directions, averaged",
    "sinkhorn": "Sinkhorn divergence: squared W2 with plans blurred by ε; ten times slower",
}
STEP_SIZES: Mapping[str, str] = {
    "1/L": "a forward Euler step of a flow over unit time",
    "1": "the usual residual network, whose reach grows with its depth",
}
L2_ON: Mapping[str, str] = {"both": "A and B of every layer", "outer": "B of every layer alone"}
L2_TOWARDS: Mapping[str, str] = {
    "zero": "the usual: a residual layer is drawn to the identity, a plain one to a constant map",
    "start": "weights as they were before training: either network is drawn to where it began",
}
STARTS: Mapping[str, str] = {
    "identity": "the untrained network leaves the cloud about where it is: outer weights near "
    "zero, or in a plain network mirrored pairs of units",
    "random": "the usual random weights: the untrained network already moves the cloud",
}


@dataclass(frozen=True)
class Choice:
    """The rule of a field that takes one of a registry's names."""

    names: Mapping[str, str]

    @property
    def allowed(self) -> str:
        return f"one of: {', '.join(self.names)}"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise ValueError(f"is unknown; allowed is {self.allowed}")
        return value

    def parse(self, text: str) -> str:
        return self.check(text)


@dataclass(frozen=True)
class Cloud(Choice):
    """The rule of a field that takes a distribution: a registered one, or `text:WORD`."""

    @property
    def allowed(self) -> str:
        return f"{super().allowed}, or {TEXT}WORD, {TEXT_DOC}"

    def check(self, value: Any) -> str:
        if isinstance(value, str) and value.startswith(TEXT):
            return f"{TEXT}{_checked_word(value.removeprefix(TEXT))}"
        return super().check(value)


@dataclass(frozen=True)
class Whole:
    """The rule of a field that takes a whole number in [low, high]."""

    low: int
    high: int
    even: bool = False

    @property
    def allowed(self) -> str:
        kind = "an even whole number" if self.even else "a whole number"
        return f"{kind} from {self.low} to {self.high}"

    def check(self, value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        wrong_kind = number is None or isinstance(value, bool)
        if wrong_kind or not self.low <= number <= self.high or (self.even and number % 2):
            raise ValueError(f"is not allowed; allowed is {self.allowed}")
        return number

    def parse(self, text: str) -> int:
        return self.check(numerals.whole(text))


@dataclass(frozen=True)
class Real:
    """The rule of a field that takes a finite number in [low, high]."""

    low: float
    high: float

    @property
    def allowed(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def check(self, value: Any) -> float:
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        try:
            number = float(value) if is_number else math.nan
        except OverflowError:
            number = math.nan
        if not self.low <= number <= self.high:  # NaN fails every comparison
            raise ValueError(f"is not allowed; allowed is {self.allowed}")
        return number + 0.0  # −0.0 and 0.0 are one spec

    def parse(self, text: str) -> float:
        return self.check(numerals.real(text))


Rule = Choice | Whole | Real


def word_of(distribution: str) -> str | None:
    """The word of a distribution `text:WORD`, or None where it is another one."""
    if not distribution.startswith(TEXT):
        return None
    try:
        return _checked_word(distribution.removeprefix(TEXT))
    except ValueError:
        return None


def _checked_word(word: str) -> str:
    """The word as it is drawn. Raises `ValueError` with what is wrong, and what is allowed."""
    word = letters.composed(word)
    allowed = f"allowed is {TEXT}WORD of 1 to {LONGEST_WORD} {letters.KNOWN}"
    strange = next((sign for sign in word if not letters.is_known(sign)), None)
    if strange is not None:
        raise ValueError(f"has a sign that cannot be drawn, {strange!r}; {allowed}")
    if not 1 <= len(word) <= LONGEST_WORD:
        raise ValueError(f"has {len(word)} signs; {allowed}")
    return word


def class_count(distribution: str) -> int:
    """How many classes its points belong to; in a word each letter is one."""
    word = word_of(distribution)
    return len(word) if word else CLASSES.get(distribution, 1)


def _field(default: Any, rule: Rule, label: str, doc: str) -> Any:
    return dataclasses.field(default=default, metadata={"rule": rule, "label": label, "doc": doc})


class ConflictError(ValueError):
    """A field's value is allowed by itself, and not beside the others."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(field, sentence)  # both, so that it can come back from a worker
        self.field = field

    def __str__(self) -> str:
        return self.args[1]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything that fixes a run: equal specs give bit-identical tracks on one machine.

    `RunSpec()` is the run that the page opens with.

    Raises `ValueError` naming the field, the value and what is allowed.
    """

    task: str = _field("match", Choice(TASKS), "Task", "What the network is trained to do.")
    source: str = _field(
        "gaussian",
        Cloud(DISTRIBUTIONS),
        "Source",
        "The cloud that goes in: where every particle starts, at t = 0.",
    )
    target: str = _field(
        "two_blobs",
        Cloud(DISTRIBUTIONS),
        "Target",
        "The cloud that should come out: drawn faintly behind the particles. "
        "Classification has none.",
    )
    particles: int = _field(
        400,
        Whole(2, 1000),
        "Particles",
        "How many particles are shown and scored. Training never sees them. "
        "OTS depends on this number: compare runs at equal numbers only.",
    )
    network: str = _field(
        "residual",
        Choice(NETWORKS),
        "Network",
        "How a layer moves the particles: a residual one adds a step to where they are, a plain "
        "one says anew where they go.",
    )
    depth: int = _field(
        12,
        Whole(1, 64),
        "Depth L",
        "The number of layers, so of steps in each track. With one layer every track is straight.",
    )
    width: int = _field(
        32,
        Whole(2, 256, even=True),
        "Width m",
        "Hidden units in each layer: more units bend the flow in more places at once.",
    )
    activation: str = _field(
        "tanh",
        Choice(ACTIVATIONS),
        "Activation",
        "The bend inside each layer: tanh gives smooth flows, ReLU tracks that kink.",
    )
    step_size: str = _field(
        "1/L",
        Choice(STEP_SIZES),
        "Step size h",
        "What each layer's output is multiplied by before it is added. 1/L keeps the whole "
        "way the same at every depth; 1 lets deep networks leap. A plain layer has no step; there "
        "h is only in the charge for weights.",
    )
    start: str = _field(
        "identity",
        Choice(STARTS),
        "Start",
        "Where training starts: near the identity the cloud first rests, with random weights "
        "it is thrown about.",
    )
    loss: str = _field(
        "energy",
        Choice(LOSSES),
        "Distance",
        "What training calls near: how far the moved cloud is from the grey one.",
    )
    projections: int = _field(
        64,
        Whole(1, 1024),
        "Directions",
        "The sliced distance only: how many random directions each step looks along.",
    )
    epsilon: float = _field(
        0.1,
        Real(0.01, 10.0),
        "Sinkhorn's ε",
        "The Sinkhorn divergence only: how much its plans are blurred, in squared data units. "
        "Small is sharp, and slow.",
    )
    l2: float = _field(
        0.0,
        Real(0.0, 1.0),
        "Small weights (λ)",
        "Charges for large weights: the paper's knob. Usually straighter tracks; too much and "
        "the cloud stops short of the target. Try 0.001.",
    )
    l2_on: str = _field(
        "both",
        Choice(L2_ON),
        "λ acts on",
        "Which weights λ charges for. With the outer ones alone the layers may still turn sharply, "
        "but must take small steps.",
    )
    l2_towards: str = _field(
        "zero",
        Choice(L2_TOWARDS),
        "λ draws to",
        "What λ calls small. Zero weights mean the identity to a residual network and a constant "
        "map to a plain one; towards the start both are drawn to the same map.",
    )
    head_decay: float = _field(
        1e-3,
        Real(0.0, 1.0),
        "Small head",
        "Classification only: charges for large weights of the linear head, which would "
        "otherwise grow for as long as training lasts.",
    )
    kinetic: float = _field(
        0.0,
        Real(0.0, 10.0),
        "Pay for steps (κ)",
        "Charges for squared steps, so asks for the short way outright. A control, no evidence "
        "for the paper. Try 0.01: left and right become hard to tell apart.",
    )
    steps: int = _field(
        1000,
        Whole(1, 20000),
        "Training steps",
        "How long to train: more steps bring the cloud nearer to its target, and left to itself "
        "it wanders further on the way. The learning rate falls to 0 over these steps, so a "
        "longer run is not a short one continued.",
    )
    batch: int = _field(
        256,
        Whole(2, 2048),
        "Batch",
        "Fresh points of source and target in each step: fewer are faster and rougher.",
    )
    learning_rate: float = _field(
        0.02,
        Real(1e-6, 10.0),
        "Learning rate",
        "How far each step moves the weights. Low: slow but tidy. High: the tracks whirl, "
        "and at some point training diverges.",
    )
    seed: int = _field(
        0,
        Whole(0, 2**31 - 1),
        "Seed",
        "Fixes the first weights and every batch: the same seed gives the same run.",
    )

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, rule.check(value))
            except ValueError as reason:
                raise ValueError(f"{name}: {cut(repr(value), 500)} {reason}") from None
        for name, why in self._conflicts():
            raise ConflictError(name, f"{name}: {getattr(self, name)!r} {why}")

    def _conflicts(self) -> Iterator[tuple[str, str]]:
        """The fields that are allowed by themselves, and not beside the others; and why."""
        if self.task == "classify" and class_count(self.source) < 2:
            labelled = ", ".join(name for name in DISTRIBUTIONS if class_count(name) > 1)
            why = (
                f"needs a source with classes, and {self.source!r} has none; allowed is one of: "
                f"{labelled}, or {TEXT}WORD with two letters or more"
            )
            yield "task", why
        if self.network == "plain" and self.start == "identity" and self.width < 4:
            why = (
                "with an identity start needs two mirrored pairs of units, and width "
                f"{self.width} has one; allowed is a width from 4, or the start 'random'"
            )
            yield "network", why

    @property
    def classes(self) -> int:
        """How many classes the network tells apart; 0 where it matches clouds."""
        return {"match": 0, "classify": class_count(self.source)}[self.task]

    @property
    def absent(self) -> frozenset[str]:
        """The fields of another task than this one, or of another distance."""
        found = {"match": {"head_decay"}, "classify": {"target", "loss"}}[self.task]
        distance = self.loss if self.task == "match" else None
        found |= {"projections"} if distance != "sliced" else set()
        found |= {"epsilon"} if distance != "sinkhorn" else set()
        return frozenset(found)

    @property
    def idle(self) -> frozenset[str]:
        """The fields that change nothing beside the others."""
        found = set(self.absent)
        found |= {"l2_on", "l2_towards"} if not self.l2 else set()
        found |= {"step_size"} if self.network == "plain" and not self.l2 else set()
        return frozenset(found)

    @property
    def step_length(self) -> float:
        """h: what a layer's output is multiplied by before it is added."""
        return {"1/L": 1.0 / self.depth, "1": 1.0}[self.step_size]

    def to_query(self) -> dict[str, str]:
        """The spec as the fields of a link; `from_query` reads it back exactly."""
        return {name: _text(getattr(self, name)) for name in RULES}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> RunSpec:
        """The spec in a link's fields; those that are missing have their defaults.

        Raises `ValueError` with one sentence for each field that is not allowed.
        """
        spec, complaints = read_query({name: [text] for name, text in query.items()})
        if complaints:
            raise ValueError(". ".join(complaints.values()))
        return spec


FIELDS: Mapping[str, dataclasses.Field] = {f.name: f for f in dataclasses.fields(RunSpec)}
RULES: Mapping[str, Rule] = {name: f.metadata["rule"] for name, f in FIELDS.items()}
DEFAULTS: Mapping[str, Any] = {name: f.default for name, f in FIELDS.items()}


def cut(text: str, most: int = 80) -> str:
    """The text, or its beginning: no sentence repeats a text of any length."""
    return text if len(text) <= most else f"{text[:most]}…"


def _text(value: str | int | float) -> str:
    return value if isinstance(value, str) else repr(value)


def read_query(query: Mapping[str, Sequence[str]]) -> tuple[RunSpec, dict[str, str]]:
    """A spec from an address whose fields may be wrong, and for each that is, by name, why.

    `query` maps a name to every value that the address gives it. A field that is
    unknown, given twice, empty or not allowed is left at its default; so is one that is
    not allowed beside the others.
    """
    values: dict[str, Any] = {}
    complaints: dict[str, str] = {}
    for name, texts in query.items():
        if name not in RULES:
            complaints[name] = (
                f"{name[:60]}: there is no such setting; known are {', '.join(RULES)}"
            )
        elif len(texts) != 1:
            complaints[name] = f"{name}: is given {len(texts)} times; allowed is once"
        else:
            try:
                values[name] = RULES[name].parse(texts[0])
            except ValueError as reason:
                complaints[name] = f"{name}: {texts[0][:60]!r} {reason}"
    while True:
        try:
            return RunSpec(**values), complaints
        except ConflictError as reason:
            complaints[reason.field] = str(reason)
            del values[reason.field]  # its default goes with everything
