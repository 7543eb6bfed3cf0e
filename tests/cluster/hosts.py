"""Admit One on several hosts: two of web workers, two projectors and two senders."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from interface.runtime.parent_watchdog import for_children
from tests.cluster.cluster import Cluster
from tests.support.examples import SECRET
from tests.support.mail_server import HOST, MailServer, running_mail_server
from tests.support.service import Service, start_service, stop_service, wait_until_ready

WEB = (1, 2)
_NUMBERS = count(1)


@dataclass
class Hosts:
    """The processes of the service. The first web host comes through PgBouncer."""

    cluster: Cluster
    folder: Path
    settings: dict[str, str]
    web: list[Service]
    projectors: list[subprocess.Popen[str]]
    senders: list[subprocess.Popen[str]]
    mails: MailServer

    @property
    def first(self) -> Service:
        """One of the web hosts, to give orders to."""
        return self.web[0]

    def of_a_new_owner(self) -> list[Service]:
        """Returns the web hosts as an owner sees them whose agenda is empty."""
        email = f"owner-{next(_NUMBERS)}@example.org"
        self.first.command("accounts", "create", email)
        key = self.first.command("keys", "create", "--account", email).stdout.split()[-1]
        return [replace(host, _key=[key]) for host in self.web]

    def are_ready(self) -> bool:
        """Returns True if all web hosts are ready."""
        return all(self.readiness(host)[0] == 200 for host in self.web)

    def readiness(self, host: Service) -> tuple[int, str]:
        """Returns status and text of a host's /readyz; status 0 if it does not answer."""
        try:
            answer = host.call("GET", "/readyz")
        except OSError:
            return 0, ""
        return answer.status_code, answer.text

    def run_code_of(self, folder: Path | None) -> None:
        """Lets what is started from now on run the code in a folder; None: this checkout's."""
        for name in ("PYTHONSAFEPATH", "PYTHONPATH"):
            self.settings.pop(name, None)
        if folder is not None:
            self.settings |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(folder)}

    def command(self, *arguments: str) -> str:
        """Runs `admitone` beside the projectors, with their code, and returns what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "interface.cli", *arguments],
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def start_web(self, number: int) -> None:
        """Starts a web host, for the first time or with its port and its data again."""
        data = self.folder / f"web{number}"
        data.mkdir(exist_ok=True)
        way = self.cluster.pooled(1) if number == 1 else self.cluster.balanced(number)
        before = [host for host in self.web if host.environment["ADMITONE_DATA"] == str(data)]
        settings = dict(self.settings)
        if before:
            settings["ADMITONE_PORT"] = str(before[0].port)
        started = start_service(data, way, "--web-only", **settings)
        self.web = [host for host in self.web if host not in before] + [started]
        self.web.sort(key=lambda host: host.environment["ADMITONE_DATA"])
        wait_until_ready(started)

    def replace_everything(self) -> None:
        """Replaces all processes one after the other, as a rolling upgrade does."""
        for started in (self.projectors, self.senders):
            before = list(started)
            for old in before:
                self.start_projector() if started is self.projectors else self.start_sender()
                end(old)
                started.remove(old)
        for number, host in zip(WEB, list(self.web), strict=True):
            stop_service(host)
            self.start_web(number)

    def start_projector(self) -> subprocess.Popen[str]:
        """Starts another projector."""
        started = self._start("projections", "run")
        self.projectors.append(started)
        return started

    def start_sender(self) -> subprocess.Popen[str]:
        """Starts another sender."""
        started = self._start("deliveries", "run")
        self.senders.append(started)
        return started

    def verify_views(self) -> str:
        """Returns what `admitone projections verify --all` prints if a view is wrong, else ""."""
        done = subprocess.run(
            [sys.executable, "-m", "interface.cli", "projections", "verify", "--all"],
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def told_twice(self) -> list[str]:
        """Returns the ids of mails that came more than once."""
        return [name for name, mails in self.mails.by_id().items() if len(mails) > 1]

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        with (self.folder / f"{arguments[0]}.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "interface.cli", *arguments],
                env=for_children(self._environment()),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        kept = {name: v for name, v in os.environ.items() if not name.startswith("ADMITONE_")}
        url = self.cluster.balanced(2)
        return (
            kept | self.settings | {"ADMITONE_DATA": str(self.folder), "ADMITONE_DATABASE_URL": url}
        )


@contextmanager
def running_hosts(cluster: Cluster, folder: Path) -> Iterator[Hosts]:
    """Runs the service on a cluster within the block."""
    with running_mail_server() as mails:
        settings = {
            "ADMITONE_SECRET_KEYS": SECRET,
            "ADMITONE_WORKERS": "1",
            "ADMITONE_CHECKPOINTS": str(folder / "checkpoints"),
            "ADMITONE_SMTP_URL": f"smtp://{HOST}:{mails.port}",
            "ADMITONE_LOG": "json",
        }
        hosts = Hosts(cluster, folder, settings, [], [], [], mails)
        try:
            for number in WEB:
                hosts.start_web(number)
                # Made by the first start, and the same on all hosts.
                settings["ADMITONE_AUDIT_KEY_FILE"] = str(folder / "web1" / "audit_key")
            for _ in WEB:
                hosts.start_projector()
                hosts.start_sender()
            yield hosts
        finally:
            for process in (*hosts.projectors, *hosts.senders):
                end(process)
            for host in hosts.web:
                stop_service(host)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process in order, or by force if it takes too long."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
