"""The paper's rows are as published; each setting is measured once; what cannot be measured is named."""

import re

from rich.console import Console

from camdaemon.frames.frame import Size
from tests.benchmarks import paper, report
from tests.benchmarks.settings import Settings


def test_the_papers_rows_are_the_papers():
    by_table = {table: [row for row in paper.ROWS if row.table == table] for table in (3, 7, 9, 10)}
    assert {table: len(rows) for table, rows in by_table.items()} == {3: 6, 7: 4, 9: 8, 10: 4}
    assert [row.fps for row in by_table[7]] == [62.9, 60.0, 55.7, 42.8]
    assert [row.setting.patches for row in by_table[7]] == [2500, 5000, 7500, None]
    same = {row.setting: row.fps for row in by_table[3]}
    assert all(same[row.setting] == row.fps for row in by_table[9] if row.gpu == "RTX 2080 Ti")
    assert sum(paper.needs_gpu(row.setting) for row in paper.ROWS) == 3


def test_a_row_of_the_paper_is_measured_once_and_needs_a_gpu_where_it_does(monkeypatch):
    tiny = Size(128, 64)
    monkeypatch.setitem(paper._SCALE, tiny, 0.25)
    setting = paper.Setting("mobilenetv2", tiny, 40)
    batch = setting._replace(batch=8, precision="float16")
    rows = (
        paper.Row(3, setting, 100.6, gmac=9.9),
        paper.Row(9, setting, 75.6, "RTX 2060 Super"),
        paper.Row(10, batch, 200),
    )
    found = paper.reproduce(
        Settings(frames=2, rounds=1, threads=1, device="cpu", engine="torch", precision="float32"), rows
    )
    first, second, third = found["paper"]
    assert first["baseline_fps"] == second["baseline_fps"] > 0
    assert first["camdaemon_fps"] > 0
    assert first["camdaemon_precision"] == "float32"
    assert (first["published_fps"], second["published_gpu"]) == (100.6, "RTX 2060 Super")
    assert third["note"] == "needs a GPU"
    assert "baseline_fps" not in third
    console = Console(width=80)
    with console.capture() as capture:
        for table in report.tables(found):
            console.print(table)
    assert "(9.9)" in capture.get()
    assert "…" not in capture.get()
    said = list(report.sentences(found))
    missed = re.compile(rf"not measured.*MobileNetV2 128x64\b.*\b40\b.*\b8 fp16\b.*{third['note']}$")
    assert any(missed.match(each) for each in said)
    assert not any("number format" in each for each in said)
