"""Scores of mattings: on composites with a known truth, on clips, and of alphas already written.

`metrics` the figures, `composites` and `clips` the cases, `contest` the mattings on them, `report` the tables.
"""
