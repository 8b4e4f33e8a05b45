"""`camdaemon bench`: how fast the daemon's pipeline is on this machine, each stop by itself and end to end.

    footage (frames and plate) → runs (timed by a stopwatch) → measure (figures and tables)

`tests/benchmarks` compares the same runs with a baseline, and measures the network alone.
"""
