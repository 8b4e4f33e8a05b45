"""`camdaemon setup` on machines that are folders: what it plans, what it does, and that a second time is nothing."""

from __future__ import annotations

import re
import subprocess

import pytest

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.system.setup import files
from camdaemon.system.setup.perform import UNCHANGED
from camdaemon.system.setup.plan import plan_setup
from camdaemon.system.setup.steps import ALWAYS, Wanted, to_shell
from tests.present import present
from tests.system.fake_machine import FEDORA, SECURE_BOOT
from tests.system.fake_pipewire import FakePipeWire
from tests.system.setup.acting import OPTIONS, again_is_nothing, commands, run


def test_a_fresh_debian_says_what_to_install_and_does_nothing(fake, capsys):
    with pytest.raises(
        CamdaemonError, match=r"(?s)module.*installed.*run: camdaemon setup\n.*Run: camdaemon setup --install$"
    ):
        run(fake)
    shown = capsys.readouterr().out
    assert "sudo apt install v4l2loopback-dkms v4l2loopback-utils linux-headers-6.1.0-18-amd64" in shown
    assert fake.done == []


def test_install_does_all_of_it_and_a_second_time_is_nothing(fake, capsys):
    run(fake, install=True)
    assert [line.split()[0] for line in fake.done] == ["apt", "tee", "tee", "tee", "udevadm", "usermod", "modprobe"]
    assert fake.text("/etc/modprobe.d/camdaemon.conf") == f"# Written by: camdaemon setup\n{OPTIONS}\n"
    assert fake.text("/etc/modules-load.d/camdaemon.conf") == "# Written by: camdaemon setup\nv4l2loopback\n"
    rules = fake.text("/etc/udev/rules.d/83-camdaemon.rules")
    assert 'KERNEL=="v4l2loopback", GROUP="video", MODE="0660"' in rules
    assert 'KERNEL=="video10"' in rules
    assert "video:x:44:bob,alice" in fake.text("/etc/group")
    assert re.search(rf"Done.*/dev/video10 \(camdaemon\).*{ALWAYS}.*\n.*: camdaemon run\n\Z", capsys.readouterr().out)
    again_is_nothing(fake)
    assert re.match(r"Nothing to do\b.*/dev/video10 \(camdaemon\)", capsys.readouterr().out)


def test_a_dry_run_shows_every_step_and_does_none(fake, capsys):
    fake.build()
    before = sorted(fake.root.rglob("*"))
    run(fake, dry_run=True)
    shown = capsys.readouterr().out
    assert fake.done == []
    assert sorted(fake.root.rglob("*")) == before
    for words in (OPTIONS, 'KERNEL=="v4l2loopback"', "sudo usermod -aG video alice", "sudo modprobe v4l2loopback "):
        assert words in shown
    assert "apt" not in shown
    assert shown.endswith(f"{UNCHANGED}\n")


@pytest.mark.parametrize(("answer", "done"), [(True, True), (False, False)])
def test_it_asks_once_and_takes_no_for_an_answer(fake, capsys, answer, done):
    fake.build()
    asked = []
    run(fake, yes=False, agree=lambda question: asked.append(question) or answer)
    (question,) = asked
    assert question.endswith("? [y/N] ")
    assert bool(fake.done) is done
    assert (UNCHANGED in capsys.readouterr().out) is not done


def test_where_nobody_can_be_asked_nothing_is_done(fake, capsys):
    fake.build()
    fake.made(terminal=False)
    with pytest.raises(ConfigError, match=r"terminal.*run: camdaemon setup --label 'my cam' --yes$"):
        run(fake, Wanted(label="my cam"), yes=False)
    assert fake.done == []
    run(fake)
    assert fake.done[-1].startswith("modprobe v4l2loopback ")


def test_without_sudo_the_very_commands_are_printed_for_root(fake, tmp_path, capsys):
    fake.build()
    fake.drop("/usr/bin/sudo")
    with pytest.raises(CamdaemonError, match=r"root.*\bsu\b.*run: camdaemon setup$"):
        run(fake)
    assert fake.done == []
    lines = [line.strip() for line in capsys.readouterr().out.partition("root:\n")[2].splitlines() if line]
    assert any(line.startswith("usermod ") for line in lines)
    steps = [step for step in plan_setup(fake.machine, Wanted(label="é cam")).steps if step.file]
    for step in steps:  # what is typed writes what is shown
        file = tmp_path / "typed"
        subprocess.run(["sh", "-c", to_shell(step).replace(present(step.file), str(file))], check=True, timeout=60)
        assert file.read_text() == step.text
    assert len(steps) == 3


def test_root_needs_no_sudo_and_no_group(fake):
    fake.build()
    fake.made(uid=0, user="root")
    run(fake)  # the fake refuses a sudo
    assert not [line for line in fake.done if line.startswith("usermod")]


def test_with_sudo_typed_before_it_the_person_gets_the_group(fake):
    fake.build()
    fake.made(uid=0, user="alice")
    run(fake)
    assert "usermod -aG video alice" in fake.done


@pytest.mark.parametrize("why", ["member", "later", "seat", "desktop", "no such group"])
def test_the_group_is_for_those_who_need_it(fake, why):
    fake.build()
    match why:
        case "member":
            fake.made(groups={"video"})
        case "later":
            fake.put("/etc/group", "video:x:44:bob,alice\n")
        case "seat":
            fake.camera()
            fake.seat("/dev/video0")
        case "desktop":
            fake.put("/usr/lib/udev/rules.d/70-uaccess.rules")
            fake.environ["WAYLAND_DISPLAY"] = "wayland-0"
        case "no such group":
            fake.put("/etc/group", "root:x:0:\n")
    assert not [line for line in commands(fake) if line.startswith("usermod")]


def test_a_seat_of_somebody_else_is_not_ours(fake):
    fake.build()
    fake.camera()
    fake.put("/usr/lib/udev/rules.d/70-uaccess.rules")
    fake.environ["WAYLAND_DISPLAY"] = "wayland-0"  # but the node says that it is not hers
    assert "usermod -aG video alice" in commands(fake)


def test_a_file_of_somebody_else_is_left_alone_unless_it_says_the_same(fake):
    fake.build()
    fake.put(files.OPTIONS, "options v4l2loopback video_nr=10 exclusive_caps=0\n")
    with pytest.raises(ConfigError, match=r"not written.*run: sudo rm /etc/modprobe.d/camdaemon.conf\b"):
        run(fake)
    assert fake.done == []
    fake.put(files.OPTIONS, f"# copied from the manual\n\n{OPTIONS}\n")
    run(fake)
    assert fake.text(files.OPTIONS).startswith("# copied")
    again_is_nothing(fake)


def test_options_of_another_program_are_joined_by_the_person(fake, capsys):
    fake.build()
    fake.put("/usr/lib/modprobe.d/obs.conf", 'options v4l2loopback video_nr=3 card_label="OBS Cam" exclusive_caps=1\n')
    fake.put("/usr/lib/modprobe.d/x.conf", "options v4l2loopback video_nr=7\n")
    fake.put("/etc/modprobe.d/x.conf", "# hides its namesake\n")
    run(fake)
    joined = (
        'options v4l2loopback devices=2 video_nr=3,10 card_label="OBS Cam,camdaemon" exclusive_caps=1,1 max_buffers=4'
    )
    shown = capsys.readouterr().out
    assert f"/etc/modprobe.d/obs.conf:\n    {joined}" in shown
    assert "x.conf" not in shown
    assert re.search(r"Done.*/dev/video10\b", shown)
    assert ALWAYS not in shown, "no promise for after the restart"
    assert not fake.has(files.OPTIONS)
    fake.put("/etc/modprobe.d/obs.conf", joined.replace("exclusive_caps=1,1", "exclusive_caps=1,0"))
    run(fake)
    assert joined in capsys.readouterr().out, "each number once"
    fake.put("/etc/modprobe.d/obs.conf", f"{joined}\n")
    again_is_nothing(fake)
    assert re.match(rf"Nothing to do\b.*/dev/video10 \(camdaemon\).*{ALWAYS}", capsys.readouterr().out)


def test_a_module_for_an_older_kernel_is_built_for_this_one(fake):
    fake.build()
    fake.put("/usr/sbin/dkms")
    fake.kernel("6.1.0-20-amd64")
    step, rebuild, *_ = plan_setup(fake.machine, Wanted()).steps
    assert (step.by_hand, rebuild.by_hand) == (True, True)
    assert re.search(r"built.*6\.1\.0-18-amd64\b", step.why)
    assert step.command[-1] == "linux-headers-6.1.0-20-amd64"
    assert rebuild.command == ("dkms", "autoinstall")


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (FEDORA, "dnf install akmod-v4l2loopback"),
        ("ID=manjaro\nID_LIKE=arch\n", "pacman -S --needed v4l2loopback-dkms"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper install v4l2loopback-kmp-default"),
    ],
)
def test_each_distribution_has_its_own_command(fake, release, expected):
    fake.put("/etc/os-release", release)
    assert any(line.startswith(expected) for line in commands(fake))


def test_an_unknown_distribution_is_told_so(fake):
    fake.put("/etc/os-release", "ID=plan9\n")
    with pytest.raises(CamdaemonError, match=r"not installed.*v4l2loopback.*package manager.*run: camdaemon setup$"):
        run(fake)


def test_a_step_that_fails_ends_it_and_says_where_to_look(fake):
    fake.build()
    fake.broken = "modprobe"
    with pytest.raises(CamdaemonError, match=r"load the module.*code 1\b.*Run: camdaemon doctor\b.*: camdaemon setup$"):
        run(fake)
    fake.broken = ""
    fake.done.clear()
    run(fake)
    assert [line.split()[0] for line in fake.done] == ["modprobe"], "the rest was done"


def test_a_device_that_does_not_come_is_no_success(fake, monkeypatch):
    monkeypatch.setattr("camdaemon.system.setup.perform._UDEV_S", 0.0)
    monkeypatch.setattr(fake, "_modprobe", lambda options: 0)
    fake.build()
    with pytest.raises(CamdaemonError, match=r"/dev/video10\b.*not appear.*Run: camdaemon doctor$"):
        run(fake)


def test_who_may_not_use_it_yet_is_told(fake, capsys):
    fake.build()
    fake.forbidden.add("/dev/video10")
    run(fake)
    assert re.search("group video.*next login.*log out", capsys.readouterr().out)


@pytest.mark.parametrize(
    "wrong",
    [{"number": -1}, {"number": 256}, {"devices": 0}, {"label": "a,b"}, {"label": 'x"y'}, {"label": " "},
     {"label": "a\nb"}, {"label": "x" * 32}, {"label": "x" * 30, "devices": 2}],
)  # fmt: skip
def test_what_no_kernel_takes_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"\. Run: "):
        Wanted(**wrong)


# where PipeWire runs


@pytest.mark.parametrize("secure", [True, False])
def test_what_needs_no_root_is_said_first(fake, capsys, secure):
    FakePipeWire(fake)
    if secure:
        fake.put(SECURE_BOOT, "\6\0\0\0\1")
    with pytest.raises(CamdaemonError, match=r"module has to be installed first"):
        run(fake)
    first, command, second, *rest = capsys.readouterr().out.splitlines()
    assert re.search("PipeWire runs here.*Firefox on Fedora.*need none of this", first)
    assert command.strip() == "camdaemon run --sink pipewire"
    assert re.search("module is for Chrome, Zoom", second)
    assert rest[0].startswith("Secure Boot is on") is secure
    assert fake.done == []


def test_it_is_said_also_where_nobody_knows_how_to_install_the_module(fake, capsys):
    FakePipeWire(fake)
    fake.put("/etc/os-release", "ID=plan9\n")
    with pytest.raises(CamdaemonError, match="not installed"):
        run(fake)
    assert "camdaemon run --sink pipewire" in capsys.readouterr().out


def test_who_has_the_module_is_not_told(fake, capsys):
    FakePipeWire(fake)
    fake.build()
    run(fake)
    capsys.readouterr()
    again_is_nothing(fake)
    assert capsys.readouterr().out.startswith("Nothing to do")
