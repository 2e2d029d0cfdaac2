"""Writing calls into the ledger beside the engine: no call waits for the database, and what comes at once is written together."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from magnet_core.errors import StoreError
from magnet_core.meter import Use


class Bookkeeper:
    """Writes calls down in a thread of its own; `add` keeps some in the library."""

    def __init__(self, add: Callable[[Sequence[Use]], None]) -> None:
        self._add = add
        self._waiting: queue.SimpleQueue[Use | None] = queue.SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, daemon=True, name="ledger")
        self._thread.start()

    def write(self, use: Use) -> None:
        """Have a call written down; returns at once."""
        self._idle.clear()
        self._waiting.put(use)

    def done(self, seconds: float = 2.0) -> bool:
        """Wait until everything is written down; tell whether it is."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """Write down what waits, and end the thread."""
        self._waiting.put(None)
        self._thread.join(10)

    def _work(self) -> None:
        last = False
        while not last:
            taken = [self._waiting.get()]
            while not self._waiting.empty():
                taken.append(self._waiting.get())
            last, uses = None in taken, [use for use in taken if use]
            try:
                self._add(uses)
            except StoreError as error:
                logging.getLogger(__name__).warning("%d calls are missing in the ledger. %s", len(uses), error)
            if self._waiting.empty():
                self._idle.set()
