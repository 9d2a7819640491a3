"""Runs as Plotly figures: the stage, the charts beside it, and a page to take home."""
