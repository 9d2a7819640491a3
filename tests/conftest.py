"""Shared by all tests: one hypothesis profile, and one tiny run that several files look at."""

import pytest
from hypothesis import settings

from resviz.records import Run
from resviz.spec import RunSpec

# The same examples in every run: a red test is red again when it is looked at.
settings.register_profile("resviz", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("resviz")


@pytest.fixture(scope="session")
def tiny_spec() -> RunSpec:
    return RunSpec(
        source="two_blobs", target="ring", depth=3, width=4, steps=10, particles=30, batch=16
    )


@pytest.fixture(scope="session")
def tiny_classifier() -> Run:
    """A finished run of classification, of the plain network."""
    from resviz.pipeline import run

    return run(
        RunSpec(
            task="classify", source="moons", network="plain", depth=3, width=4, steps=10,
            particles=30, batch=16,
        )
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_run(tiny_spec: RunSpec) -> Run:
    # Imported here: the tests of the spec and of the pages' records need no PyTorch.
    from resviz.pipeline import run

    return run(tiny_spec)
