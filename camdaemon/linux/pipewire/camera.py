"""A camera that is published in PipeWire, for any number of readers and each in a format that it takes.

A node's port has one format for all of its readers, and a reader that comes later is given that format, whether it
takes it or not (so in 0.3.65 to 1.x: `pw_context_find_format`). So the node that people see never agrees on a format.
It stays inactive, and the links that the session manager makes to it wait. For each of these this camera asks the
reader which formats it takes, and links it to a second node that sends one of them, beside the link that waits. All
readers of a format share such a node, and the link that waits lets the session manager know its reader as served.

Measured with PipeWire 0.3.65 and 1.4.2, WirePlumber 0.4.13 and 0.5.8: the reader sees its own format from the
beginning, also when several readers come at the same moment; a restarted WirePlumber links its readers again, and
disturbs none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from camdaemon.errors import DeviceError
from camdaemon.linux.pipewire import video
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.library import ANY_ID
from camdaemon.linux.pipewire.registry import LINK, PORT, Global, NodeDetails, Registry
from camdaemon.linux.pipewire.sender import Layout, Paint, Sender
from camdaemon.linux.pipewire.stream import Direction, Flag, State, Stream
from camdaemon.linux.pipewire.video import Pixels

log = logging.getLogger(__name__)

OWN = "camdaemon.node"  # a property of our nodes, so that no camdaemon takes them for a camera

_OPENING_S = 1.0
_LEAVING_S = 0.3  # for readers to take the last frame: they lose what they have not looked at when the node goes


class PublishedCamera:
    """A camera in PipeWire. `send` and `close` are for one thread.

    Args:
        name: "node.name" of its node.
        description: What people call it.
        size: Width and height.
        fps: About how many frames come per second.
        layouts: The pixel formats on offer, the preferred one first.
        on_watched: Called with whether anybody reads it, when that changes; from PipeWire's thread.

    Raises:
        DeviceError: PipeWire does not run, is not installed, or takes no camera.
    """

    def __init__(
        self,
        name: str,
        description: str,
        size: tuple[int, int],
        fps: float,
        layouts: Mapping[Pixels, Layout],
        on_watched: Callable[[bool], None],
    ) -> None:
        self._name, self._size, self._fps, self._layouts, self._on_watched = name, size, fps, layouts, on_watched
        self._senders: dict[Pixels, Sender] = {}
        self._waiting: list[tuple[Global, Pixels]] = []  # links that wait for their group's node
        self._served: dict[int, int] = {}  # readers by id, each with the link that was made for it, a proxy
        self._formats: dict[int, Pixels] = {}  # of the readers that are served
        self._is_watched, self._number, self._failure = False, 0, ""
        self._ready = threading.Event()
        self._connection = Connection()
        try:
            with self._connection.lock():
                self._publish(description)
            if not self._ready.wait(_OPENING_S) or self._failure:
                raise DeviceError(
                    f"PipeWire takes no camera: {self._failure or 'it does not answer'}. "
                    "Run: systemctl --user restart pipewire wireplumber"
                )
        except BaseException:
            self.close()
            raise

    def _publish(self, description: str) -> None:
        properties = {
            "media.class": "Video/Source",
            "media.role": "Camera",
            "media.type": "Video",
            "media.category": "Capture",
            "node.name": self._name,
            "node.description": description,
            "node.virtual": "true",
            OWN: "true",
        }
        self._node = Stream(self._connection, description, properties, self._on_state, lambda _: None)
        self._registry = Registry(self._connection, self._on_added, self._on_removed)
        offers = [video.offer(pixels, *self._size, self._fps) for pixels in self._layouts]
        self._node.connect(Direction.OUTPUT, Flag.INACTIVE | Flag.MAP_BUFFERS, offers)

    def send(self, paint: Paint) -> None:
        """Send a frame to every reader, in each format that is read. Converts nothing where nobody reads.

        Raises:
            DeviceError: The connection to PipeWire broke.
        """
        for sender in list(self._senders.values()):
            sender.wait_until_taken()
        with self._connection.lock():
            if why := self._connection.broken or self._failure:
                raise DeviceError(f"PipeWire is gone: {why}. Run: systemctl --user restart pipewire wireplumber")
            self._number += 1
            for pixels, sender in self._senders.items():
                sender.send(pixels, paint, self._number)

    def _on_state(self, state: State, why: str) -> None:
        if state is State.ERROR:
            self._failure = why or "it was refused"
        if state in (State.ERROR, State.PAUSED):
            self._ready.set()

    def _on_added(self, added: Global) -> None:
        if added.type == PORT:
            self._link_waiting()
        if added.type != LINK or self._node.node_id == ANY_ID:
            return
        output, reader = added.number("link.output.node"), added.number("link.input.node")
        if output == self._node.node_id and reader not in self._served:
            node = self._registry.objects.get(reader)
            if node is not None:
                self._served[reader] = 0
                self._registry.describe(node, lambda details: self._serve(added, details))
        elif reader in self._served and output not in self._own_nodes():
            self._release(reader)  # it was moved to another camera

    def _serve(self, link: Global, details: NodeDetails) -> None:
        """Choose the format for the reader at the end of `link`: one that is sent already, else our first."""
        reader = link.number("link.input.node")
        if reader not in self._served:
            return
        takes = video.common(list(self._layouts), [details.formats], self._size)
        if not takes:
            log.warning(
                "pipewire reader takes no format of ours: %s (%s, %dx%d)",
                details.properties.get("node.name", reader),
                ", ".join(each.name for each in self._layouts),
                *self._size,
            )
            return
        pixels = next((each for each in takes if each in self._senders), takes[0])
        if pixels in self._senders and self._senders[pixels].is_spent and pixels not in self._formats.values():
            self._senders.pop(pixels).close()
        self._formats[reader] = pixels
        self._waiting.append((link, pixels))
        if pixels not in self._senders:
            name = f"{self._name}.{pixels.name.lower()}"
            properties = {  # no node.description: WebRTC, so every browser, lists no node without one
                "media.class": "Stream/Output/Video",
                "media.role": "Camera",  # GNOME shows by it that a camera is in use
                "media.type": "Video",
                "node.name": name,
                OWN: "true",
            }
            offer = video.offer(pixels, *self._size, self._fps)
            layout = self._layouts[pixels]
            self._senders[pixels] = Sender(self._connection, properties, offer, layout, self._on_change)
        self._link_waiting()

    def _on_change(self) -> None:
        is_watched = any(sender.is_read for sender in self._senders.values())
        if is_watched != self._is_watched:
            self._is_watched = is_watched
            self._on_watched(is_watched)

    def _link_waiting(self) -> None:
        """Link the readers whose group's node is there by now."""
        still = []
        for link, pixels in self._waiting:
            node, reader = self._senders[pixels].node_id, link.number("link.input.node")
            port = self._registry.find_port(node)
            if port is None:
                still.append((link, pixels))
            elif self._served.get(reader) == 0:
                self._registry.show(node, reader)
                self._served[reader] = self._registry.link((node, port), (reader, link.number("link.input.port")))
        self._waiting = still

    def _on_removed(self, removed: Global) -> None:
        if removed.id in self._served:
            self._release(removed.id)

    def _release(self, reader: int) -> None:
        self._formats.pop(reader, None)
        if proxy := self._served.pop(reader, 0):
            self._registry.unlink(proxy)

    def _own_nodes(self) -> set[int]:
        return {self._node.node_id, *(sender.node_id for sender in self._senders.values())}

    def close(self) -> None:
        """Take the camera away, after its readers took the last frame. May be called twice."""
        connection = getattr(self, "_connection", None)
        if connection is None:
            return
        if connection.broken is None and self._is_watched:
            time.sleep(_LEAVING_S)
        if connection.is_open:
            with connection.lock():
                for part in (*self._senders.values(), getattr(self, "_node", None), getattr(self, "_registry", None)):
                    if part is not None:
                        part.close()
                self._senders.clear()
            connection.close()
        if self._is_watched:
            self._is_watched = False
            self._on_watched(False)
