"""How much of a room viewers see, as a bound: painted people in painted rooms, with the weights that come along."""

import pytest
from rich.console import Console

from camdaemon.frames.frame import Size
from camdaemon.tools.evaluate.composites import Composites
from camdaemon.tools.evaluate.fault_scores import score_composites_with_faults
from camdaemon.tools.evaluate.faults import BROUGHT, FAULTS
from camdaemon.tools.evaluate.mattings import Running, open_mattings
from camdaemon.tools.evaluate.scores import MattingScores
from camdaemon.tools.evaluate.tables import make_tables
from tests.pattern.composites import write_folders

SIZE, COUNT = Size(480, 272), 4

# By weights and fault. Percent of the room: mean and worst picture; percent of the person: mean. The published weights
# believe their plate, so only the right one has a bound; with another room's they publish half of the room here. (The
# network has seen photographs alone; on those it is several times better, see docs/weights.md.)
BOUNDS = {
    ("published", "right plate"): (1.0, 3.0, 2.0),
    **{("slim", fault): (4.0, 12.0, 5.0) for fault in (*FAULTS, BROUGHT)},
    **{("slim", fault): (10.0, 35.0, 5.0) for fault in ("another room", "shifted by 40", "20 % larger")},
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[MattingScores]:
    people, plates = write_folders(tmp_path_factory.mktemp("painted"), SIZE)
    field = open_mattings(["bgmv2:published", "bgmv2:slim"], [True], Running("cpu", live=True, gated=False))
    cases = Composites(people, plates, SIZE, COUNT, 1)
    *_, found = score_composites_with_faults("painted", cases, field, lambda name, strip: None)
    for table in make_tables(found):
        Console(width=100).print(table)
    return found


def test_every_fault_was_measured(rows: list[MattingScores]) -> None:
    assert sorted({row.fault for row in rows}) == sorted([*FAULTS, BROUGHT])
    assert len(rows) == 2 * len([*FAULTS, BROUGHT])
    assert all(len(row.values("leak")) == len(row.values("holes")) == COUNT for row in rows)


@pytest.mark.parametrize(("weights", "fault"), BOUNDS)
def test_little_of_the_room_leaks_and_the_person_is_whole(weights: str, fault: str, rows: list[MattingScores]) -> None:
    mean, worst, hollow = BOUNDS[weights, fault]
    (row,) = [row for row in rows if row.fault == fault and weights in row.matting]
    leaks = row.leaks()
    assert leaks["mean"] <= mean
    assert leaks["worst"] <= worst
    assert row.means()["holes"] <= hollow
