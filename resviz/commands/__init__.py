"""The commands of `python -m resviz`, one a module.

Each has `add(commands)`, which adds its options, and `prepare(options)`, which refuses
what is not allowed by a `ValueError` before anything runs, and gives back what to run.
"""
