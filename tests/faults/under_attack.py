"""A service under attack: its processes, its database, the network, the disk and the clock.

`attacked` lets clients of several processes work meanwhile, and returns their history and the
log. What is done, in which order and when follows from a seed.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, sleep

import psycopg

from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.postgres_binaries import EmbeddedPostgresError
from tests.faults.workload import Result, Workload
from tests.support.database_proxy import Loss, Proxy
from tests.support.processes import Process, family, web_workers
from tests.support.service import (
    Service,
    start_again,
    start_service,
    stop_service,
    wait_until_ready,
)
from tests.support.small_disk import full, small_disk
from tests.support.waiting import wait_until

CLOCK = Path(__file__).with_name("jumping_clock")


@dataclass
class Attacked:
    """A service whose database is behind a proxy and, where possible, on a disk of its own."""

    postgres: EmbeddedPostgres
    proxy: Proxy
    service: Service
    folder: Path
    disk: Path | None
    random: Random
    attacks: Sequence["Attack"]
    done: Counter[str] = field(default_factory=Counter)
    _to_come: list["Attack"] = field(default_factory=list)

    # Processes

    def kill_a_web_worker(self) -> None:
        """Kills one, in whatever it does."""
        if workers := web_workers_of(self.service):
            self.random.choice(workers).kill()

    def kill_the_web_server(self) -> None:
        """Kills the parent of the workers."""
        self._kill("web server")

    def kill_the_projector(self) -> None:
        """Kills the projector."""
        self._kill("projector")

    def kill_everything(self) -> None:
        """Kills all processes of the service and the database server, and starts both again."""
        processes = family(self.service.process.pid)
        self.service.process.kill()
        for process in processes:
            process.kill()
        self._end_the_database(signal.SIGKILL)
        self.service.process.wait()
        self.repair()
        self.service = start_again(self.service)

    def freeze_a_worker_in_its_append(self) -> None:
        """Stops all workers at the moment at which one of them sends an append."""
        frozen = web_workers_of(self.service)

        def losses() -> Iterator[Loss]:
            for worker in frozen:
                with suppress(ProcessLookupError):
                    worker.freeze()
            yield Loss.NOTHING

        self.proxy.losses = losses()
        sleep(self.random.uniform(0.5, 3))
        for worker in frozen:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGCONT)

    # The database

    def kill_a_backend(self) -> None:
        """Kills one with SIGKILL, after which PostgreSQL ends all others and recovers."""
        with suppress(psycopg.Error, ProcessLookupError):
            if backends := self._backends():
                os.kill(self.random.choice(backends), signal.SIGKILL)

    def terminate_backends(self) -> None:
        """Ends one, or all."""
        with suppress(psycopg.Error, ProcessLookupError):
            pids = self._backends()
            for pid in self.random.choice((pids, pids[:1])):
                os.kill(pid, signal.SIGTERM)

    def stop_the_database_at_once(self) -> None:
        """Does what `pg_ctl stop -m immediate` does, and starts it again."""
        self._end_the_database(signal.SIGQUIT)
        sleep(self.random.uniform(0, 1))

    # The network

    def lose_replies_of_commits(self) -> None:
        """Lets connections die after the server has committed."""
        self.proxy.lose([Loss.REPLY] * self.random.randrange(1, 6))
        sleep(1)

    def lose_requests(self) -> None:
        """Lets connections die before the server has all of an append."""
        self.proxy.lose([Loss.REQUEST] * self.random.randrange(1, 6))
        sleep(1)

    def swallow_the_rest_of_an_append(self) -> None:
        """Sends most of an append, and nothing ever after."""
        self.proxy.lose([Loss.REST])
        sleep(1)

    def cut_all_connections(self) -> None:
        """Ends every connection, and refuses new ones for a moment."""
        self.proxy.refuse()
        self.proxy.cut()
        sleep(self.random.uniform(0, 1))
        self.proxy.accept()

    def let_nothing_through(self) -> None:
        """Is silent for longer than the patience of some clients."""
        with self.proxy.silence():
            sleep(self.random.uniform(0.5, 4))

    def delay_everything(self) -> None:
        """Makes each step across the network slow."""
        self.proxy.delay = self.random.uniform(0.01, 0.1)
        sleep(2)
        self.proxy.delay = 0.0

    # The machine

    def let_the_clock_jump(self) -> None:
        """Sets the clock of the service back or forth by some hours."""
        seconds = self.random.uniform(-10_000, 10_000)
        (self.folder / "offset").write_text(str(seconds))

    def fill_the_disk(self) -> None:
        """Leaves no room for the database for a while."""
        if self.disk is not None:
            with full(self.disk):
                sleep(self.random.uniform(1, 4))

    def repair(self) -> None:
        """Starts what does not start by itself: the database server, as an operator would."""
        wait_until(self._database_runs)

    def attack(self) -> None:
        """Does the next of these, and waits a little. Each comes once before any comes again."""
        if not self._to_come:
            self._to_come = self.random.sample(self.attacks, len(self.attacks))
        what = self._to_come.pop()
        what(self)
        self.done[what.__name__] += 1
        self.repair()
        sleep(self.random.uniform(0.2, 1.5))

    def _end_the_database(self, number: signal.Signals) -> None:
        (file,) = (self.disk or self.folder).glob("postgres/**/postmaster.pid")
        os.kill(int(file.read_text().split()[0]), number)
        wait_until(lambda: self.postgres.poll() is not None)

    def _database_runs(self) -> bool:
        try:
            self.postgres.start()
        except EmbeddedPostgresError:  # it was about to end, for want of room on the disk
            return False
        return True

    def _kill(self, name: str) -> None:
        for process in family(self.service.process.pid):
            if process.name == name:
                process.kill()

    def _backends(self) -> list[int]:
        with psycopg.connect(self.postgres.conninfo) as conn:
            rows = conn.execute(
                """SELECT pid FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
            ).fetchall()
        return [pid for (pid,) in rows]


Attack = Callable[[Attacked], None]

ATTACKS: Sequence[Attack] = (
    Attacked.kill_a_web_worker,
    Attacked.kill_the_web_server,
    Attacked.kill_the_projector,
    Attacked.kill_everything,
    Attacked.freeze_a_worker_in_its_append,
    Attacked.kill_a_backend,
    Attacked.terminate_backends,
    Attacked.stop_the_database_at_once,
    Attacked.lose_replies_of_commits,
    Attacked.lose_requests,
    Attacked.swallow_the_rest_of_an_append,
    Attacked.cut_all_connections,
    Attacked.let_nothing_through,
    Attacked.delay_everything,
    Attacked.let_the_clock_jump,
    Attacked.fill_the_disk,
)


def web_workers_of(service: Service) -> list[Process]:
    """Returns the web workers, none while the web server is being replaced."""
    try:
        return web_workers(service.process.pid)
    except ValueError:
        return []


@contextmanager
def attacked(folder: Path, seed: int, attacks: Sequence[Attack] = ATTACKS) -> Iterator[Attacked]:
    """Starts a database, a proxy and a service, and stops them in the end."""
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk"))
        postgres = stack.enter_context(EmbeddedPostgres((disk or folder) / "postgres"))
        proxy = Proxy(postgres.conninfo)
        stack.callback(proxy.close)
        (folder / "offset").write_text("0")
        service = start_service(
            folder,
            proxy.conninfo,
            CLOCK_OFFSET_FILE=str(folder / "offset"),
            PYTHONPATH=os.pathsep.join([str(CLOCK), os.environ.get("PYTHONPATH", "")]),
        )
        attacked = Attacked(postgres, proxy, service, folder, disk, Random(seed), attacks)
        stack.callback(lambda: stop_service(attacked.service))
        wait_until_ready(service)
        yield attacked


def work_under_attack(
    under: Attacked, *, operations: int, processes: int = 2, threads: int = 6, calm: bool = False
) -> Result:
    """Lets clients ask for so many operations while the service is attacked.

    They go on until each of the attacks has been done once. Afterwards nothing is attacked any
    more, and the service has to be ready.
    """
    work = Workload(
        [under.service],
        under.folder,
        under.random,
        operations=operations,
        processes=processes,
        threads=threads,
    )
    while work.is_going_on():
        if calm:
            sleep(0.1)
        else:
            under.attack()
        if calm or len(under.done) == len(under.attacks):
            work.may_end()
    under.proxy.lose([])
    under.repair()
    wait_until_recovered(under.service)
    return work.result(under.postgres.conninfo)


def wait_until_recovered(service: Service) -> None:
    """Returns when the service can be written to again; it may be starting."""
    ends_at = monotonic() + 60
    while monotonic() < ends_at:
        with suppress(AssertionError, OSError):
            wait_until_ready(service)
            return
        sleep(0.1)
    raise AssertionError("the service did not recover")
