"""Benchmarks: the daemon's pipeline against a baseline of the same work, in turns, in one process.

    settings (what is measured) → footage (frames and plate) → processor (the daemon's and the baseline's)
                                → network | stops | pipeline, in turns → report, plot

Run with `python tests/benchmarks`; the method and the results are in docs/performance.md. Timed runs are those of
`camdaemon.tools.bench`, which is part of the package.
"""
