"""The labs that the README quotes: the paper's two claims, and classification."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from resviz.lab.design import END, Arm, Claim, Lab, Moment

# Small enough for a lab within the hour, and long enough to come near the floor.
BASE = {"depth": 10, "width": 32, "batch": 128, "steps": 1000, "particles": 200}
MATCHES = (
    {"source": "gaussian", "target": "moons"},
    {"source": "gaussian", "target": "two_blobs"},
    {"source": "gaussian", "target": "eight_gaussians"},
)
CLASSIFIED = (
    {"task": "classify", "source": "moons"},
    {"task": "classify", "source": "circles"},
    {"task": "classify", "source": "xor"},
)
STRENGTHS = (1e-3, 3e-3, 1e-2)
NONE = "λ = 0"
# Some of what is asked few get to: at a tenth of the way left a pair may be missing, at three
# tenths hardly any is.
MOMENTS = (END, *(Moment(kind, left) for kind in ("excess", "frontier") for left in (0.3, 0.1)))


def _l2_geodesic() -> Lab:
    arms = [Arm(NONE, {})]
    claims = []
    for how, strengths, fields in (
        ("both factors", (1e-4, *STRENGTHS), {}),
        ("outer only", STRENGTHS[1:], {"l2_on": "outer"}),
        ("towards the start", STRENGTHS[1:], {"l2_towards": "start"}),
    ):
        for strength in strengths:
            name = f"λ = {strength:g}, {how}"
            arms.append(Arm(name, {"l2": strength, **fields}, NONE))
            claims.append(Claim("L2 brings a residual network nearer the geodesic", name, NONE))
    arms.append(Arm("κ = 0.01", {"kinetic": 0.01}, NONE))
    for depth in (2, 1):
        none = f"{NONE}, depth {depth}"
        arms.append(Arm(none, {"depth": depth}))
        arms.append(Arm(f"λ = 0.003, depth {depth}", {"depth": depth, "l2": 3e-3}, none))
    return Lab(
        name="l2-geodesic",
        title="Does L2 regularisation bring a residual network nearer the geodesic?",
        base=BASE,
        settings=MATCHES,
        arms=tuple(arms),
        rates=(5e-3, 1e-2, 2e-2, 4e-2, 8e-2),
        seeds=tuple(range(10)),
        claims=tuple(claims),
        moments=MOMENTS,
    )


def _residual_vs_plain() -> Lab:
    # Plain layers of ReLU pairs let a point through unchanged, those of tanh hardly do: one
    # activation alone would be taken for the architecture.
    arms, claims = [], []
    for activation in ("tanh", "relu"):
        same, plain = {"activation": activation}, f"plain, {activation}"
        arms.append(Arm(plain, {"network": "plain", **same}))
        for step_size in ("1/L", "1"):
            name = f"residual h = {step_size}, {activation}"
            arms.append(Arm(name, {"step_size": step_size, **same}, plain))
            claims.append(
                Claim("a residual network comes nearer the geodesic than a plain one", name, plain)
            )
    return Lab(
        name="residual-vs-plain",
        title="Does a residual network come nearer the geodesic than a plain one?",
        base=BASE,
        settings=MATCHES,
        arms=tuple(arms),
        rates=(3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
        seeds=tuple(range(10)),
        claims=tuple(claims),
        moments=MOMENTS,
    )


def _classification() -> Lab:
    plain, residual = "plain", "residual"
    regularised = {f"residual, λ = {strength:g}": strength for strength in (1e-3, 1e-2)}
    return Lab(
        name="classification",
        title="And where the end is free: classification",
        # Deep plain networks of tanh do not learn these classes in so many steps, from
        # either start; those of ReLU do.
        base={**BASE, "steps": 600, "activation": "relu"},
        settings=CLASSIFIED,
        arms=(
            Arm(plain, {"network": "plain"}),
            Arm(residual, {}, plain),
            *(Arm(name, {"l2": strength}, residual) for name, strength in regularised.items()),
        ),
        rates=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
        seeds=tuple(range(10)),
        claims=(
            *(
                Claim("L2 brings a residual classifier nearer the geodesic", name, residual)
                for name in regularised
            ),
            Claim(
                "a residual classifier comes nearer the geodesic than a plain one", residual, plain
            ),
        ),
        moments=MOMENTS,
    )


LABS: Mapping[str, Lab] = MappingProxyType(
    {lab.name: lab for lab in (_l2_geodesic(), _residual_vs_plain(), _classification())}
)
