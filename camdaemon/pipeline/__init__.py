"""The running pipeline: three threads, two mailboxes, and the state they share.

Start with `threads.py` (which thread runs what), then `loops.py` (their bodies), `worker.py` (one frame, in order) and
`camera_state.py` (when the camera is open). The order of the locks is in `state.py`.
"""
