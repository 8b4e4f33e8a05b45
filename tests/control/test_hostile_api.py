"""Whatever comes in at the socket: a sentence as JSON goes out, nothing breaks, nothing grows, nobody else gets in."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import pwd
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camdaemon.control.api import make_app
from camdaemon.control.commands import Commands
from camdaemon.control.http import MOST_BYTES
from camdaemon.control.server import ApiServer
from camdaemon.errors import ConfigError
from tests.fakes import Rig
from tests.hostile import few

# Everything that JSON can spell, lone surrogates and NaN among it.
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from([10**400, -(10**4000), "\0"])
ANY = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))

API = make_app(Mock(Commands)).openapi()
POSTS = {path: ways["post"] for path, ways in API["paths"].items() if "post" in ways}


def right(schema: dict[str, Any]) -> st.SearchStrategy[object]:
    """Values that the API's own description allows."""
    if "anyOf" in schema:
        return st.one_of([right(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=20)
        case _:
            return st.none()


def bodies(path: str) -> st.SearchStrategy[object]:
    """Right ones, nearly right ones and nonsense."""
    if "requestBody" not in POSTS[path]:
        return ANY
    name = POSTS[path]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = API["components"]["schemas"][name]["properties"]
    nearly = {field: right(schema) | ANY for field, schema in fields.items()}
    whole = st.fixed_dictionaries({field: right(schema) for field, schema in fields.items()})
    return whole | st.fixed_dictionaries({}, optional=nearly | {"extra": ANY}) | st.dictionaries(TEXT, ANY) | ANY


@pytest.fixture
def http(served: Any, caplog: pytest.LogCaptureFixture) -> Iterator[httpx.Client]:
    """A client of a server that must be in order when the test is over."""
    with _client(served.path) as client:
        yield client
        assert client.get("/status").status_code == 200
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


def _client(path: Path) -> httpx.Client:
    wire = httpx.HTTPTransport(uds=str(path), verify=False, trust_env=False)
    return httpx.Client(transport=wire, base_url="http://camdaemon", timeout=20, trust_env=False)


def sensible(code: int, text: bytes) -> None:
    """One sentence as JSON, and not "camdaemon is broken"."""
    assert code in (200, *range(400, 500)), (code, text)
    answer = json.loads(text)
    kind = "message" if code == 200 else "error"
    assert list(answer) == [kind], answer
    assert isinstance(answer[kind], str)
    assert answer[kind]


def exchange(path: Path, *parts: bytes) -> bytes:
    """Send `parts`, say that no more will come, and read until the server hangs up."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(path))
        try:
            for part in parts:
                wire.sendall(part)
            wire.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: wire.recv(65536), b""))
        except (BrokenPipeError, ConnectionResetError):
            return b""


def parsed(wire: Any, method: str = "POST") -> tuple[int, bytes]:
    """Code and body of the answer that comes on `wire`, a socket."""
    with HTTPResponse(wire, method=method) as response:
        response.begin()
        return response.status, response.read()


class Heard:
    """A socket's answer that is here already."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._answer)


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST %s HTTP/1.1" % path.encode(), b"Host: x", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


@given(st.sampled_from(sorted(POSTS)).flatmap(lambda path: st.tuples(st.just(path), bodies(path))))
@settings(few, max_examples=250)
def test_any_json_gets_a_sentence(http: httpx.Client, asked: tuple[str, object]) -> None:
    path, body = asked
    answer = http.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    sensible(answer.status_code, answer.content)


@given(st.sampled_from(sorted(POSTS)), st.binary(max_size=60), st.sampled_from(["application/json", "a/b", "", ";"]))
@few
def test_any_bytes_get_a_sentence(http: httpx.Client, path: str, body: bytes, kind: str) -> None:
    answer = http.post(path, content=body, headers={"Content-Type": kind})
    sensible(answer.status_code, answer.content)


TARGET = st.text("abc/%?#.:@[]{}|\\^~-_=&;,+*'\"0fF", max_size=12).map(lambda text: "/" + text)
KNOWN = st.sampled_from(sorted(API["paths"])).flatmap(
    lambda path: st.sampled_from([path + "/", "/" + path, path + "%00"])
)


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "POST", "FOO", "get", "PRI"]),
    TARGET | KNOWN,
    st.sampled_from(["x", "", "[", "]:/", "a b", "x:99999999", "\xff", "127.0.0.1:1@evil"]),
)
@few
def test_any_address_gets_a_sentence(http: httpx.Client, served: Any, method: str, target: str, host: str) -> None:
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
    code, text = parsed(Heard(exchange(served.path, head)), method)
    if text.startswith(b"Invalid HTTP request"):  # not even HTTP: the server's own words
        assert code == 400
    elif method == "HEAD" or code == 307:  # an answer without words; 307: without the slash it is one of ours
        assert code in (307, *range(400, 500))
        assert text == b""
    else:
        sensible(code, text)


@given(st.binary(max_size=200), st.integers(0, 2))
@few
def test_garbage_behind_good_requests_is_refused(http: httpx.Client, served: Any, junk: bytes, good: int) -> None:
    ask = b"GET /scenes HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = exchange(served.path, ask * good, b"\0" + junk + b"\r\n\r\n")
    heads = answer.split(b"HTTP/1.1 ")[1:]
    assert [head[:3] for head in heads] == [b"200"] * good + [b"400"]


@pytest.mark.parametrize("depth", [900, 1000, 30_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"spec":', "}"), ("[", "")])
def test_deep_nesting_gets_a_sentence(http: httpx.Client, depth: int, brackets: tuple[str, str]) -> None:
    text = (brackets[0] * depth + "1" + brackets[1] * depth)[:MOST_BYTES]
    answer = http.post("/backdrop", content=text, headers={"Content-Type": "application/json"})
    sensible(answer.status_code, answer.content)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "1" * 4000, "1" * 5000, "-0.0e-999", "0x10", "1_0"])
@pytest.mark.parametrize(("path", "field"), [("/plate", "countdown"), ("/adjust", "blur"), ("/backdrop", "spec")])
def test_strange_numbers_get_a_sentence(http: httpx.Client, path: str, field: str, number: str) -> None:
    content = f'{{"{field}": {number}}}'
    answer = http.post(path, content=content, headers={"Content-Type": "application/json"})
    sensible(answer.status_code, answer.content)


@pytest.mark.parametrize("spec", ["a\0b", "\\ud800", "\\udfff.png", "\\u0000", "\u202e", "\n" * 40])
def test_strange_letters_reach_the_daemon_or_are_refused(http: httpx.Client, served: Any, spec: str) -> None:
    raw = json.dumps({"spec": spec}).replace("\\\\", "\\")
    answer = http.post("/backdrop", content=raw, headers={"Content-Type": "application/json"})
    sensible(answer.status_code, answer.content)
    assert len([asked for asked in served.verbs.asked if asked[0] == "backdrop"]) == (answer.status_code == 200)


def test_a_body_that_breaks_off_does_nothing(http: httpx.Client, served: Any) -> None:
    for path in sorted(POSTS):
        whole = post(path, b'{"mode": "card", "spec": "plate", "name": "x", "countdown": 0}')
        exchange(served.path, whole.replace(b"Content-Length: ", b"Content-Length: 9")[:-4])
    http.get("/status")
    with_a_body = {path.strip("/") for path in POSTS if "requestBody" in POSTS[path]}
    assert not with_a_body & {str(asked[0]) for asked in served.verbs.asked}


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("way", ["announced", "chunked"])
@pytest.mark.parametrize("path", ["/backdrop", "/mirror", "/stop", "/nothing"])
def test_a_huge_body_is_not_kept(http: httpx.Client, served: Any, path: str, way: str) -> None:
    length, piece = 100 << 20, bytes(1 << 20)
    before, most = resident(), 0
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(served.path))
        kind = b"Content-Length: %d" % length if way == "announced" else b"Transfer-Encoding: chunked"
        wire.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (path.encode(), kind))
        for _ in range(length // len(piece)):
            wire.sendall(piece if way == "announced" else b"100000\r\n" + piece + b"\r\n")
            most = max(most, resident() - before)
        if way == "chunked":
            wire.sendall(b"0\r\n\r\n")
        code, text = parsed(wire)
    assert most < 32 << 20, "the body was read into memory"
    sensible(code, text)
    assert code == {"/stop": 200, "/nothing": 404}.get(path, 413)
    if code == 413:
        assert "64 kB" in json.loads(text)["error"]
        assert served.verbs.asked == []


def test_the_largest_body_that_may_be(http: httpx.Client, served: Any) -> None:
    text = json.dumps({"spec": "x"})
    for length, code in ((MOST_BYTES, 200), (MOST_BYTES + 1, 413)):
        padded = text + " " * (length - len(text))
        answer = http.post("/backdrop", content=padded, headers={"Content-Type": "application/json"})
        sensible(answer.status_code, answer.content)
        assert answer.status_code == code


def test_events_with_a_huge_body_go_on_or_end_quietly(http: httpx.Client, served: Any) -> None:
    head = b"GET /events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (1 << 20)
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(served.path))
        wire.sendall(head)
        assert wire.recv(100).startswith(b"HTTP/1.1 200")
        wire.sendall(bytes(1 << 20))


def connecting_as(user: str, path: Path) -> int:
    """What `user` gets who connects to `path`: 0, or the errno."""
    found = pwd.getpwnam(user)

    def become_and_connect() -> None:
        os.setgroups([])
        os.setgid(found.pw_gid)
        os.setuid(found.pw_uid)
        with socket.socket(socket.AF_UNIX) as wire:
            os._exit(wire.connect_ex(str(path)))

    # In the child before `true` is looked for: that user may be unable to run the Python of this test.
    return subprocess.run(["true"], preexec_fn=become_and_connect, timeout=20, check=False).returncode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_other_users_of_the_machine_get_nothing(served: Any) -> None:
    """Also when only the socket's own rights are left: its folder opened by mistake, in a place that all may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, socket.socket(socket.AF_UNIX) as open_to_all:
        public = Path(name)
        public.chmod(0o755)
        open_to_all.bind(str(public / "all.sock"))
        (public / "all.sock").chmod(0o666)
        open_to_all.listen()
        assert connecting_as("nobody", public / "all.sock") == 0, "the test of the test"
        server = ApiServer(served.verbs, public / "run" / "c.sock")
        server.start()
        try:
            for mode in (0o700, 0o711):
                (public / "run").chmod(mode)
                assert connecting_as("nobody", public / "run" / "c.sock") == errno.EACCES
                assert connecting_as("root", public / "run" / "c.sock") == 0
        finally:
            server.stop()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[tuple[Rig, Commands]]:
    rig = Rig()
    folder = tmp_path / "backdrops"
    folder.mkdir()
    rig.config = rig.config.model_copy(update={"backdrops": str(folder)})
    yield rig, Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.state.scene.backdrop.close()


PASSWORDS = [
    "/etc/passwd",
    "file:///etc/passwd",
    "concat:/etc/passwd",
    "/etc/../etc/passwd",
    "http://127.0.0.1:9/x.png",
]
STRANGE = ["/dev/zero", "/dev/stdin", "/dev/tty", "/", ".", "..", "~", "~nobody/x.png", "~no-such-user/x.png", "a\0b"]
STRANGE += ["color:#zz0000", "color:", "blur:nan", "blur:1e9", "plate:x", "x" * 5000, "\n", "-", "pipe:0", "data:,x"]


@pytest.mark.parametrize("spec", [*PASSWORDS, *STRANGE, "FIFO", "FIFO.mp4", "FOLDER.png", "LIST.mp4"])
def test_a_spec_that_is_no_picture_is_refused_at_once(real: tuple[Rig, Commands], tmp_path: Path, spec: str) -> None:
    rig, commands = real
    if spec.startswith("FIFO"):
        os.mkfifo(tmp_path / spec)
        spec = str(tmp_path / spec)
    elif spec == "FOLDER.png":
        (tmp_path / spec).mkdir()
        spec = str(tmp_path / spec)
    elif spec == "LIST.mp4":
        (tmp_path / spec).write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
        spec = str(tmp_path / spec)
    before = rig.state.scene
    with ThreadPoolExecutor(1) as pool:
        wrong = pool.submit(commands.backdrop, spec).exception(timeout=60)
    assert isinstance(wrong, ConfigError)
    assert rig.state.scene is before


@given(TEXT | st.text("/.~:#\\0abcolrpatebu", max_size=12))
@few
def test_the_real_commands_behind_the_api_take_any_text(real: tuple[Rig, Commands], spec: str) -> None:
    _, commands = real
    for ask in (commands.backdrop, commands.scene, commands.mode):
        with suppress(ConfigError):
            assert ask(spec)


def test_a_folder_with_strange_names_can_still_be_listed(real: tuple[Rig, Commands], tmp_path: Path) -> None:
    _, commands = real
    for name in (b"good.png", b"no\xffutf8.png", b"line\nbreak.png"):
        (commands.gallery.folder / os.fsdecode(name)).write_bytes(b"")
    server = ApiServer(commands, tmp_path / "run" / "c.sock")
    server.start()
    try:
        with _client(tmp_path / "run" / "c.sock") as http:
            answer = http.get("/backdrops")
    finally:
        server.stop()
    assert answer.status_code == 200
    assert {"good.png", "line\nbreak.png"} <= {file["name"] for file in answer.json()}


def test_asking_from_many_sides_at_once(http: httpx.Client, served: Any) -> None:
    start = threading.Barrier(8)

    def ask(n: int) -> list[int]:
        with _client(served.path) as mine:
            start.wait(60)
            return [mine.post("/mode", json={"mode": "card" if n % 2 else n}).status_code for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [[200 if n % 2 else 422] * 10 for n in range(8)]
