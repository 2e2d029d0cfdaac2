"""What all tests share: a local endpoint, a library to keep things in, and no way out of this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from magnet_core.store import Store
from magnet_core.store.database import TABLES, Database
from tests.llm_server import LlmServer, Manners

SETTINGS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAGNET_MODEL", "MAGNET_OTLP_ENDPOINT", "MAGNET_AZURE_API_VERSION")

OPENED = (
    ("ui.engine.runner", "Engine"),
    ("ui.engine.bookkeeper", "Bookkeeper"),
    ("magnet_core.store.database", "Database"),
    ("magnet_core.telemetry", "Spans"),
)
"""What holds threads and connections, by module and name."""

# a made-up example is the same in every run, however slow the machine is
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("same")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def stay_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection and look-up that leaves this machine."""
    connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def local(address: Any) -> bool:
        if not isinstance(address, tuple):
            return True  # a Unix socket
        try:
            return ipaddress.ip_address(address[0]).is_loopback
        except ValueError:
            return address[0] in ("localhost", "")

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        def guard(self: socket.socket, address: Any) -> Any:
            if not local(address):
                raise OSError(f"A test reached for {address!r}.")
            return call(self, address)

        return guard

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not local((name,)):
            raise socket.gaierror(socket.EAI_NONAME, f"A test looked up {name!r}.")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test a library of its own, the built-in cast and no collector; what a page kept for all visitors is gone.

    Engines, ledgers and databases that a test opened are closed after it, in this order. Nothing is warmed up beside a test.
    """
    monkeypatch.setenv("MAGNET_DATABASE_URL", f"sqlite:///{tmp_path / 'library.db'}")
    for name in SETTINGS:
        monkeypatch.setenv(name, "")
    if streamlit := sys.modules.get("streamlit"):  # what has not been imported has kept nothing
        streamlit.cache_resource.clear()
    if pages := sys.modules.get("ui.state"):
        monkeypatch.setattr(pages, "warm_up", lambda: True)
    if spans := sys.modules.get("magnet_core.telemetry"):
        spans._opened.cache_clear()
    opened: list[list[Any]] = []
    for module, kind in OPENED:
        if module in sys.modules:
            opened.append(_remembered(monkeypatch, getattr(sys.modules[module], kind)))
    with ExitStack() as stack:
        yield
        for kept in reversed(opened):
            for one in kept:
                stack.callback(one.close)


@pytest.fixture(autouse=True)
def fragments_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse what a fragment writes into a place of the page: once a click has begun the page anew, it has none there."""

    def refuse(self: Any, fragment: str, container: str, wrapper: Any) -> None:
        raise AssertionError("A fragment wrote outside of itself.")

    if module := sys.modules.get("streamlit.runtime.fragment"):
        monkeypatch.setattr(module.MemoryFragmentStorage, "register_outside_wrapper", refuse)


def _remembered(monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> list[Any]:
    """Return a list that every object of a kind is put into when it is made."""
    made: list[Any] = []
    begin = kind.__init__

    def begun(self: Any, *args: Any, **more: Any) -> None:
        begin(self, *args, **more)
        made.append(self)

    monkeypatch.setattr(kind, "__init__", begun)
    return made


@pytest.fixture
def endpoint() -> Iterator[Callable[..., LlmServer]]:
    """Start a server with the manners given; all stop at the end of the test."""
    servers: list[LlmServer] = []

    def start(**manners: Any) -> LlmServer:
        servers.append(LlmServer(Manners(**manners)).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Open an empty library in a file, and once more in PostgreSQL where there is one to test with."""
    url = f"sqlite:///{tmp_path}/new/folder/magnet.db"
    if request.param == "postgresql":
        if not (url := os.environ.get("MAGNET_TEST_POSTGRESQL", "")):
            pytest.skip("MAGNET_TEST_POSTGRESQL names no database to test with.")
        database = Database(url)
        with database.writing() as connection:
            TABLES.drop_all(connection)
        database.close()
    library = Store(url)
    yield library
    library.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a test that drives a real browser two more tries: on a busy machine a click may meet a page that is being redrawn."""
    for item in items:
        if "browser" in item.path.stem:
            item.add_marker(pytest.mark.flaky(reruns=2))
