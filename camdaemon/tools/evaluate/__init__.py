"""Scores of mattings: on composites with a known truth, on clips, and of alphas in files.

evaluation         what `camdaemon evaluate` does with its options
composites, clips  the cases
mattings           what is compared, and how it runs
comparison         mattings on the same cases
faults             what can be wrong with a plate
fault_scores       mattings with wrong plates
metrics            the figures of a picture
scores             the figures of a set
tables, strips     tables and files of scores, pictures to look at; drawing: a table's form
benchmarks         published test sets, scored as their papers do
"""
