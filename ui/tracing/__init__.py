"""The views of the Trace page, one module each: what things cost, what went wrong, and what limits it."""
