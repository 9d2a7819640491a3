"""Runs as Plotly figures: the stage, the charts beside it, and a page to take home."""

from plotly.graph_objects import Figure

__all__ = ["Figure"]
