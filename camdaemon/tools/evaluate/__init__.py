"""Scores of mattings: on composites with a known truth, on clips, and of alphas in files.

evaluation         what `camdaemon evaluate` does with its options
composites, clips  the cases
comparison         mattings on the same cases
metrics            the figures
tables             tables and files of scores
"""
