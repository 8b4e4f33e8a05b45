"""What viewers see of a room, as a bound: painted people in painted rooms, with the default weights."""

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

# Percent of the room: mean and worst picture; percent of the person: mean. A fault that is not listed has no bound yet.
BOUNDS = {"right plate": (1.0, 3.0, 2.0)}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[MattingScores]:
    people, plates = write_folders(tmp_path_factory.mktemp("painted"), SIZE)
    field = open_mattings(["bgmv2"], [True], Running("cpu", live=True, gated=False))
    cases = Composites(people, plates, SIZE, COUNT, 1)
    *_, found = score_composites_with_faults("painted", cases, field, lambda name, strip: None)
    for table in make_tables(found):
        Console(width=100).print(table)
    return found


def test_every_fault_was_measured(rows: list[MattingScores]) -> None:
    assert [row.fault for row in rows] == [*FAULTS, BROUGHT]
    assert all(len(row.values("leak")) == len(row.values("holes")) == COUNT for row in rows)


@pytest.mark.parametrize("fault", BOUNDS)
def test_little_of_the_room_leaks_and_the_person_is_whole(fault: str, rows: list[MattingScores]) -> None:
    mean, worst, hollow = BOUNDS[fault]
    (row,) = [row for row in rows if row.fault == fault]
    leaks = row.leaks()
    assert leaks["mean"] <= mean
    assert leaks["worst"] <= worst
    assert row.means()["holes"] <= hollow
