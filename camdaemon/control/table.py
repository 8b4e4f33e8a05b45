"""The table of commands: everything one can ask of a running daemon, one row each. Standard library only.

A command is a row of `TABLE` and the method of `commands.Commands` that the row names. Everything else is made from the
row: the command line and its completion (`cli/`), the HTTP routes of the socket (`api`) and of the panel (`panel/app`),
the client (`client`), and the key actions with their check in the configuration (`actions`).

A name of two words is a sub-command. One of them may be the default, which its first word alone means as well:
`camdaemon plate` is `camdaemon plate take`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes 20 ms to load, as long as Python itself, and a key press waits for this module
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any
    from typing import NamedTuple as Row
else:
    from camdaemon.control.row import Row

REQUIRED: Any = ...  # in place of a default: the value has to be given
_INFINITE = float("inf")


class BackdropFile(Row):
    """One file of the backdrop folder."""

    name: str  # unique in the folder
    spec: str  # as `make_backdrop` takes it: the path
    kind: str  # 'image' or 'video'

    def __str__(self) -> str:
        return self.spec


class Parameter(Row):
    """One value that a command takes."""

    name: str  # keyword of the method, field of the JSON body
    kind: str  # 'number', 'text', 'choice', 'flag', 'file', 'backdrop' (see `frames.kinds`); paths are made absolute
    help: str  # a noun phrase, with the unit
    default: Any = REQUIRED  # where a request leaves it out
    typed_default: Any = REQUIRED  # where it is not typed, and for keys; REQUIRED: as `default`
    low: float = -_INFINITE  # numbers: the range, in the unit that `help` names
    high: float = _INFINITE
    choices: tuple[str, ...] = ()
    option: bool = False  # typed as --name VALUE, else by its place
    local: bool = False  # for the command line alone: never sent
    delays: bool = False  # the answer comes that many seconds later
    listed_by: str = ""  # the command, as typed, that prints possible values one a line: for completion

    @property
    def initial(self) -> Any:
        """The value where nothing is typed; REQUIRED if there is none."""
        return self.default if self.typed_default is REQUIRED else self.typed_default


class Command(Row):
    """One row: what a command is called, what it takes, and who may ask for it."""

    name: str  # as typed; two words for a sub-command
    function: str  # the method of `Commands`, which takes the parameters in their order
    path: str  # HTTP path
    help: str  # one sentence or two
    parameters: tuple[Parameter, ...] = ()
    method: str = "POST"
    answer: Any = str  # str: a sentence for people; or list[…], dict[…]
    empty: str = ""  # printed for an empty list
    typed: bool = True  # on the command line
    socket: bool = True  # on the daemon's Unix socket
    key: bool = False  # can be bound to a key
    panel: bool = False  # on the panel, which asks for nothing that is not marked so
    default: bool = False  # the sub-command that the first word alone means
    instead: str = ""  # the command that runs where a required argument is not typed
    slow: bool = False  # takes seconds: a press gets a thread of its own
    timeout_s: float = 60.0  # until the client gives up waiting for the answer

    @property
    def word(self) -> str:
        """The shortest form of the name."""
        return self.name.partition(" ")[0] if self.default else self.name

    @property
    def sent(self) -> tuple[Parameter, ...]:
        """The parameters that the daemon gets."""
        return tuple(parameter for parameter in self.parameters if not parameter.local)


_TURN = Parameter("turn", "choice", "State to switch to: on, off or toggle", "toggle", choices=("on", "off", "toggle"))
_COUNTDOWN = Parameter(
    "countdown",
    "number",
    "Time to leave the picture, in seconds",
    typed_default=5.0,
    low=0,
    high=120,
    option=True,
    delays=True,
)
_ANYWAY = Parameter(
    "anyway", "flag", "Accept a plate with a person in it: it is a picture on the wall", False, option=True
)
_SPEC = Parameter("spec", "backdrop", "What viewers see instead of the room", listed_by="backdrops")
_SCENE = Parameter("name", "text", "Name of a scene", listed_by="scene")
_MODE = Parameter(
    "mode", "choice", "matte, card, or passthrough (shows the room!)", choices=("matte", "card", "passthrough")
)
_EDGE = Parameter("edge", "number", "Matte edge, from -1 (wider) to 1 (tighter)", None, low=-1, high=1, option=True)
_BLUR = Parameter("blur", "number", "Backdrop blur, sigma in pixels", None, low=0, high=100, option=True)
_CROP = (
    Parameter("left", "number", "Share of the width to cut off at the left", 0.0, low=0, high=1, option=True),
    Parameter("top", "number", "Share of the height to cut off at the top", 0.0, low=0, high=1, option=True),
    Parameter("width", "number", "Share of the width to keep", 1.0, low=0.1, high=1, option=True),
    Parameter("height", "number", "Share of the height to keep", 1.0, low=0.1, high=1, option=True),
)
_BROWSER = Parameter("browser", "flag", "Open the page in the browser", True, option=True, local=True)
_START = Parameter("start", "flag", "Start camdaemon first, if it does not run", False, option=True, local=True)
_YES = Parameter("yes", "flag", "Consent that viewers may recognize the room", False, option=True)
_JSON = Parameter("json", "flag", "JSON output, for scripts", False, option=True, local=True)

TABLE: tuple[Command, ...] = (
    Command(
        "plate take",
        "plate",
        "/plate",
        "Photograph the empty room. Viewers see a card with the countdown, never the room.",
        (_COUNTDOWN, _ANYWAY),
        default=True,
        key=True,
        panel=True,
        slow=True,
        timeout_s=310.0,  # beyond the countdown; the daemon gives up first: plate_taking.timeout_s <= 300
    ),
    Command(
        "plate cancel",
        "cancel_plate",
        "/plate/cancel",
        "Cancel the countdown, or the plate that is being taken. The one in use stays.",
        key=True,
        panel=True,
    ),
    Command(
        "plate show",
        "show_plate",
        "/plate/show",
        "Show how the plate in use stands: age, what is trusted, learned, and how far the camera has moved.",
        (_JSON,),
        method="GET",
        answer=dict[str, object],
    ),
    Command(
        "plate export",
        "export_plate",
        "/plate/export",
        "Write the plate in use, a photograph of your room, to a PNG.",
        (Parameter("file", "file", "PNG to write; it must not exist"),),
    ),
    Command(
        "backdrop", "backdrop", "/backdrop", "Show another backdrop instead of the room.", (_SPEC, _YES), panel=True
    ),
    Command(
        "backdrops",
        "backdrops",
        "/backdrops",
        "List the backdrop folder, and the backdrops that come with camdaemon.",
        method="GET",
        answer=list[BackdropFile],
    ),
    Command("next", "next_backdrop", "/backdrop/next", "Show the folder's next backdrop.", key=True, panel=True),
    Command(
        "previous",
        "previous_backdrop",
        "/backdrop/previous",
        "Show the folder's previous backdrop.",
        key=True,
        panel=True,
    ),
    Command(
        "scene",
        "scene",
        "/scene",
        "Switch to a scene of the configuration. It is complete: the card goes, unless the scene is one.",
        (_SCENE,),
        key=True,
        panel=True,
        instead="scenes",
    ),
    Command(
        "scenes",
        "scenes",
        "/scenes",
        "List the scenes of the configuration.",
        method="GET",
        answer=list[str],
        empty="There are no scenes. Write one into the configuration: [scenes.NAME]",
        typed=False,
    ),
    # Not on the panel: one wrong press must not show the room. The panel has a route of its own without passthrough.
    Command("mode", "mode", "/mode", "Show the composite, the privacy card, or the raw camera.", (_MODE,)),
    Command("card", "card", "/card", "Show the privacy card, or you again.", (_TURN,), key=True, panel=True),
    Command("pause", "pause", "/pause", "Freeze the picture, or resume it.", (_TURN,), key=True, panel=True),
    Command("mirror", "mirror", "/mirror", "Mirror you, not the backdrop.", (_TURN,), key=True, panel=True),
    Command(
        "adjust", "adjust", "/adjust", "Set the matte's edge and the backdrop's blur.", (_EDGE, _BLUR, _YES), panel=True
    ),
    Command(
        "crop set",
        "crop",
        "/crop",
        "Let a part of the camera's picture fill the frame.",
        _CROP,
        default=True,
        panel=True,
    ),
    Command("crop off", "uncrop", "/crop/off", "Show the whole picture again.", key=True, panel=True),
    Command(
        "reset",
        "reset",
        "/reset",
        "Undo what was chosen live: backdrop, scene, mirror, crop, edge and blur are as configured.",
        key=True,
        panel=True,
    ),
    Command(
        "reload",
        "reload",
        "/reload",
        "Read the configuration again. If it has a mistake, the old one stays.",
        key=True,
        panel=True,
    ),
    Command(
        "panel",
        "panel",
        "/panel",
        "Open the control panel in your browser. Only this machine can reach it.",
        (_BROWSER, _START),
        slow=True,
    ),
    Command(
        "status",
        "status",
        "/status",
        "Show scene, frame rates (fps), drops, step times and latency (ms).",
        (_JSON,),
        method="GET",
        answer=dict[str, object],
        timeout_s=2.0,
    ),
    # On no key: it would be pressed by accident.
    Command(
        "stop",
        "stop",
        "/stop",
        "Stop the running daemon and wait for its end. Viewers see the card last.",
        timeout_s=5.0,
    ),
)


def find(function: str) -> Command:
    """Return the row of the method `function`; KeyError if there is none."""
    return {command.function: command for command in TABLE}[function]


def match(words: Sequence[str]) -> tuple[Command, list[str]] | None:
    """Find the command that `words`, typed after `camdaemon`, begin with.

    Returns:
        The command and the words after its name; None where they begin with no command of the table.
    """
    for count in (2, 1):  # a sub-command wins over an argument of the same word
        name = " ".join(words[:count])
        for command in TABLE:
            if command.typed and command.socket and len(words) >= count and name in (command.name, command.word):
                return command, list(words[count:])
    return None


def call(commands: object, command: Command, values: Mapping[str, Any]) -> Any:
    """Do `command`: call its method of `commands` with `values`, one for each parameter that is sent."""
    return getattr(commands, command.function)(*(values[parameter.name] for parameter in command.sent))
