"""`python -m magnet_core`: see `cli.py`."""

from magnet_core.cli import app

app(prog_name="python -m magnet_core")
