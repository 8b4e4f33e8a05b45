"""camdaemon: a virtual camera that shows you, true to the hair, in front of anything but your room."""

__version__ = "0.1.0"
