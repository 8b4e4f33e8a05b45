"""The command line: what can be typed after `camdaemon`.

Heavy packages are imported by the commands that need them, so that `camdaemon --help` and `status` never load torch.
"""
