"""A daemon for the panel's tests: commands, `BackdropFolder` and `Preview` in one, with pictures made of gradients."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

import cv2
import numpy as np

from camdaemon.control.table import BackdropFile
from camdaemon.errors import ConfigError, ConfirmationNeeded, PlateRefused

FPS = 15.0
PATIENCE_S = 60.0  # until something that never comes is given up; no test depends on how busy the machine is


def jpeg(rgb: np.ndarray) -> bytes:
    """(H,W,3) uint8 RGB → JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done
    return data.tobytes()


def gradient(
    top: tuple[int, int, int], bottom: tuple[int, int, int], width: int = 320, height: int = 180
) -> np.ndarray:
    share = np.linspace(0, 1, height)[:, None, None]
    return np.broadcast_to((1 - share) * top + share * bottom, (height, width, 3)).astype(np.uint8).copy()


class FakeDaemon:
    """Remembers what was asked. `error` is raised instead, when set; `plate` waits for `go_on` while `hang` is set."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._born = time.monotonic()
        self.forget()

    def forget(self) -> None:
        """As new."""
        self.asked: list[tuple[object, ...]] = []
        self.error: Exception | None = None
        self.hang = self.cancelled = False
        self.waits_for = ""
        self.somebody = False  # is in the picture when a plate is taken
        self.drawn: bytes | None = jpeg(gradient((200, 190, 180), (120, 100, 90)))  # the plate in use
        self.sure = True  # nothing is asked for twice
        self.in_plate, self.go_on = threading.Event(), threading.Event()
        self.made: dict[str, int] = defaultdict(int)  # pictures by view, and "status"
        self.files = {
            "dawn.jpg": jpeg(gradient((250, 190, 150), (90, 70, 120))),
            "lake.jpg": jpeg(gradient((170, 210, 230), (20, 70, 90))),
            "waves.mp4": jpeg(gradient((30, 60, 70), (120, 200, 190))),
        }
        self.state: dict[str, object] = {
            **{"mode": "matte", "backdrop": "/backdrops/dawn.jpg", "plate": "taken", "plate_note": "", "camera": "ok"},
            "plate_parts": {"trusted": 97.3, "shot": 96.6, "healed": 3.0, "moved_px": 12.2, "age_s": 7300},
            **{"paused": False, "mirror": False, "edge": 0.0, "blur": 0.0, "crop": None, "scene": None},
            "taking": None,
            "scenes": ["work", "evening"],
            **{"size": "1280x720", "source": "/dev/video0", "sink": "/dev/video10", "device": "cpu"},
        }

    # Commands

    def plate(self, countdown: float, anyway: bool = False) -> str:
        if self.somebody and not anyway:
            raise PlateRefused("no plate: somebody is in the picture, on the left. Run: camdaemon plate take --anyway")
        if self.hang:
            self.state["taking"] = {"by": "you", "left_s": 0.0, "waits_for": self.waits_for}
            self.in_plate.set()
            if not self.go_on.wait(PATIENCE_S):
                raise PlateRefused("the test forgot to go on")
        self.state["taking"] = None
        if self.cancelled:
            raise PlateRefused("no plate: its taking was cancelled. Run: camdaemon plate")
        return self._answer("The plate is taken.", "plate", countdown, *([anyway] if anyway else []))

    def show_plate(self) -> dict[str, object]:
        return {"plate": "taken", "note": ""}

    def export_plate(self, file: str) -> str:
        return self._answer("The plate is written.", "export_plate", file)

    def draw_plate(self) -> bytes | None:
        return self.drawn

    def cancel_plate(self) -> str:
        self.cancelled = True
        self.state["taking"] = None
        self.go_on.set()
        return self._answer("The taking of the plate is cancelled.", "cancel_plate")

    def backdrop(self, spec: str, yes: bool = False) -> str:
        if not (self.sure or yes):
            raise ConfirmationNeeded(f"viewers would see your room. To show it, run: camdaemon backdrop {spec} --yes")
        return self._answer(f"The backdrop is {spec}.", "backdrop", spec, backdrop=spec)

    def next_backdrop(self) -> str:
        return self._answer("The backdrop is the next one.", "next", backdrop=self.backdrops()[1].spec)

    def previous_backdrop(self) -> str:
        return self._answer("The backdrop is the last one.", "previous", backdrop=self.backdrops()[-1].spec)

    def scene(self, name: str) -> str:
        return self._answer(f"The scene is {name}.", "scene", name, scene=name)

    def mode(self, mode: str) -> str:
        return self._answer(f"The mode is {mode}.", "mode", mode, mode=mode)

    def card(self, turn: str) -> str:
        return self._answer("Viewers see the card.", "card", turn, mode="card")

    def pause(self, turn: str) -> str:
        return self._answer("The picture is frozen.", "pause", turn, paused=turn == "on")

    def mirror(self, turn: str) -> str:
        return self._answer("The person is mirrored.", "mirror", turn, mirror=turn == "on")

    def adjust(self, edge: float | None, blur: float | None, yes: bool = False) -> str:
        changes = {name: value for name, value in (("edge", edge), ("blur", blur)) if value is not None}
        return self._answer("Adjusted.", "adjust", edge, blur, **changes)

    def crop(self, left: float, top: float, width: float, height: float) -> str:
        part = {"left": left, "top": top, "width": width, "height": height}
        return self._answer("A part of the picture shows.", "crop", left, top, width, height, crop=part)

    def uncrop(self) -> str:
        return self._answer("The whole picture shows.", "uncrop", crop=None)

    def reset(self) -> str:
        return self._answer("The picture is as configured.", "reset", crop=None, mirror=False, scene=None)

    def reload(self) -> str:
        return self._answer("The configuration is read.", "reload")

    def panel(self) -> str:
        return self._answer("http://127.0.0.1:1/open?token=none", "panel")

    def backdrops(self) -> list[BackdropFile]:
        kinds = {True: "video", False: "image"}
        return [BackdropFile(name, f"/backdrops/{name}", kinds[name.endswith(".mp4")]) for name in sorted(self.files)]

    def scenes(self) -> list[str]:
        return ["work", "evening"]

    def status(self) -> dict[str, object]:
        with self.changed:
            self.made["status"] += 1
            self.changed.notify_all()
        return self.state | {
            **self.seen(),
            **{"fps_in": 30.0, "fps_out": 29.8, "counts": {"dropped": 3}, "steps_ms": {}},
            "latency_ms": {"p50": 41.0, "p99": 58.0},
        }

    def seen(self) -> dict[str, object]:
        """As `control.status` says it."""
        state = self.state
        if state["mode"] == "passthrough":
            found = ("passthrough", "Passthrough", "Viewers see the raw camera, your room included.")
        elif state["taking"] or state["mode"] == "card":
            found = ("card", "Card", "Viewers see the privacy card.")
        elif state["paused"]:
            found = ("paused", "Paused", "Viewers see a still picture of you.")
        else:
            found = ("live", "Live", f"Viewers see you in front of {str(state['backdrop']).rpartition('/')[2]}.")
        return {"viewers_see": found[2], "seen": {"state": found[0], "badge": found[1], "reason": ""}}

    def stop(self) -> str:
        return self._answer("camdaemon is stopping.", "stop")

    # BackdropFolder

    def thumbnail(self, name: str) -> bytes:
        self._answer("", "thumbnail", name)
        if name not in self.files:
            raise ConfigError(f"there is no backdrop {name!r}; look what there is: camdaemon backdrops")
        return self.files[name]

    def add(self, name: str, data: bytes) -> str:
        self._answer("", "add", name, len(data))
        if cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None:
            raise ConfigError(f"{name} is neither a picture nor a video that can be read. Try another file")
        kept = name.rpartition("/")[2]
        self.files[kept] = data
        return kept

    # Preview

    def jpeg(self, view: str, after: int, timeout: float) -> tuple[int, bytes] | None:
        number = max(after + 1, int((time.monotonic() - self._born) * FPS))
        due = self._born + number / FPS - time.monotonic()
        if due > timeout:
            return None
        threading.Event().wait(max(0.0, due))
        self.made[view] += 1
        return number, jpeg(self.picture(view, number))

    def picture(self, view: str, number: int) -> np.ndarray:
        """(H,W,3) uint8 RGB: a bar that moves, on red for the composite, black for alpha, green for the camera."""
        grounds = {"composite": (150, 60, 60), "alpha": (0, 0, 0), "camera": (40, 140, 60)}
        rgb = np.full((180, 320, 3), grounds[view], np.uint8)
        x = 8 * number % 320
        rgb[40:, x : x + 60] = 255
        return rgb

    # for tests

    def wait_asked(self, *asked: object) -> None:
        """Until exactly this was asked."""
        with self.changed:
            assert self.changed.wait_for(lambda: asked in self.asked, PATIENCE_S), f"{asked} is not in {self.asked}"

    def wait_status(self, more: int) -> None:
        """Until the status was asked for `more` times."""
        with self.changed:
            until = self.made["status"] + more
            assert self.changed.wait_for(lambda: self.made["status"] >= until, PATIENCE_S)

    def verbs_asked(self) -> list[tuple[object, ...]]:
        """What was asked, without thumbnails."""
        return [asked for asked in self.asked if asked[0] != "thumbnail"]

    def _answer(self, message: str, *asked: object, **changes: object) -> str:
        with self.changed:
            self.asked.append(asked)
            self.changed.notify_all()
        if self.error:
            raise self.error
        self.state.update(changes)
        return message
