"""What is said when the program itself was wrong."""

from __future__ import annotations

import logging


def mistake(error: Exception, what: str) -> str:
    """Write into the log that something broke off, with all details; return a sentence for whoever waits for it."""
    logging.getLogger(__name__).error("%s broke off.", what, exc_info=error)
    return f"The program made a mistake ({type(error).__name__}); the log has the details."
