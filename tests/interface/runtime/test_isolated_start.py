"""A service that ignores Python's environment variables starts processes that ignore them too."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.service import Service, free_port, log_of, stop_service, wait_until_ready


def test_a_foreign_package_on_pythonpath_does_not_reach_the_processes_of_an_isolated_start(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    foreign = tmp_path / "elsewhere" / "domain"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise RuntimeError('a foreign package was imported')")
    data = tmp_path / "data"
    data.mkdir()
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("ADMITONE_")}
    port = free_port()
    environment = inherited | {
        "PYTHONPATH": str(foreign.parent),
        "ADMITONE_DATABASE_URL": new_database(),
        "ADMITONE_DATA": str(data),
        "ADMITONE_PORT": str(port),
    }
    with (data / "service.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-E", "-P", "-m", "interface.cli", "serve"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    service = Service(process, "127.0.0.1", port, environment)
    try:
        wait_until_ready(service)
    finally:
        stop_service(service)
    assert "foreign package" not in log_of(service)
    assert "died" not in log_of(service)
