"""A window on this desktop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size

if TYPE_CHECKING:
    import pygame


def has_display() -> bool:
    """Whether this session has a screen to open a window on."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class PreviewSink:
    """A window of `size` pixels. Closing it ends the run (StreamEnded). Raises DeviceError without a display.

    The window is opened by the first `write`, since SDL wants one thread to do everything.
    """

    name = "preview"
    live = True
    can_reopen = False
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
                "preview: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set); try --sink out.mp4"
            )

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        if self._window is None:
            try:
                pygame.display.init()
                flags = pygame.RESIZABLE | pygame.SCALED
                if pygame.display.get_driver() == "offscreen":  # SDL's last resort: a window that nobody sees
                    raise pygame.error("the display does not answer")
                self._window = pygame.display.set_mode((self.size.width, self.size.height), flags)
            except pygame.error as exc:
                raise DeviceError(f"preview: no window could be opened ({exc}); try --sink out.mp4") from None
            pygame.display.set_caption("camdaemon preview")
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            raise StreamEnded("the preview window was closed")
        rgb = color.host_to_rgb(frame.data, frame.fmt)
        picture = pygame.image.frombuffer(rgb.tobytes(), (self.size.width, self.size.height), "RGB")
        self._window.blit(picture, (0, 0))
        pygame.display.flip()

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            import pygame

            self._window = None
            pygame.display.quit()
