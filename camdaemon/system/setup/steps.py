"""The words of setup: what is wanted, a step, a plan; and how a plan is printed and typed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from camdaemon.errors import ConfigError
from camdaemon.system import pipewire
from camdaemon.system.loopback import is_secure_boot_on
from camdaemon.system.machine import Machine
from camdaemon.system.setup.files import CameraOptions
from camdaemon.system.setup.packages import Command

_LABEL_BYTES = 31  # the kernel's card name is 32 with its final zero

_LONG, _HEAD = 60, 20  # lines: of a longer file, only the head is shown

ALWAYS = "now and after every start of the machine"


@dataclass(frozen=True, slots=True)
class Step:
    """One command for root.

    Attributes:
        what: what it does, without a period.
        why: the reason, without a period.
        command: its words, without sudo.
        text: what the command, tee, writes.
        by_hand: it is only shown, unless --install was given.
    """

    what: str
    why: str
    command: Command
    text: str | None = None
    by_hand: bool = False

    @property
    def file(self) -> str | None:
        """The file that the step writes."""
        return self.command[-1] if self.text is not None else None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, and notes on what they do not cover, one or more sentences each."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """`devices` virtual cameras from /dev/video`number` on. Raises ConfigError for what no kernel accepts."""

    number: int = 10
    label: str = "camdaemon"
    devices: int = 1
    cameras: tuple[CameraOptions, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not (0 <= self.number <= 255 and 1 <= self.devices <= 8):
            raise ConfigError(
                "setup makes 1 to 8 devices, numbered from 0 to 255. Run: camdaemon setup --video-nr 10 --devices 1"
            )
        labels = [self.label] + [f"{self.label} {index}" for index in range(2, self.devices + 1)]
        if not self.label.strip() or not self.label.isprintable() or set(self.label) & set(",\"'\\#$`"):
            raise ConfigError(
                f"the label {self.label!r} must be text without commas, quotes or backslashes. "
                "Run: camdaemon setup --label camdaemon"
            )
        if len(labels[-1].encode()) > _LABEL_BYTES:
            raise ConfigError(
                f"the label {labels[-1]!r} is longer than {_LABEL_BYTES} bytes. Run: camdaemon setup --label camdaemon"
            )
        cameras = tuple(CameraOptions(self.number + index, label) for index, label in enumerate(labels))
        object.__setattr__(self, "cameras", cameras)

    def command(self, *, install: bool = False) -> str:
        """Return the command line that asks for this."""
        words = ["camdaemon", "setup"] + ["--install"] * install
        for option, value, default in (
            ("--video-nr", self.number, 10),
            ("--label", self.label, "camdaemon"),
            ("--devices", self.devices, 1),
        ):
            words += [option, str(value)] if value != default else []
        return shlex.join(words)


def print_without_root(machine: Machine) -> None:
    """Print what works without all this, where PipeWire runs: the way that root has no part in comes first."""
    if not pipewire.is_running(machine):
        return
    print(f"PipeWire runs here, so programs that read it ({pipewire.PIPEWIRE_READERS}) need none of this:")
    print("     camdaemon run --sink pipewire")
    print(f"The kernel module is for {pipewire.DEVICE_READERS}.")
    if is_secure_boot_on(machine):
        print("Secure Boot is on: before the kernel takes the module, its key has to be enrolled at a restart.")
    print()


def print_plan(machine: Machine, plan: Plan) -> None:
    """Print each step with its reason and its command, then the notes."""
    for number, step in enumerate(plan.steps, 1):
        print(f"{number}. {step.what[0].upper()}{step.what[1:]}: {step.why}.")
        if step.text is None:
            print(f"     {shlex.join((*sudo(machine), *step.command))}")
        else:
            lines = step.text.splitlines()
            shown = lines if len(lines) <= _LONG else [*lines[:_HEAD], f"… {len(lines) - _HEAD} more lines"]
            print("\n".join(f"     {line}" for line in shown))
    print()
    print_notes(plan)


def print_notes(plan: Plan) -> None:
    """Print the notes, each as a paragraph."""
    for note in plan.notes:
        print(f"Note: {note}\n")


def print_next(wanted: Wanted) -> None:
    """Print the command that uses the cameras."""
    is_default = wanted.number == 10 and wanted.devices == 1
    sinks = [] if is_default else [f"--sink /dev/video{camera.number}" for camera in wanted.cameras]
    print("Next: " + " ".join(["camdaemon run", *sinks]))


def describe_result(wanted: Wanted, plan: Plan) -> str:
    """Return '/dev/video10 (camdaemon) is there …'. A plan with notes promises nothing about the next start."""
    names = " and ".join(f"/dev/video{camera.number} ({camera.label})" for camera in wanted.cameras)
    always = "" if plan.notes else f", {ALWAYS}"
    return f"{names} {'is' if wanted.devices == 1 else 'are'} there{always}"


def to_shell(step: Step) -> str:
    """Return the step as root types it, on one line."""
    if step.text is None:
        return shlex.join(step.command)
    lines = " ".join(shlex.quote(line) for line in step.text.splitlines())
    return f"printf '%s\\n' {lines} | {shlex.join(step.command)} > /dev/null"


def sudo(machine: Machine) -> tuple[str, ...]:
    """Return the words that make a command root's."""
    return () if machine.uid == 0 else ("sudo",)
