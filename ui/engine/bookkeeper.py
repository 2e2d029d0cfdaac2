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
        self._waiting: queue.SimpleQueue[Use | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="ledger")
        self._thread.start()

    def write(self, use: Use) -> None:
        """Have a call written down; returns at once."""
        self._waiting.put(use)

    def done(self, seconds: float = 2.0) -> bool:
        """Wait until everything that came so far is written down; tell whether it is."""
        reached = threading.Event()
        self._waiting.put(reached)
        return reached.wait(seconds)

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
            last, uses = None in taken, [one for one in taken if isinstance(one, Use)]
            if uses:
                self._keep(uses)
            for one in taken:
                if isinstance(one, threading.Event):
                    one.set()

    def _keep(self, uses: Sequence[Use]) -> None:
        try:
            self._add(uses)
        except StoreError as error:
            logging.getLogger(__name__).warning("%d calls are missing in the ledger. %s", len(uses), error)
