"""The vocabulary of camdaemon: what a person can ask of it while it runs, from whatever surface."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Mode = Literal["matte", "card", "passthrough"]  # passthrough shows the room: only ever on an explicit command (law 4)
Turn = Literal["on", "off", "toggle"]  # what can be done to a switch
View = Literal["composite", "alpha", "camera"]  # camera: before the matte, for the user's own eyes


class BackdropFile(NamedTuple):
    """One file. name: its own, unique in the folder.   spec: what `make_backdrop` takes.   kind: 'image' or 'video'."""

    name: str
    spec: str
    kind: str


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

    def next_backdrop(self) -> str:
        """The backdrop folder's next file after the one that shows, by name, round and round; ConfigError if none."""
        ...

    def previous_backdrop(self) -> str:
        """As `next_backdrop`, the other way round."""
        ...

    def scene(self, name: str) -> str:
        """All that the configuration's scene `name` sets, prepared, then shown with a cross-fade; ConfigError."""
        ...

    def mode(self, mode: str) -> str:
        """Show 'matte', 'card' or 'passthrough' (see `Mode`) from the next frame on; ConfigError for another word."""
        ...

    def card(self, turn: Turn) -> str:
        """The privacy card instead of the picture, or the matte again (never passthrough)."""
        ...

    def pause(self, turn: Turn) -> str:
        """Freeze the last composite, or go on."""
        ...

    def mirror(self, turn: Turn) -> str:
        """Mirror the person; the backdrop stays readable."""
        ...

    def adjust(self, edge: float | None, blur: float | None) -> str:
        """edge: −1 (wider) to 1 (tighter) matte.   blur: of the backdrop, sigma in pixels, 0 to 100. None: as it is.

        ConfigError for other values.
        """
        ...

    def reload(self) -> str:
        """Read the configuration file again and apply what can be without a restart; ConfigError names all mistakes."""
        ...

    def panel(self) -> str:
        """Serve the panel on this machine alone; its address, good for one visit. ControlError when it cannot be."""
        ...

    def backdrops(self) -> list[BackdropFile]:
        """What lies in the backdrop folder now, by name."""
        ...

    def scenes(self) -> list[str]:
        """The names of the configuration's scenes."""
        ...

    def status(self) -> dict[str, object]:
        """What is going on, as plain JSON values. Answers at once."""
        ...

    def stop(self) -> str:
        """Ask the daemon to stop; returns before it has."""
        ...


class Gallery(Protocol):
    """The backdrop folder, for surfaces that show pictures. Any thread."""

    def thumbnail(self, name: str) -> bytes:
        """A small JPEG of the file `name` in the folder; ConfigError when there is none or it is broken."""
        ...

    def add(self, name: str, data: bytes) -> str:
        """Keep an uploaded picture or video under a safe form of `name`; returns the name it got.

        ConfigError when it is too large, no picture or video, or too many pixels; nothing is written then.
        """
        ...


class Preview(Protocol):
    """What camdaemon sees and shows, small, for the user's own eyes. Any thread."""

    def jpeg(self, view: View, after: int, timeout: float) -> tuple[int, bytes] | None:
        """The newest picture of `view` with a number above `after`, as (number, JPEG), at most 640 pixels wide.

        Waits up to `timeout` seconds for one; None when none came. Asking is what makes the pictures be made: nobody
        asks, nothing is done. 'camera' is given to the user's own eyes only, on an explicit press.
        """
        ...
