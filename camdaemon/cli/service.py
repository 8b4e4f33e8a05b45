"""`camdaemon service`: its options. What it does is in `service`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="camdaemon as a service of your systemd: at each login, restarted when it fails.")

_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]


@app.command()
def install(
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it now and at each login.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a unit that camdaemon did not write.")] = False,
    dry_run: _DryRun = False,
) -> None:
    """Write the unit file for this very camdaemon, and start it. Type it again after an upgrade."""
    from camdaemon.system import service

    service.install(start=start, force=force, dry_run=dry_run)


@app.command()
def remove(
    force: Annotated[bool, typer.Option("--force", help="Remove a unit that camdaemon did not write.")] = False,
    dry_run: _DryRun = False,
) -> None:
    """Stop the service and take its unit file away. Your settings, plates and backdrops stay."""
    from camdaemon.system import service

    service.remove(force=force, dry_run=dry_run)


@app.command()
def status() -> None:
    """Whether it is installed, enabled and running, and where its log is."""
    from camdaemon.system import service

    service.status()
