"""The lab's memory: how much server and page grow while a network is played; `python benchmarks/lab_memory.py --minutes 60`.

A server of its own plays moons on the page's bench in headless Chromium; each minute the page visits the next of its screens. Asked is
less than 50 MB an hour for each. Printed are megabytes: the server's resident memory, and what the page's script holds after a collection.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SCREENS = ("bench", "passes", "bench", "pictures", "bench", "time", "bench", "lessons")


def resident(process: int) -> float:
    """Megabytes of a process that lie in memory; Linux."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def held(tab: Any) -> float:
    """Megabytes that the page's script holds, after a collection."""
    tab.send("HeapProfiler.collectGarbage")
    return tab.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def main() -> None:
    """Plays, and prints a line a minute."""
    from playwright.sync_api import sync_playwright

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0)
    minutes = options.parse_args().minutes
    lab = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "lab", "moons", "--no-browser"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert lab.stdout
        link = next(found[0] for line in lab.stdout if (found := re.search(r"http://\S+", line)))
        with sync_playwright() as player:
            # Its own page alone is opened; as root Chromium has no sandbox.
            chromium = player.chromium.launch(args=["--no-sandbox"], executable_path=shutil.which("chromium"))
            page = chromium.new_page(viewport={"width": 1400, "height": 1000})
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(link)
            page.wait_for_selector("body[data-ready]")
            page.click("#play")
            tab, start = page.context.new_cdp_session(page), time.monotonic()
            print("minute  step          server MB  page MB", flush=True)
            for minute in range(int(minutes) + 1):
                time.sleep(max(0.0, start + 60 * minute - time.monotonic()))
                print(
                    f"{minute:6}  {page.inner_text('#stepnumber'):12}  {resident(lab.pid):9.1f}  {held(tab):7.1f}", flush=True
                )
                page.click(f"#to-{SCREENS[minute % len(SCREENS)]}")
            print("errors in the page:", wrong or "none")
    finally:
        lab.terminate()


if __name__ == "__main__":
    main()
