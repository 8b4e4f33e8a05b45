"""The running pipeline: three threads, two mailboxes, and the state they share.

Start with `threads.py` (which thread runs what), then `loops.py` (their bodies) and `worker.py` (one frame, in order).
"""
