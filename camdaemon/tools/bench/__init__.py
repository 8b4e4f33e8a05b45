"""`camdaemon bench`: how fast the real pipeline is, beside a plain formulation of the same work, in the same run.

    subject (what is measured) → footage (frames and plate) → sides (real and plain journey)
                               → network | stops | pipeline, interleaved → report, plot

A root: it builds pipelines out of their parts as `parts` does, but with its own stopwatch and a sink that forgets.
"""
