"""Runs in the guest: `play.py SCENARIO FOOTAGE SHARE` plays a scenario and writes SHARE/result.json."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1])]
os.environ["PYTHONPATH"] = str(_HERE.parents[1])  # the daemon is of this checkout too, wherever camdaemon is installed


def main(name: str, footage: str, share: str) -> int:
    """Play the scenario; return 0 if it passed or does not apply, 1 if it failed."""
    from inside import module
    from inside.bench import Bench, NotApplicableError

    scenario = importlib.import_module(f"scenarios.{name.replace('-', '_')}")
    bench = Bench(Path(footage), Path(share))
    outcome, reason, start = "ok", "", time.monotonic()
    try:
        try:
            if getattr(scenario, "LOADED", True):
                module.load()
            scenario.play(bench)
        finally:
            bench.close()
    except NotApplicableError as exc:
        outcome, reason = "n.a.", str(exc)
    except Exception as exc:
        traceback.print_exc()
        outcome, reason = "FAIL", " ".join(str(exc).split()) or repr(exc)
    result = {
        "outcome": outcome,
        "reason": reason,
        "seconds": round(time.monotonic() - start, 1),
        "figures": bench.figures,
    }
    Path(share, "result.json").write_text(json.dumps(result, indent=1))
    return int(outcome == "FAIL")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
