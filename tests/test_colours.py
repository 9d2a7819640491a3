"""Palettes that the common colour-vision deficiencies leave apart, and inks that can be read."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from resviz.figures.colours import LEAVING, class_palette
from resviz.figures.theme import INK, INK_ON_DARK, KEPT, PRESENT, SECTORS

# Machado, Oliveira & Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009), table 1, severity 1.0:
# what linear RGB looks like without one kind of cone.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE_XYZ = TO_XYZ @ np.ones(3)
# CIE 1976 ΔE: 2.3 is just noticeable side by side; dots of two colours far apart need more.
APART = 11.0


def linear(css: str) -> np.ndarray:
    """sRGB as light, IEC 61966-2-1."""
    rgb = np.array([int(css[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB."""
    share = (TO_XYZ @ light) / WHITE_XYZ
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, eye: str) -> float:
    seen = (lab(np.clip(SEEN[eye] @ linear(css), 0, 1)) for css in (one, other))
    return float(np.linalg.norm(np.subtract(*seen)))


def test_the_oracle_knows_black_white_and_red():
    assert lab(linear("#FFFFFF")) == pytest.approx([100, 0, 0], abs=1e-6)
    assert lab(linear("#FF0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    # Whom one pair of cones fails, red and green of one lightness are nearly alike.
    assert distance("#C00000", "#007A00", "all cones") > 100
    assert distance("#C00000", "#5E5E00", "deuteranopia") < 40


@pytest.mark.parametrize("eye", SEEN)
@pytest.mark.parametrize(
    "palette",
    [SECTORS, class_palette(2), class_palette(3), LEAVING, (KEPT, PRESENT)],
    ids=["sectors", "two classes", "three classes", "leaving", "A and B"],
)
def test_every_two_colours_of_a_palette_can_be_told_apart(palette, eye):
    nearest = min(distance(a, b, eye) for a, b in combinations(palette, 2))
    assert nearest > APART


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio of relative luminances."""
    dark, light = sorted(TO_XYZ[1] @ linear(css) for css in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("ink", "ground"), [(INK, "#FFFFFF"), (INK_ON_DARK, "#0E1117")])
def test_text_can_be_read_on_its_ground(ink, ground):
    assert contrast(ink, ground) > 7


def test_the_page_writes_in_the_figures_ink():
    """Else every new figure is laid out twice: once as it came, and once in the page's ink."""
    config = Path(__file__).parents[1] / ".streamlit" / "config.toml"
    theme = tomllib.loads(config.read_text(encoding="utf-8"))["theme"]
    assert theme["light"]["textColor"] == INK
    assert theme["dark"]["textColor"] == INK_ON_DARK
