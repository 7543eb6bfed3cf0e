"""Three PostgreSQL nodes under Patroni, with etcd, HAProxy and PgBouncer, on loopback addresses.

Each node has a *wire*: a proxy through which everybody else reaches its PostgreSQL and its Patroni,
and through which it reaches etcd. A wire that is stopped cuts it off; a slow one delays everything.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from interface.runtime.postgres_binaries import Identity, choose_identity, runnable_programs
from tests.cluster import files
from tests.cluster.node import (
    BALANCED,
    DATABASE,
    ETCD,
    ETCD_PEERS,
    NODES,
    PASSWORD,
    POOLED,
    POSTGRES,
    REST,
    Node,
)
from tests.cluster.programs import Programs
from tests.support.keeper import Keeper
from tests.support.processes import Process
from tests.support.waiting import wait_until

START_SECONDS = 90
SLOW_MILLISECONDS = 5
"""The delay of a slow network, in each direction."""


@dataclass
class Cluster:
    """A cluster that runs, and what can befall it."""

    programs: Programs
    version: int
    """PostgreSQL's major version."""
    identity: Identity
    folder: Path
    keeper: Keeper
    network: str
    """The first three numbers of its addresses."""
    nodes: list[Node]
    agreed: dict[str, Any] = field(default_factory=dict)
    """Differences from the template in the configuration that all nodes share."""
    _etcd: dict[int, int] = field(default_factory=dict)
    _pgbouncer: dict[str, int] = field(default_factory=dict)

    # Addresses

    def address(self, number: int) -> str:
        """Returns one of the addresses of this cluster."""
        return f"{self.network}.{number}"

    def balanced(self, host: int, database: str = DATABASE, user: str = DATABASE) -> str:
        """Returns the way to the primary that a host of the service takes, through HAProxy."""
        return make_conninfo(
            host=self.address(host), port=BALANCED, dbname=database, user=user, password=PASSWORD
        )

    def asked(self, host: int) -> str:
        """Like `balanced`, for a question that waits for nobody."""
        return make_conninfo(self.balanced(host), connect_timeout=2, tcp_user_timeout=2000)

    def pooled(self, host: int) -> str:
        """Returns the way to the primary through PgBouncer and HAProxy."""
        return make_conninfo(
            host=self.address(host), port=POOLED, dbname=DATABASE, user=DATABASE, password=PASSWORD
        )

    # Starting

    def start(self) -> None:
        """Starts everything, and returns when there are a primary and two standbys."""
        for number in NODES:
            self.start_etcd(number)
        wait_until(self._etcd_answers, START_SECONDS)
        for node in self.nodes:
            self.start_wire(node)
            self.start_patroni(node)
        for host in (1, 2):
            self._start_balancer(host)
        self.start_pgbouncer()
        wait_until(self.is_whole, START_SECONDS)
        self._create_database()

    def start_etcd(self, number: int) -> None:
        """Starts a member of etcd, for the first time or again."""
        own = self.address(30 + number)
        members = ",".join(
            f"etcd{each}=http://{self.address(30 + each)}:{ETCD_PEERS}" for each in NODES
        )
        self._etcd[number] = self._run(
            f"etcd{number}",
            self.programs.etcd,
            f"--name=etcd{number}",
            f"--data-dir={self.folder}/etcd{number}",
            f"--listen-client-urls=http://{own}:{ETCD}",
            f"--advertise-client-urls=http://{own}:{ETCD}",
            f"--listen-peer-urls=http://{own}:{ETCD_PEERS}",
            f"--initial-advertise-peer-urls=http://{own}:{ETCD_PEERS}",
            f"--initial-cluster={members}",
            # Twice the usual: the machine is busy.
            "--heartbeat-interval=200",
            "--election-timeout=2000",
        )

    def start_patroni(self, node: Node) -> None:
        """Starts the Patroni of a node, which starts or adopts PostgreSQL."""
        postgres = self.programs.postgres
        text = files.of_patroni(node, self.network, postgres, self.version, self.agreed)
        file = self._write(f"patroni{node.number}.yml", text)
        node.patroni = self._run(f"patroni{node.number}", self.programs.patroni, file)

    def start_wire(self, node: Node, *, milliseconds: float = 0) -> None:
        """Starts what stands between a node and everybody else, and delays all it passes on."""
        name = f"wire{node.number}"
        if milliseconds:
            ways = files.ways_through_the_wire(node, self.network)
            addresses = [address for way in ways for address in way]
            program = [sys.executable, "-m", "tests.cluster.slow_wire"]
            command = [*program, str(milliseconds), *addresses]
            node.wire = self.keeper.start(command, self.folder / f"{name}.log")
        else:
            file = self._write(f"{name}.cfg", files.of_a_wire(node, self.network))
            node.wire = self._run(name, self.programs.haproxy, "-db", "-f", file)

    def start_pgbouncer(self) -> None:
        """Starts PgBouncer, for the first time or again."""
        file = self._write("pgbouncer.ini", files.of_pgbouncer(self.address(1)))
        self._pgbouncer["pid"] = self._run("pgbouncer", self.programs.pgbouncer, file)

    # What is

    def primary(self) -> Node | None:
        """Returns the node that Patroni calls the primary, if there is one that answers."""
        return next((node for node in self.nodes if node.answers("/primary")), None)

    def the_primary(self) -> Node:
        """Returns the primary, of which there must be one."""
        node = self.primary()
        assert node is not None
        return node

    def sync_standbys(self) -> list[Node]:
        """Returns the nodes of which one has to confirm each commit."""
        return [node for node in self.nodes if node.answers("/quorum")]

    def is_whole(self) -> bool:
        """Returns True if there is a primary that streams to both others, as commits need it.

        A standby that answers may still have to be rewound to where the primary's timeline began.
        """
        if (primary := self.primary()) is None or not all(
            node.answers("/health") for node in self.nodes
        ):
            return False
        standbys = primary.status().get("replication", [])
        is_synchronous = self.agreed.get("synchronous_mode", True)
        return [each["state"] for each in standbys] == ["streaming"] * 2 and (
            not is_synchronous or len(self.sync_standbys()) == 2
        )

    def processes_of(self, node: Node) -> list[Process]:
        """Returns Patroni and PostgreSQL of a node."""
        postmasters = {pid for pid in (self._postmaster(node),) if pid}
        return [
            each
            for each in self.keeper.processes()
            if each.pid in postmasters | {node.patroni}
            or each.parent in postmasters
            or each.session == node.patroni
        ]

    # What befalls it

    def kill_postgres(self, node: Node) -> None:
        """Kills the PostgreSQL of a node, but not its Patroni."""
        for process in self.processes_of(node):
            if process.name == "postgres":
                process.kill()

    def kill_patroni(self, node: Node) -> None:
        """Kills the Patroni of a node, but not its PostgreSQL."""
        for process in self.processes_of(node):
            if process.name != "postgres":
                process.kill()

    def kill(self, node: Node) -> None:
        """Kills Patroni and PostgreSQL of a node."""
        for process in self.processes_of(node):
            process.kill()

    def freeze(self, node: Node) -> None:
        """Stops all processes of a node. They keep their connections, and say nothing."""
        for process in self.processes_of(node):
            with suppress(ProcessLookupError):
                process.freeze()

    def thaw(self, node: Node) -> None:
        """Lets the processes of a node go on."""
        for process in self.processes_of(node):
            with suppress(ProcessLookupError):
                process.thaw()

    def cut_off(self, node: Node) -> None:
        """Lets nothing through between a node and everybody else."""
        os.kill(node.wire, signal.SIGSTOP)

    def connect_again(self, node: Node) -> None:
        """Lets everything through, also what was sent meanwhile."""
        os.kill(node.wire, signal.SIGCONT)

    def kill_etcd(self, number: int) -> None:
        """Kills a member of etcd."""
        os.kill(self._etcd[number], signal.SIGKILL)

    def kill_pgbouncer(self) -> None:
        """Kills PgBouncer."""
        os.kill(self._pgbouncer["pid"], signal.SIGKILL)

    def switch_over(self) -> None:
        """Makes a standby the primary, as an operator does for maintenance."""
        primary, (standby, *_) = self.the_primary(), self.sync_standbys()
        order = {"leader": primary.name, "candidate": standby.name}
        connection = HTTPConnection(primary.inside, REST, timeout=60)
        connection.request(
            "POST", "/switchover", json.dumps(order), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        assert response.status == 200, answer

    def configure(self, **parameters: str) -> None:
        """Sets parameters of PostgreSQL on all nodes that need no restart."""
        primary = self.the_primary()
        connection = HTTPConnection(primary.inside, REST, timeout=10)
        change = json.dumps({"postgresql": {"parameters": parameters}})
        connection.request("PATCH", "/config", change, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        with psycopg.connect(primary.conninfo(), autocommit=True) as conn:

            def is_set() -> bool:
                rows = conn.execute(
                    "SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)",
                    (list(parameters),),
                ).fetchall()
                return dict(rows) == parameters

            wait_until(is_set)

    @contextmanager
    def slow_commits(self) -> Iterator[None]:
        """Within the block each commit takes 5 ms longer."""
        self.configure(commit_delay="5000", commit_siblings="0")
        try:
            yield
        finally:
            self.configure(commit_delay="0", commit_siblings="5")

    @contextmanager
    def slow_network(self) -> Iterator[None]:
        """Within the block all that a node is sent or sends arrives 5 ms later."""
        self._replace_wires(SLOW_MILLISECONDS)
        try:
            yield
        finally:
            self._replace_wires(0)

    def receiver(self, node: Node) -> Process:
        """Returns the process by which a standby gets what the primary has committed."""
        postmaster = self._postmaster(node)
        (found,) = (
            process
            for process in self.processes_of(node)
            if process.parent == postmaster and "walreceiver" in process.command
        )
        return found

    def keep_going(self) -> None:
        """Lets all processes go on that were stopped."""
        for node in self.nodes:
            self.connect_again(node)
            self.thaw(node)

    def repair(self) -> None:
        """Starts whatever does not run and connects whatever is cut off; returns when all is well.

        Does what an operator would: Patroni does the rest.
        """
        running = {process.pid for process in self.keeper.processes()}
        for number, pid in list(self._etcd.items()):
            if pid not in running:
                self.start_etcd(number)
        if self._pgbouncer["pid"] not in running:
            self.start_pgbouncer()
        self.keep_going()
        for node in self.nodes:
            if node.patroni not in running:
                self.start_patroni(node)
        wait_until(self.is_whole, 2 * START_SECONDS)

    # Inside

    def _run(self, name: str, *command: str) -> int:
        log = self.folder / f"{name}.log"
        return self.keeper.start([*self.identity.command, *command], log)

    def _write(self, name: str, text: str) -> str:
        """Writes a file for a program, and returns its path."""
        file = self.folder / name
        file.write_text(text)
        return str(file)

    def _start_balancer(self, host: int) -> None:
        """Starts HAProxy on a host of the service, with the file of the deployment."""
        text = files.of_a_balancer(self.address(host), self.network)
        file = self._write(f"haproxy{host}.cfg", text)
        self._run(f"haproxy{host}", self.programs.haproxy, "-db", "-f", file)

    def _replace_wires(self, milliseconds: float) -> None:
        """Replaces the wires of all nodes, which ends every connection once."""
        for node in self.nodes:
            os.kill(node.wire, signal.SIGKILL)
            wait_until(partial(self._has_ended, node.wire))  # and its addresses are free
            self.start_wire(node, milliseconds=milliseconds)
        wait_until(self.is_whole, START_SECONDS)

    def _has_ended(self, pid: int) -> bool:
        return all(process.pid != pid for process in self.keeper.processes())

    def _etcd_answers(self) -> bool:
        connection = HTTPConnection(self.address(31), ETCD, timeout=2)
        try:
            connection.request("GET", "/health")
            return b"true" in connection.getresponse().read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _create_database(self) -> None:
        with psycopg.connect(self.balanced(1, "postgres", "postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {DATABASE} LOGIN PASSWORD '{PASSWORD}'")
            admin.execute(f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")

    def _postmaster(self, node: Node) -> int | None:
        try:
            return int((node.folder / "data" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None


def free_network() -> str:
    """Returns the first three numbers of loopback addresses that nobody uses."""
    for number in count(os.getpid() % 100 + 1):
        network = f"127.{100 + number // 250}.{number % 250}"
        with suppress(OSError):
            for port in (POSTGRES, REST, ETCD, BALANCED):
                for last in (1, 11, 21, 31):
                    socket.create_server((f"{network}.{last}", port)).close()
            return network
    raise AssertionError("count() never ends")


@contextmanager
def running_cluster(folder: Path, version: int, **agreed: Any) -> Iterator[Cluster]:
    """Starts a cluster of this version of PostgreSQL, and ends it. Raises `Missing`.

    `agreed` is what differs from the template in the configuration that all nodes agree on.
    """
    programs = Programs.find(version)
    identity = choose_identity(folder)
    binaries, version = runnable_programs(identity, programs.postgres, folder / "runtime")
    programs = Programs(**(vars(programs) | {"postgres": binaries}))
    network = free_network()
    nodes = []
    for number in NODES:
        home = folder / f"node{number}"
        home.mkdir(mode=0o700)
        nodes.append(
            Node(
                number,
                f"node{number}",
                f"{network}.{10 + number}",
                f"{network}.{20 + number}",
                home,
            )
        )
    for place in (folder, *(node.folder for node in nodes)):
        os.chown(place, identity.owner, identity.group)
    with Keeper() as keeper:
        cluster = Cluster(programs, version, identity, folder, keeper, network, nodes, agreed)
        cluster.start()
        yield cluster
