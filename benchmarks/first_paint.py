"""Time the app's start as a visitor meets it: from `streamlit run` to the first button on screen. Needs the system's Chromium.

python -m benchmarks.first_paint [--starts 5]
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def one_start(browser: Browser, folder: str) -> tuple[float, float, float]:
    """Return seconds to the open port, to the first button from the command, and to it from the page's loading."""
    port = free_port()
    env = os.environ | {"MAGNET_DATABASE_URL": f"sqlite:///{folder}/start.db"}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    began = time.perf_counter()
    server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.02)
        listening = time.perf_counter()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        page.get_by_role("button", name="Next turn").wait_for(timeout=20_000)
        painted = time.perf_counter()
        page.close()
        return listening - began, painted - began, painted - listening
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--starts", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        times = [one_start(browser, folder) for _ in range(given.starts)]
        browser.close()
    for name, column in zip(
        ("listening", "first paint from the command", "first paint from loading"), zip(*times, strict=True), strict=True
    ):
        print(f"{name}: median {median(column):.2f} s, {min(column):.2f} to {max(column):.2f}")


if __name__ == "__main__":
    main()
