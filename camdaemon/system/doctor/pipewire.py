"""PipeWire: does it run, with a session manager, can camdaemon use it, and is the picture a camera there?"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from camdaemon.linux.devices import is_device_path
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.pipewire import PIPEWIRE_READERS, Graph, read_graph

PROBE = """
import sys
from camdaemon.errors import DeviceError
from camdaemon.linux.pipewire import library
try:
    library.load()
except DeviceError as exc:
    sys.exit(str(exc).partition(". Run: ")[0])
"""
MANAGERS = ("wireplumber", "pipewire-media-session")  # they connect programs with cameras

_START = "systemctl --user start pipewire wireplumber"


def check(context: Context) -> Iterator[Finding]:
    """Yield what there is to say of PipeWire, and of the virtual cameras in it."""
    if not context.has_pipewire:
        says = "PipeWire does not run for this user"
        if context.feeds_pipewire:
            yield problem("pipewire", f"{says}, and the configured sink is a camera in it", _START)
        else:
            yield ok("pipewire", f"{says}; programs look into /dev themselves")
        return
    yield from _check_library(context)
    graph = read_graph(context.machine)
    if graph is None:
        fix = "install pipewire-bin (Debian, Ubuntu) or pipewire-utils (Fedora), then: camdaemon doctor"
        yield note("pipewire", "PipeWire runs; what it lists cannot be read without pw-dump", fix)
        return
    yield _check_manager(context, graph)
    yield from _check_cameras(context, graph)


def _check_library(context: Context) -> Iterator[Finding]:
    """Yield why camdaemon cannot use PipeWire; nothing where it can. Asked in a process of its own."""
    answer = context.machine.ask([sys.executable, "-c", PROBE])
    if not answer.code:
        return
    says = (answer.err.strip().splitlines() or [f"PipeWire's library cannot be used: exit code {answer.code}"])[-1]
    fix = "install libpipewire-0.3-0 (Debian, Ubuntu), pipewire-libs (Fedora) or libpipewire (Arch)"
    is_grave = context.feeds_pipewire and not any(is_device_path(sink) for sink in context.sinks)
    yield (problem if is_grave else note)("pipewire", says, fix)


def _check_manager(context: Context, graph: Graph) -> Finding:
    name = f"PipeWire {graph.version}".rstrip()
    if found := graph.find_program(*MANAGERS):
        return ok("pipewire", f"{name} runs, with {found[0]}")
    says = f"{name} runs without a session manager: no program gets a picture from it"
    make = problem if context.feeds_pipewire else note
    return make("pipewire", says, "systemctl --user start wireplumber (package wireplumber)")


def _check_cameras(context: Context, graph: Graph) -> Iterator[Finding]:
    """Yield whether the picture is a camera that PipeWire lists, by itself or by way of its node in /dev."""
    if context.feeds_pipewire:
        yield _check_own_camera(context, graph)
        return
    sink = next((sink for sink in context.sinks if is_device_path(sink)), "")
    if sink in graph.paths:
        yield ok("pipewire", f"PipeWire knows {sink}, for programs that ask the desktop's portal")
    elif sink:
        yield note(
            "pipewire",
            f"PipeWire does not list {sink} as a camera, because it looked before the device was fed. This affects "
            f"only programs that read PipeWire ({PIPEWIRE_READERS})",
            "camdaemon run --sink auto, or, while camdaemon runs: systemctl --user restart wireplumber",
        )


def _check_own_camera(context: Context, graph: Graph) -> Finding:
    what = f"a camera in PipeWire, for any number of programs ({PIPEWIRE_READERS})"
    if names := graph.own_cameras:
        return ok("pipewire", f"camdaemon is {what}: {', '.join(names)}")
    if context.status is None:
        return ok("pipewire", f"camdaemon will be {what} while it runs")
    says = "camdaemon runs, but is not among PipeWire's cameras; it may have been started without them"
    return note("pipewire", says, "camdaemon stop, then: camdaemon run")
