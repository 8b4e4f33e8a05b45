"""Published test sets, scored as their papers do; whoever has them gets the papers' tables.

specs    the sets by name, and the work of the network that their papers allow
layouts  which files of a set's folder are its test samples
samples  a cut-out person over rooms, with a worsened plate (Lin et al. 2021, appendix D.2)
scoring  the figures, as the papers' published evaluations compute them
tables   the papers' tables, with what is printed in them
run      one evaluation on several sets
"""
