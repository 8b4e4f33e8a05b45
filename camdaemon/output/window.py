"""A window on this desktop: the sink that users call preview."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size

if TYPE_CHECKING:
    import pygame


def has_display() -> bool:
    """Tell whether this session has a display to open a window on."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class PreviewSink:
    """A window; see the protocol `Sink`. Closing it ends the run: `write` raises StreamEnded.

    The first `write` opens the window, because SDL has to be used from one thread.

    Args:
        size: Size of the frames, and of the window at first.

    Raises:
        DeviceError: There is no display.
    """

    name = "preview"
    live = True
    can_reopen = False
    is_file = False
    viewers = ()
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> PreviewSink:
        """See `open_sink`."""
        return cls(size)

    def __init__(self, size: Size) -> None:
        self.size = size
        self._window: pygame.Surface | None = None
        if not has_display():
            raise DeviceError(
                "preview: no display: neither DISPLAY nor WAYLAND_DISPLAY is set. Run: camdaemon run --sink out.mp4"
            )

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        if self._window is None:
            try:
                pygame.display.init()
                flags = pygame.RESIZABLE | pygame.SCALED
                if pygame.display.get_driver() == "offscreen":  # SDL's last fallback, an invisible window
                    raise pygame.error("the display does not answer")
                self._window = pygame.display.set_mode((self.size.width, self.size.height), flags)
            except pygame.error as exc:
                raise DeviceError(f"preview: cannot open a window: {exc}. Run: camdaemon run --sink out.mp4") from None
            pygame.display.set_caption("camdaemon preview")
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            raise StreamEnded("the preview window was closed")
        rgb = color.host_to_rgb(frame.data, frame.fmt)
        picture = pygame.image.frombuffer(rgb.tobytes(), (self.size.width, self.size.height), "RGB")
        self._window.blit(picture, (0, 0))
        pygame.display.flip()

    def close(self) -> None:
        """See Sink.close."""
        if self._window is not None:
            import pygame

            self._window = None
            pygame.display.quit()
