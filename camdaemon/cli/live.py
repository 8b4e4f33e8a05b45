"""The commands that drive a running daemon; registered by cli.py. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_Turn = Annotated[str, typer.Argument(help="on, off or toggle.", show_default=True)]


def plate(
    countdown: Annotated[float, typer.Option(min=0, max=120, help="Seconds to leave the picture.")] = 5.0,
) -> None:
    """Photograph the empty room. Viewers see a card with the countdown, never the room."""
    print(_client().plate(countdown))


def backdrop(
    spec: Annotated[str, typer.Argument(help="Image or video file, color:#rrggbb, blur[:sigma], or plate.")],
) -> None:
    """Change what viewers see instead of the room."""
    local = Path(spec).expanduser()
    print(_client().backdrop(str(local.resolve()) if local.is_file() else spec))


def next_() -> None:
    """The next file in the backdrop folder."""
    print(_client().next_backdrop())


def previous() -> None:
    """The file before in the backdrop folder."""
    print(_client().previous_backdrop())


def backdrops() -> None:
    """List the backdrop folder."""
    files = _client().backdrops()
    print("\n".join(file.spec for file in files) or "The backdrop folder is empty; see: camdaemon config")


def scene(name: Annotated[str | None, typer.Argument(help="Of the configuration; none: list them.")] = None) -> None:
    """Switch to a scene of the configuration, with a cross-fade."""
    if name is not None:
        print(_client().scene(name))
        return
    names = _client().scenes()
    print("\n".join(names) or "There are no scenes; write one into the configuration: [scenes.NAME]")


def mode(mode: Annotated[str, typer.Argument(help="matte, card, or passthrough (shows the room!).")]) -> None:
    """Show the composite, the privacy card, or the raw camera."""
    print(_client().mode(mode))


def card(turn: _Turn = "toggle") -> None:
    """The privacy card instead of you, or you again."""
    print(_client().card(_checked(turn)))


def pause(turn: _Turn = "toggle") -> None:
    """Freeze the picture, or go on."""
    print(_client().pause(_checked(turn)))


def mirror(turn: _Turn = "toggle") -> None:
    """Mirror yourself; the backdrop stays readable."""
    print(_client().mirror(_checked(turn)))


def adjust(
    edge: Annotated[float | None, typer.Option(min=-1, max=1, help="Matte from wider (-1) to tighter (1).")] = None,
    blur: Annotated[float | None, typer.Option(min=0, max=100, help="Of the backdrop, sigma in pixels.")] = None,
) -> None:
    """Move the matte's edge, blur the backdrop."""
    print(_client().adjust(edge, blur))


def reload() -> None:
    """Read the configuration again; with a mistake in it, the old one stays."""
    print(_client().reload())


def panel(
    browser: Annotated[bool, typer.Option(help="Open it in the browser.")] = True,
) -> None:
    """A page in your browser to see and drive it all. Only this machine can reach it."""
    address = _client().panel()
    print(f"The panel, for one visit within a minute: {address}")
    if browser:
        import webbrowser

        webbrowser.open(_page_to(address).as_uri())


def _page_to(address: str) -> Path:
    """A file of the user's own that leads to `address`: on a browser's command line everybody could read its token."""
    import os

    from camdaemon.control.instance import socket_path

    page = socket_path().with_name("panel.html")
    page.unlink(missing_ok=True)
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f'<!doctype html><title>camdaemon</title><meta http-equiv="refresh" content="0;url={address}">\n')
    return page


def _checked(turn: str) -> str:
    from camdaemon.errors import ConfigError

    if turn not in ("on", "off", "toggle"):
        raise ConfigError(f"{turn!r} is none of on, off, toggle")
    return turn


def _client() -> Any:
    from camdaemon.control.client import Client

    return Client()
