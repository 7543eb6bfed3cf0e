"""Finds a Chromium on this machine, or gets one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from playwright.sync_api import Browser, Error, Playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The same browser without the window that nobody sees, which takes a third of its time.
_WINDOWLESS = "chromium-headless-shell"
# The suggestions of the address bar, which nobody sees, take most of the time of a new window.
_SUGGESTIONS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
# The features that Playwright disables, repeated: only the last list counts.
_DISABLED = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect"),
    *("OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
)
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join((*_DISABLED, *_SUGGESTIONS))}",
)
_FETCH_SECONDS = 300


class NoBrowser(Exception):
    """There is no browser on this machine, and none could be had."""


def launch(playwright: Playwright) -> Browser:
    """Starts the first browser that can be started. Raises `NoBrowser`."""
    for program in _candidates():
        try:
            return playwright.chromium.launch(executable_path=program, args=_arguments())
        except Error:
            continue
    raise NoBrowser(
        "no Chromium on PATH that starts, and neither `playwright install chromium`"
        " nor `apt-get install chromium` brought one"
    )


def _candidates() -> Iterator[str | None]:
    """Programs to try, each got only when those before it did not start; None: Playwright's own."""
    yield from _on_path()
    yield None
    if _runs(sys.executable, "-m", "playwright", "install", "chromium"):
        yield None
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _runs("apt-get", "update")
        for package in (_WINDOWLESS, "chromium"):  # not every Debian has the first
            if _runs("apt-get", "install", "--yes", "--no-install-recommends", package):
                yield from _on_path()


def _on_path() -> list[str]:
    return [found for name in (_WINDOWLESS, *PROGRAMS) if (found := shutil.which(name))]


def _arguments() -> list[str]:
    # A browser has no sandbox of its own when root runs it.
    return [*_ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else [*_ARGUMENTS]


def _runs(*command: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
