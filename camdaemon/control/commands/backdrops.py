"""The commands that choose what viewers see instead of the room."""

from __future__ import annotations

from camdaemon.control.backdrops import READY_FILES
from camdaemon.control.commands.live import LiveScene
from camdaemon.control.room import ask_twice
from camdaemon.control.scenes import look_of
from camdaemon.control.table import BackdropFile
from camdaemon.frames import kinds


class BackdropCommands(LiveScene):
    """Backdrops by name and by folder."""

    def backdrop(self, spec: str, yes: bool = False) -> str:
        """Prepare the backdrop `spec` (see `backdrop.make_backdrop`), then show it.

        Raises:
            ConfigError: there is no such backdrop, or its file cannot be shown.
            ConfirmationNeeded: viewers could recognize the room in it, and `yes` does not say that they may.
        """
        if not yes:
            shown = look_of(self._pipeline.state.scene)
            ask_twice(shown._replace(backdrop=spec), shown, self._size, f"camdaemon backdrop {spec} --yes")
        self._show(self._prepared.take(kinds.make_absolute(kinds.BACKDROPS, spec)))
        return self._tell(f"The backdrop is {spec}.")

    def next_backdrop(self) -> str:
        """Show the next file of the backdrop folder, by name; wraps around. See `Gallery.neighbor`."""
        return self._step(1)

    def previous_backdrop(self) -> str:
        """Show the previous file, as `next_backdrop`."""
        return self._step(-1)

    def _step(self, step: int) -> str:
        with self._preparing:  # two presses at once are two steps
            file, made = self._prepared.neighbor(self.gallery, self._pipeline.state.scene.backdrop.spec, step)
            self._show(made)
        self.expect_neighbors()
        return self._tell(f"The backdrop is {file.name}.")

    def expect_neighbors(self) -> None:
        """Have the next and the previous backdrop prepared in the background."""
        self._prepared.expect_neighbors(self.gallery, self._pipeline.state.scene.backdrop.spec)

    def backdrops(self) -> list[BackdropFile]:
        """List the backdrop folder as it is now, by name, then the backdrops that come with camdaemon."""
        return [*self.gallery.files(), *READY_FILES]
