"""The unit as systemd reads it, and install, remove and status against a systemctl that only writes down its calls."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from camdaemon.cli.system import service as app
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.desktop import DESKTOP
from camdaemon.system import launcher, service

ROOT = Path(__file__).parents[2]
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  "--user $BROKEN"*) echo "Job for camdaemon.service failed." >&2; exit 1 ;;
  "--user show --property=Version") [ -z "$NO_BUS" ] || exit 1 ;;
  "--user show camdaemon.service"*)
    printf 'ActiveState=active\\nSubState=running\\nUnitFileState=enabled\\nNRestarts=2\\n'
    printf 'StateChangeTimestamp=Fri 2026-11-20 09:00:00 UTC\\nStatusText=matte = 30 fps\\n' ;;
esac
"""


class Systemd:
    """The fake systemctl on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._calls, self._set = folder / "calls", monkeypatch.setenv
        folder.mkdir()
        (folder / "systemctl").write_text(SYSTEMCTL)
        (folder / "systemctl").chmod(0o755)
        self._set("CALLS", str(self._calls))
        self._set("PATH", f"{folder}:/usr/bin:/bin")
        self._set("BROKEN", "nothing")

    def has_no_bus(self) -> None:
        self._set("NO_BUS", "1")

    def fails_at(self, command: str) -> None:
        self._set("BROKEN", command)

    def told(self) -> list[str]:
        """What it was told since the last call, without the questions."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        assert all(line.startswith("--user ") for line in lines)
        commands = [line.removeprefix("--user ") for line in lines]
        return [command for command in commands if not command.startswith("show ")]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    return Systemd(tmp_path / "bin", monkeypatch)


@pytest.fixture(autouse=True)
def executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is a camdaemon called by its path."""
    path = tmp_path / "venv" / "bin" / "camdaemon"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "service", "install"])
    return path


@pytest.fixture
def unit(own_folders: None) -> Path:
    """Where it is installed; nothing is there yet."""
    return Path(os.environ["XDG_CONFIG_HOME"]) / "systemd" / "user" / "camdaemon.service"


def directives(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    setattr(parser, "optionxform", str)  # noqa: B010
    parser.read_string(text)
    return {name: dict(section) for name, section in parser.items()}


def test_what_the_unit_promises(executable):
    text = service.make_unit()
    unit, run, install = (directives(text)[name] for name in ("Unit", "Service", "Install"))
    assert (run["Type"], run["NotifyAccess"]) == ("notify", "main")
    assert run["ExecStart"] == f"{executable} run"
    assert run["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert (run["Restart"], run["RestartPreventExitStatus"]) == ("on-failure", str(ConfigError.exit_code))
    assert float(run["RestartSec"]) < float(run["RestartMaxDelaySec"])
    assert unit["StartLimitIntervalSec"] == "0", "a camera may be plugged in tomorrow"
    assert 10 <= float(run["WatchdogSec"]) <= 60
    assert float(run["TimeoutStopSec"]) >= 10
    assert install == {"WantedBy": "default.target"}
    assert not {"PartOf", "Requires", "BindsTo", "Requisite"} & set(unit), "it must work without a desktop"


def test_the_unit_asks_for_nothing_that_a_user_manager_cannot_give():
    run = directives(service.make_unit())["Service"]
    assert run["NoNewPrivileges"] == "yes"
    assert run["RestrictAddressFamilies"].split() == ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"]
    assert (run["UMask"], run["LimitCORE"]) == ("0077", "1")
    assert 4 <= float(run["MemoryMax"].removesuffix("G")) <= 8, "far above the 2.2 GB of 3840x2160"
    namespaces = re.compile(r"^(Private|Protect|ReadOnly|Inaccessible|Bind|Temporary|Root)")
    needs_root = {"DeviceAllow", "DevicePolicy", "CapabilityBoundingSet", "User", "Group", "MemoryDenyWriteExecute"}
    assert not [name for name in run if namespaces.match(name) or name in needs_root]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (package systemd)"
)
@pytest.mark.parametrize("name", ["camdaemon", "a b%c$d;é/camdaemon"])
def test_systemd_finds_no_fault_with_it(name, tmp_path, monkeypatch, executable):
    called = executable.parent / name
    called.parent.mkdir(exist_ok=True)
    executable.rename(called)
    monkeypatch.setattr(sys, "argv", [str(called)])
    file, runtime = tmp_path / "camdaemon.service", tmp_path / "run"
    runtime.mkdir(0o700)
    environment = os.environ | {"XDG_RUNTIME_DIR": str(runtime)}

    def verify(text: str) -> list[str]:
        """Complaints, but for the two settings that systemd knows since version 254."""
        file.write_text(text)
        command = ["systemd-analyze", "--user", "verify", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=environment)
        return [line for line in done.stderr.splitlines() if not re.search("RestartSteps|RestartMaxDelaySec", line)]

    assert verify(service.make_unit()) == []
    assert verify(service.make_unit().replace("NotifyAccess=", "NotifyAcces=")), "the test of the test"
    called.unlink()
    assert verify(service.make_unit().replace("python", "pythin")), "it looks whether the executable is there"


def test_the_sample_is_the_template_and_names_pipx_s_place():
    sample = (ROOT / "systemd" / "camdaemon.service").read_text()
    assert directives(sample)["Service"]["ExecStart"] == "%h/.local/bin/camdaemon run"
    assert set(service.make_unit().splitlines()) - set(sample.splitlines()) == {
        "# Written by: camdaemon service install",
        f"ExecStart={sys.argv[0]} run",
    }


def test_a_link_stays_a_link_and_a_module_is_called_as_one(executable, tmp_path, monkeypatch):
    link = tmp_path / "camdaemon"
    link.symlink_to(executable)
    monkeypatch.setattr(sys, "argv", [str(link)])
    assert service.own_command() == [str(link)], "pipx puts another camdaemon behind it at each upgrade"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["camdaemon"])
    assert service.own_command() == [str(link)]
    monkeypatch.setattr(sys, "argv", [str(ROOT / "camdaemon" / "__main__.py")])
    assert service.own_command() == [sys.executable, "-m", "camdaemon"]
    assert f"ExecStart={sys.executable} -m camdaemon run" in service.make_unit()


def test_a_path_that_no_unit_can_name_is_explained(monkeypatch, unit):
    monkeypatch.setattr(sys, "executable", "/it's/python")
    monkeypatch.setattr(sys, "argv", ["__main__.py"])
    with pytest.raises(ConfigError, match=r"quotes.*/it's/python.*Move"):
        service.install()
    assert not unit.exists()


def test_the_whole_life_of_an_installation(systemd, unit, capsys):
    service.install()
    assert unit.read_text() == service.make_unit()
    assert systemd.told() == ["daemon-reload", "enable --now camdaemon.service"]
    assert f"{unit}:\n\n{service.make_unit()}" in capsys.readouterr().out
    service.status()
    shown = capsys.readouterr().out
    assert re.search(rf"^installed +{re.escape(str(unit))}$", shown, re.MULTILINE)
    for line in (
        r"enabled +enabled",
        r"running +active \(running\).*Fri 2026-11-20",
        r".*matte = 30 fps",
        r"restarts +2\b",
    ):
        assert re.search(f"^{line}", shown, re.MULTILINE)
    assert "journalctl --user -u camdaemon" in shown
    service.remove()
    assert systemd.told() == ["disable --now camdaemon.service", "daemon-reload", "reset-failed camdaemon.service"]
    assert not unit.parent.exists()
    capsys.readouterr()
    service.remove()
    assert "nothing to remove" in capsys.readouterr().out
    assert systemd.told() == []


def test_no_start_only_writes(systemd, unit, capsys):
    service.install(start=False)
    assert systemd.told() == ["daemon-reload"]
    assert capsys.readouterr().out.endswith("systemctl --user enable --now camdaemon\n")


@pytest.mark.parametrize("command", ["install", "remove"])
def test_a_dry_run_prints_everything_and_does_nothing(systemd, unit, capsys, command):
    if command == "remove":
        service.install()
        systemd.told()
        capsys.readouterr()
    before = sorted(unit.parent.parent.parent.rglob("*"))
    getattr(service, command)(dry_run=True)
    assert systemd.told() == []
    assert sorted(unit.parent.parent.parent.rglob("*")) == before
    shown = capsys.readouterr().out
    assert str(unit) in shown
    assert "systemctl --user daemon-reload" in shown
    expected = "enable --now" if command == "install" else "disable --now"
    assert f"systemctl --user {expected} camdaemon.service" in shown
    assert command == "remove" or service.make_unit() in shown


def test_an_upgrade_renews_the_unit_and_does_not_interrupt_a_call(systemd, unit, capsys):
    service.install()
    capsys.readouterr()
    unit.write_text(unit.read_text().replace("WatchdogSec=20", "WatchdogSec=99"))
    service.status()
    assert service.OUTDATED in capsys.readouterr().out
    systemd.told()
    service.install()
    assert unit.read_text() == service.make_unit()
    assert not [command for command in systemd.told() if "restart" in command]
    assert capsys.readouterr().out.endswith("systemctl --user restart camdaemon\n")
    service.status()
    assert service.OUTDATED not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["file", "mask"])
def test_what_others_wrote_is_left_alone(systemd, unit, capsys, kind):
    unit.parent.mkdir(parents=True)
    if kind == "file":
        unit.write_text("[Service]\nExecStart=/opt/mine\n")
    else:
        unit.symlink_to("/dev/null")
    for command in (service.install, service.remove):
        run = f"run: camdaemon service {command.__name__} --force$"
        with pytest.raises(ConfigError, match=f"{re.escape(str(unit))}.*not written.*{run}"):
            command()
    assert systemd.told() == []
    assert os.path.lexists(unit)
    service.status()
    assert re.search(f"{re.escape(str(unit))}.*not written", capsys.readouterr().out)
    service.install(force=True)
    assert unit.read_text() == service.make_unit()
    assert not unit.is_symlink()
    unit.write_text("[Service]\n")
    service.remove(force=True)
    assert not os.path.lexists(unit)


@pytest.fixture(params=["no systemctl", "no bus"])
def without_systemd(request, systemd, tmp_path, monkeypatch) -> Iterator[None]:
    if request.param == "no bus":
        systemd.has_no_bus()
    else:
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    yield
    assert systemd.told() == []


def test_without_systemd_the_file_is_written_and_the_commands_are_said(without_systemd, unit, capsys):
    service.install()
    assert unit.read_text() == service.make_unit()
    shown = capsys.readouterr().out
    assert "systemctl --user daemon-reload\n  systemctl --user enable --now camdaemon.service" in shown
    service.status()
    assert "unknown" in capsys.readouterr().out
    link = unit.parent / "default.target.wants" / unit.name
    link.parent.mkdir()
    link.symlink_to(unit)
    service.remove()
    assert not os.path.lexists(unit)
    assert not os.path.lexists(link)
    assert "systemctl --user stop camdaemon.service" in capsys.readouterr().out


def test_what_fails_says_where_to_look(systemd, unit, monkeypatch):
    systemd.fails_at("enable")
    with pytest.raises(
        CamdaemonError,
        match=r"enable --now.*Job for camdaemon.service failed.*\nRun: journalctl --user -u camdaemon -e$",
    ):
        service.install()
    assert unit.is_file()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(unit))  # a file where a folder should be
    with pytest.raises(ConfigError, match="ls -ld"):
        service.install()


def test_one_switch_decides_when_it_starts_by_itself(systemd, unit, capsys):
    service.install(start=False)
    systemd.told()
    entry = launcher.autostart_path()
    for when, told, is_there in (
        ("desktop", "disable camdaemon.service", True),
        ("on", "enable camdaemon.service", False),
        ("off", "disable camdaemon.service", False),
    ):
        service.set_autostart(when)
        assert (systemd.told(), entry.exists()) == ([told], is_there)
    service.set_autostart("desktop")
    capsys.readouterr()
    service.status()
    assert f"with the desktop: {entry}" in capsys.readouterr().out


def test_off_holds_also_where_systemd_does_not_answer_now(systemd, unit):
    service.install(start=False)
    link = unit.parent / "default.target.wants" / unit.name
    link.parent.mkdir()
    link.symlink_to(unit)
    systemd.has_no_bus()
    service.set_autostart("off")
    assert not os.path.lexists(link)


def test_a_start_by_hand_tells_systemd_of_the_desktop(systemd, monkeypatch):
    for name in DESKTOP:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-1")
    service.start()
    assert systemd.told() == ["import-environment WAYLAND_DISPLAY", "start camdaemon.service"]
    monkeypatch.setenv("SSH_CONNECTION", "1.2.3.4 5 6.7.8.9 22")
    service.start()
    assert systemd.told() == ["start camdaemon.service"], "that is another machine's desktop"
    systemd.fails_at("start")
    with pytest.raises(CamdaemonError, match="Job for camdaemon"):
        service.start()


def test_the_command_line_hands_its_options_on(systemd, unit):
    runner = CliRunner()
    assert runner.invoke(app, ["install", "--no-start", "--dry-run"]).exit_code == 0
    assert not unit.exists()
    assert runner.invoke(app, ["install", "--no-start"]).exit_code == 0
    assert systemd.told() == ["daemon-reload"]
    assert runner.invoke(app, ["autostart", "on"]).exit_code == 0
    assert runner.invoke(app, ["autostart", "sometimes"]).exit_code == 2
    assert systemd.told() == ["enable camdaemon.service"]
    unit.write_text("mine")
    refused = runner.invoke(app, ["remove"]).exception
    assert isinstance(refused, CamdaemonError)
    assert refused.exit_code == 2
    assert runner.invoke(app, ["remove", "--force", "--dry-run"]).exit_code == 0
    assert unit.exists()
    assert runner.invoke(app, ["remove", "--force"]).exit_code == 0
    assert "installed  no" in runner.invoke(app, ["status"]).stdout
