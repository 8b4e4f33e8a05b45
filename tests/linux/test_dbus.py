"""Where the session bus is, and calls and signals over a private one."""

from __future__ import annotations

import socket

import pytest
from jeepney import DBusErrorResponse, MatchRule
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import Proxy, open_dbus_connection
from jeepney.low_level import Message

from camdaemon.linux import dbus
from tests.control.stand_in_portal import private_bus

BUS, PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
NAME = "io.github.camdaemon.Test"


@pytest.fixture
def address(monkeypatch):
    with private_bus() as (_, where):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", where)
        yield where


def next_change(service):
    """The next NameOwnerChanged: the bus also greets us with NameAcquired."""
    while dbus.get_member(message := service.wait_for_signal()) != "NameOwnerChanged":
        pass
    return message


def test_without_any_variable_there_is_no_session(monkeypatch):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(KeyError):
        dbus.connect_session()


def test_without_its_variable_the_session_is_at_its_usual_place(monkeypatch, tmp_path):
    asked: list[str] = []
    monkeypatch.setattr(dbus, "open_dbus_connection", asked.append)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    dbus.connect_session()
    assert asked == [f"unix:path={tmp_path}/bus"]


def test_a_call_returns_the_body_or_raises_what_the_service_says(address):
    with dbus.connect_session() as bus:
        service = dbus.Service(bus, BUS, PATH, 5.0)
        assert service.call(BUS, "NameHasOwner", "s", (BUS,)) == (True,)
        with pytest.raises(DBusErrorResponse):
            service.call(BUS, "NoSuchMethod")
        reply = service.request(BUS, "NoSuchMethod")
        assert isinstance(reply, Message)
        assert dbus.get_sender(reply) == BUS


def test_the_coming_and_going_of_a_service_is_a_signal_also_when_it_came_during_a_call(address):
    with dbus.connect_session() as bus, open_dbus_connection(address) as other:
        service = dbus.Service(bus, NAME, "/", 5.0)
        service.subscribe(MatchRule(type="signal", sender=NAME))
        owner = Proxy(message_bus, other, timeout=5.0)
        owner.RequestName(NAME)
        # Its reply comes after the signal, over the same connection.
        assert dbus.Service(bus, BUS, PATH, 5.0).call(BUS, "NameHasOwner", "s", (NAME,)) == (True,)
        came = next_change(service)
        assert (dbus.get_member(came), came.body[0], came.body[1]) == ("NameOwnerChanged", NAME, "")
        owner.ReleaseName(NAME)
        left = next_change(service)
        assert (dbus.get_member(left), left.body[0], left.body[2]) == ("NameOwnerChanged", NAME, "")


def test_interrupt_ends_a_wait_and_is_harmless_afterwards(address):
    with dbus.connect_session() as bus:
        service = dbus.Service(bus, NAME, "/", 5.0)
        service.subscribe(MatchRule(type="signal", sender=NAME))
        dbus.interrupt(bus.sock)

        def wait():
            while True:
                service.wait_for_signal()

        with pytest.raises(ConnectionError):
            wait()
    dbus.interrupt(bus.sock)
    dbus.interrupt(None)
    assert isinstance(bus.sock, socket.socket)
