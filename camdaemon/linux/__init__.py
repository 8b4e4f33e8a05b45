"""The operating system: V4L2, devices, D-Bus services, systemd, threads. Knows nothing of frames."""
