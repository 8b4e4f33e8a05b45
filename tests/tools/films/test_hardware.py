"""Encoders of graphics cards: tried once, and a sentence says where the processor works instead."""

from fractions import Fraction
from pathlib import Path

import pytest

from camdaemon.errors import DeviceError
from camdaemon.tools.films import hardware
from camdaemon.tools.films.encoder import FilmFormat, LibraryEncoder, PartEncoder
from camdaemon.tools.films.encodings import DEFAULT, Codec, Hardware, Kind, Wish, choose_encoding
from camdaemon.tools.films.hardware import Encoder, HardwareEncoders, find_decoder
from camdaemon.tools.films.source import SDR
from tests.tools.films.made import room
from tests.tools.written import write_video


def film_of(name: str = "c.mp4", kind: Kind = "color", wish: Wish = DEFAULT, *, deep: bool = False) -> FilmFormat:
    return FilmFormat(choose_encoding(Path(name), kind, wish, deep=deep), (128, 72), 25, SDR, Fraction(1))


class Cards:
    """Makes encoders as graphics cards do that have some of them; counts what is made."""

    def __init__(self, *working: str) -> None:
        self.working = working
        self.made: list[str] = []

    def __call__(self, path: Path, film: FilmFormat, encoder: Encoder) -> PartEncoder:
        self.made.append(f"{encoder.name} {path.stem}")
        part = LibraryEncoder(path, film)
        if encoder.name not in self.working:
            part.write = _refuse  # type: ignore[method-assign,assignment]
        return part


def _refuse(*_: object) -> None:
    raise DeviceError("no such card. Run: lspci")


def test_a_card_that_works_encodes_every_part_and_is_tried_once(tmp_path: Path) -> None:
    said: list[str] = []
    cards = Cards("h264_vaapi")
    encoders = HardwareEncoders(Hardware.AUTO, said.append, cards)
    for part in ("1", "2", "3"):
        encoders(tmp_path / f"{part}.mkv", film_of()).abort()
    assert cards.made == ["h264_nvenc one", "h264_vaapi one", "h264_vaapi 1", "h264_vaapi 2", "h264_vaapi 3"]
    assert not said


@pytest.mark.parametrize(("wanted", "tried"), [(Hardware.QSV, 1), (Hardware.AUTO, 3)])
def test_where_no_card_works_the_processor_does_and_it_is_said_once_if_asked(
    tmp_path: Path, wanted: Hardware, tried: int
) -> None:
    said: list[str] = []
    cards = Cards()
    encoders = HardwareEncoders(wanted, said.append, cards)
    for part in range(2):
        encoder = encoders(tmp_path / f"{part}.mkv", film_of())
        assert isinstance(encoder, LibraryEncoder)
        encoder.write(room(), 0)
        encoder.close()
    assert len(cards.made) == tried
    expected = "libx264 encodes on the processor instead: h264_qsv: no such card. Run: lspci"
    assert said == ([] if wanted is Hardware.AUTO else [expected])


@pytest.mark.parametrize("wish", [Wish(Codec.FFV1), Wish(Codec.AV1)])
def test_it_is_said_where_no_card_has_the_codec(tmp_path: Path, wish: Wish) -> None:
    for wanted in (Hardware.NVIDIA, Hardware.AUTO):
        said: list[str] = []
        assert HardwareEncoders(wanted, said.append, Cards()).find(film_of("c.mkv", wish=wish)) is None
        assert [line.partition(":")[0].partition(" ")[2] for line in said] == (
            [] if wanted is Hardware.AUTO else ["encodes on the processor instead"]
        )


def test_ten_bits_go_to_encoders_of_ten_bits_alone(tmp_path: Path) -> None:
    cards = Cards("hevc_vaapi", "h264_vaapi")
    found = HardwareEncoders(Hardware.VAAPI, print, cards).find(film_of(wish=Wish(Codec.H265), deep=True))
    assert found is not None
    assert found.name == "hevc_vaapi"
    assert (
        HardwareEncoders(Hardware.VAAPI, lambda _: None, cards).find(film_of(wish=Wish(Codec.H264), deep=True)) is None
    )


def test_mattes_and_cut_outs_never_go_to_a_card() -> None:
    said: list[str] = []
    encoders = HardwareEncoders(Hardware.NVIDIA, said.append, Cards())
    for name in ("a.mkv", "a.mp4", "a.mov", "a.webm"):
        assert encoders.find(film_of(name, "gray")) is None
    assert not said
    for name in ("f.mov", "f.mkv", "f.webm"):
        assert encoders.find(film_of(name, "cut")) is None
    assert HardwareEncoders(Hardware.NONE, said.append, Cards()).find(film_of()) is None


def test_a_film_that_no_card_decodes_is_decoded_on_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_video(tmp_path / "clip.mp4", [room()] * 2)
    said: list[str] = []

    def no_cuda(**_: object) -> None:
        raise NotImplementedError("no such device")

    monkeypatch.setattr(hardware, "HWAccel", no_cuda)
    assert find_decoder(Hardware.AUTO, clip, said.append) is None
    assert find_decoder(Hardware.VAAPI, clip, said.append) is None
    assert not said
    assert find_decoder(Hardware.NVIDIA, clip, said.append) is None
    assert said == ["clip.mp4 is decoded on the processor instead: no NVIDIA card here takes it. Run: nvidia-smi"]
    assert find_decoder(Hardware.NVIDIA, tmp_path, said.append) is None
    assert len(said) == 1, "a folder of pictures is nothing that a card decodes"
