"""The painter of the built-in clip, whose true alpha, foreground and plate are known: see `scene.Scene`.

`python tests/pattern/render.py` renders it into `camdaemon/capture/pattern.mp4`, which `--source pattern` plays.
"""
