"""Whatever a page that was let in, or anybody else, sends: an answer of ours, and the panel goes on."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.control.panel.test_guard import ADDRESSES, POSTS, talk
from tests.hostile import few

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)
FIELDS = st.fixed_dictionaries({}, optional={name: ANY for name in ("mode", "turn", "spec", "name", "edge", "show")})


@pytest.fixture(autouse=True)
def _no_traceback(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


@given(st.sampled_from([path for path in POSTS if "?" not in path]), FIELDS | ANY)
@few
def test_any_json_is_answered(http: httpx.Client, path: str, body: object) -> None:
    answer = http.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422, 428, 403), answer.text


@given(
    st.sampled_from(["/view/", "/static/", "/backdrops/thumb?name=", "/open?token=", "/view/composite?after="]), TEXT
)
@few
def test_any_address_is_answered(http: httpx.Client, path: str, rest: str) -> None:
    answer = http.get(path + quote(rest.encode("utf-8", "surrogatepass"), safe="")[:200])
    assert answer.status_code in (200, 204, 307, 403, 404, 422), answer.text


@given(
    st.sampled_from(ADDRESSES), st.binary(max_size=80), st.sampled_from([b"Authorization", b"Panel-Page", b"Cookie"])
)
@few
def test_any_header_of_a_stranger_is_refused(panel: Any, path: str, value: bytes, name: bytes) -> None:
    value = value.replace(b"\r", b"").replace(b"\n", b"")
    head = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n" + name + b": " + value + b"\r\n\r\n"
    assert talk(panel, head, hang_up=True).split()[1] in (b"403", b"400")
    assert panel.daemon.asked == []
