"""The vocabulary of camdaemon: what a person can ask of it while it runs, from whatever surface."""

from __future__ import annotations

from typing import Literal, Protocol

Mode = Literal["matte", "card", "passthrough"]  # passthrough shows the room: only ever on an explicit command (law 4)


class Verbs(Protocol):
    """Commands to a running daemon. Any thread may call any of them, also while another one waits in `plate`.

    Every str that is returned is one sentence for people. Errors are CamdaemonErrors; after one nothing has changed.
    """

    def plate(self, countdown: float) -> str:
        """Photograph the empty room after `countdown` seconds; returns when it is done.

        PlateRefused when the room was not still, too dark or too bright; ControlError when camdaemon stops meanwhile.
        """
        ...

    def backdrop(self, spec: str) -> str:
        """Prepare another backdrop (image, video, color:#rrggbb, blur[:sigma], plate), then show it; ConfigError."""
        ...

    def mode(self, mode: str) -> str:
        """Show 'matte', 'card' or 'passthrough' (see `Mode`) from the next frame on; ConfigError for another word."""
        ...

    def status(self) -> dict[str, object]:
        """What is going on, as plain JSON values. Answers at once."""
        ...

    def stop(self) -> str:
        """Ask the daemon to stop; returns before it has."""
        ...
