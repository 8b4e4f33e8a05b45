"""The parts of a film as one file: packets are copied, each with its frame's time, and the source's sound with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from camdaemon.errors import DeviceError
from camdaemon.output.sound import Sound
from camdaemon.tools.films.encoder import TICK, FilmFormat, cannot_encode, sync
from camdaemon.tools.films.encodings import CONTAINERS

_OPTIONS = {"mp4": {"movflags": "+faststart"}, "mov": {"movflags": "+faststart"}}


def join_parts(
    parts: Sequence[Path],
    path: Path,
    film: FilmFormat,
    times: Sequence[float],
    sound: Sound | None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write a film of its parts.

    Args:
        parts: Their files, in order.
        path: The film; its ending names the container.
        film: What the parts have in common.
        times: Of all frames, in seconds.
        sound: To copy as far as the frames go and to its own end; closed afterwards.
        advance: Called after each part.

    Raises:
        DeviceError: The film cannot be written, or a part cannot be read.
    """
    container = CONTAINERS[path.suffix.lower()]
    options = {"fflags": "+bitexact", **_OPTIONS.get(container, {})}
    try:
        with av.open(str(path), "w", format=container, container_options=options) as out:
            stream: VideoStream | None = None
            at = 0
            ticks = make_ticks(times, film.fps)
            for part in parts:
                with av.open(str(part)) as read:
                    if stream is None:
                        stream = _add_stream(out, read.streams.video[0], film)
                        if sound is not None:
                            sound.add_to(out)
                    for packet in _read_packets(read.demux(video=0)):
                        _copy(out, stream, packet, ticks[at], ticks[at + 1])
                        at += 1
                        if sound is not None:
                            sound.copy(out, float(ticks[at] * TICK))
                advance()
            if at != len(times):
                raise DeviceError(f"the parts of {path} hold {at} of {len(times)} frames. Begin again with: --force")
            if sound is not None:
                sound.copy(out, None)
    except (av.FFmpegError, OSError) as exc:
        raise cannot_encode(path, exc) from None
    finally:
        if sound is not None:
            sound.close()
    sync(path)


def make_ticks(times: Sequence[float], fps: float) -> list[int]:
    """Return increasing times in ticks, and when the last frame ends."""
    ticks: list[int] = []
    for t in times:
        ticks.append(max(round(t / TICK), ticks[-1] + 1 if ticks else 0))
    return [*ticks, (ticks[-1] if ticks else 0) + max(1, round(1 / fps / TICK))]


def _add_stream(out: OutputContainer, like: VideoStream, film: FilmFormat) -> VideoStream:
    stream = out.add_stream_from_template(like)
    stream.time_base = TICK
    if film.encoding.tag and (out.format.name in ("mp4", "mov") or film.encoding.encoder == "prores_ks"):
        stream.codec_context.codec_tag = film.encoding.tag
    if film.encoding.has_alpha and film.encoding.encoder == "libvpx-vp9":
        stream.metadata["alpha_mode"] = "1"  # without it, no player looks for the alpha
    if film.encoding.alpha_mode:
        out.metadata["comment"] = f"alpha: {film.encoding.alpha_mode}"
    return stream


def _read_packets(packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
    return (packet for packet in packets if packet.dts is not None or packet.pts is not None)


def _copy(out: OutputContainer, stream: VideoStream, packet: Packet[VideoStream], tick: int, end: int) -> None:
    packet.pts = packet.dts = tick
    packet.duration, packet.time_base, packet.stream = end - tick, TICK, stream
    out.mux_one(packet)
