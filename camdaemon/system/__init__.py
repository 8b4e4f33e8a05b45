"""What prepares and examines the machine: `camdaemon setup`, `doctor` and `service`.

Nothing of it runs in the daemon.
"""
