"""`camdaemon status`: what the running daemon says of itself, for people or as JSON."""

from __future__ import annotations

import json

from camdaemon.control.client import Client


def show(*, as_json: bool) -> None:
    """Print the daemon's status to stdout. Raises ControlError when none answers."""
    answer = Client().status()
    if as_json:
        print(json.dumps(answer))
        return
    for name, value in answer.items():
        inner = " ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
        print(f"{name:<12} {inner}")
