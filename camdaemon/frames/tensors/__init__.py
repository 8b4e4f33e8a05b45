"""The arithmetic of frames in torch, for floats: on an accelerator, and on a CPU for the tools that work on files.

Nothing outside imports it before there is a tensor. What has the same name in `camdaemon.frames` does the same for
bytes.
"""
