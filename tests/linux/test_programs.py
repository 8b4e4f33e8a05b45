"""Running other programs."""

from __future__ import annotations

import re
import sys

from camdaemon.linux import programs
from camdaemon.linux.programs import CommandResult


def test_a_question_has_an_answer_whatever_happens(monkeypatch):
    assert programs.ask([sys.executable, "-c", "print('yes'); raise SystemExit(3)"]) == CommandResult(3, "yes\n", "")
    assert programs.ask(["/no/such/program"]).code == 127
    monkeypatch.setattr(programs, "_TIMEOUT_S", 0.05)
    late = programs.ask(["tail", "-f", "/dev/null"])
    assert (late.code, late.out) == (124, "")
    assert re.search(r"tail\b.*\b0\.05 s", late.err)


def test_an_act_gets_its_text_and_tells_its_end(tmp_path, capfd):
    file = tmp_path / "conf"
    assert programs.act(["tee", str(file)], "é\n") == 0
    assert file.read_text() == "é\n"
    assert capfd.readouterr().out == "", "what is written has been shown"
    assert programs.act([sys.executable, "-c", "raise SystemExit(5)"], None) == 5
    assert programs.act(["/no/such/program"], None) == 127
    assert "/no/such/program: No such file" in capfd.readouterr().err
