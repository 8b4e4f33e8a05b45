"""The contact sheet: three columns, a row for each moment, each picture whole and in its place."""

import numpy as np
import pytest
import torch

from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.job import JobFrame
from camdaemon.output.null import NullSink
from camdaemon.tools import demo
from camdaemon.tools.demo import MomentJob, draw_contact_sheet
from tests.kinds import EITHER
from tests.present import present

WIDTH = 480
COLORS = ((200, 30, 30), (90, 90, 90), (30, 200, 30))


def moment(scale: float = 1.0, height: int = 72, width: int = 128):
    return tuple(np.full((height, width, 3), [int(c * scale) for c in rgb], np.uint8) for rgb in COLORS)


def centers(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(72, 128), (128, 72), (360, 640)])
def test_every_picture_is_whole_and_in_its_column(rows, height, width):
    found = draw_contact_sheet([moment(1 - 0.15 * i, height, width) for i in range(rows)], WIDTH)
    assert found.shape[1] == WIDTH
    assert found.dtype == np.uint8
    areas, columns = [], []
    for rgb in COLORS:
        places = []
        for i in range(rows):
            mask = np.abs(found.astype(int) - [int(c * (1 - 0.15 * i)) for c in rgb]).max(2) <= 1
            areas.append(mask.sum())
            places.append(centers(mask))
        assert [y for y, _ in places] == sorted(y for y, _ in places), "rows are in the order of time"
        columns.append(np.mean([x for _, x in places]))
    assert columns == sorted(columns), "camera, alpha, composite"
    assert columns[1] == pytest.approx(WIDTH / 2, abs=3)
    assert max(areas) - min(areas) <= 0.01 * max(areas)
    side = (WIDTH - 48) // 3
    assert areas[0] == pytest.approx(side * side * height / width, rel=0.02), "the shape of the pictures is kept"


def test_there_is_a_heading_above_each_column():
    head = draw_contact_sheet([moment()])[:40].astype(int)
    for i in range(3):
        part = head[:, i * 480 : (i + 1) * 480]
        assert (part.max(2) < 150).sum() > 60


def test_it_is_wide_enough_to_see_hair_in():
    assert draw_contact_sheet([moment()]).shape[1] == 1440


def look(**changes) -> JobFrame:
    src = torch.zeros(1, 3, 72, 128)
    src[:, 0] = 1.0
    parts = {"src": src, "alpha": torch.full((1, 1, 72, 128), 0.5), "finished": src.flip(1)} | changes
    return JobFrame(3, 1.0, **parts)


@pytest.mark.parametrize("missing", [{"alpha": None}, {"finished": None}, {"alpha": None, "finished": None}])
def test_the_job_waits_for_a_frame_with_a_matte(missing):
    assert MomentJob().feed(look(**missing)) is None


@EITHER
def test_the_job_copies_the_frame_as_pictures(of):
    plain = look()
    given = look(src=of(plain.src), alpha=of(plain.alpha), finished=of(plain.finished))
    found = present(MomentJob().feed(given))
    assert [each.shape for each in found] == [(72, 128, 3)] * 3
    assert [each.dtype for each in found] == [np.uint8] * 3
    given.src[:] = 0
    assert found[0][0, 0].tolist() == [255, 0, 0], "a copy, since the pictures are only borrowed"
    assert found[1][0, 0].tolist() == [128, 128, 128]
    assert found[2][0, 0].tolist() == [0, 0, 255]


def test_half_precision_and_values_out_of_range_do_not_wrap():
    over = torch.tensor([1.2, -0.1, 1.0]).half()[None, :, None, None].expand(1, 3, 72, 128)
    found = present(MomentJob().feed(look(src=over, finished=over)))
    assert found[0][0, 0].tolist() == [255, 0, 255]


def test_the_show_goes_on_during_the_job():
    assert MomentJob().card() is None


def test_a_window_shows_the_clip_in_real_time_and_waits_for_a_slow_machine(monkeypatch):
    now, shown = [100.0], []

    class Clock:
        @staticmethod
        def monotonic():
            return now[0]

        @staticmethod
        def sleep(seconds):
            now[0] += seconds

    class Window(NullSink):
        def write(self, frame):
            shown.append(round(now[0] - 100, 3))

    monkeypatch.setattr(demo, "time", Clock)
    sink = demo.RealTimeSink(Window(Size(64, 64)))
    for t, late in ((0.0, 0.0), (0.1, 0.0), (0.2, 0.5), (0.3, 0.0), (0.4, 0.0)):
        now[0] += late
        sink.write(HostFrame(np.zeros((96, 64), np.uint8), sink.fmt, sink.size, t=t))
    assert shown == [0.0, 0.1, 0.6, 0.7, 0.8]
    assert not sink.live
