"""`make mutants`: plants each deliberate fault in a copy of the code, and has the tests find it.

Prints a line for each with the test that found it. Ends with status 1 if one was not found, if a
test fails without a fault, or if a fault keeps the tests from running at all. `MUTANTS_ONLY` is a
word that a fault, or the name of its file, must have.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from interface.runtime.embedded_postgres import EmbeddedPostgres
from tests.mutants.catalogue import MUTANTS, ROOT, Mutant

COPIED = ("domain", "application", "projections", "interface", "tests", "pyproject.toml")
PASSED, FAILED = 0, 1  # statuses of pytest
SECONDS = 600  # after which a fault that makes its tests hang counts as found
_FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)


class Runner:
    """A copy of the code, and a database server for its tests."""

    def __init__(self, folder: Path, conninfo: str) -> None:
        self._folder = folder
        # The tests of the catalogue need no plugins, which take longer to load than many run.
        self._environment = os.environ | {
            "ADMITONE_TEST_DATABASE_URL": conninfo,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        for name in COPIED:
            if (ROOT / name).is_dir():
                no_caches = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(ROOT / name, folder / name, ignore=no_caches)
            else:
                shutil.copy(ROOT / name, folder / name)

    def passes(self, tests: Sequence[str]) -> bool:
        """Returns True if all of these tests pass without a fault."""
        status, output = self._run(tests, seconds=None)
        if status != PASSED:
            print(output)
        return status == PASSED

    def find(self, mutant: Mutant) -> str | None:
        """Returns the name of the first test that finds the fault, or None if none does.

        Raises `AssertionError` if the tests could not be run.
        """
        file = self._folder / mutant.file
        original = file.read_text()
        file.write_text(mutant.planted())
        try:
            status, output = self._run(mutant.tests, seconds=SECONDS)
        except subprocess.TimeoutExpired:
            return "a test that never ends"
        finally:
            file.write_text(original)
        if status == PASSED:
            return None
        found = _FAILURE.search(output)
        assert status == FAILED, output
        assert found, output
        return found[1]

    def _run(self, tests: Sequence[str], *, seconds: float | None) -> tuple[int, str]:
        # Without bytecode: a file that is changed twice in a second would not be compiled again.
        command = [sys.executable, "-B", "-m", "pytest", "-x", "-rfE", *tests]
        command += ["-p", "no:cacheprovider"]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Plants all faults, and returns the exit status."""
    word = os.environ.get("MUTANTS_ONLY", "")
    mutants = [each for each in MUTANTS if word in each.file or word in each.fault]
    survivors = []
    with TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as server:
        with psycopg.connect(server.conninfo, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        runner = Runner(Path(folder) / "code", server.conninfo)
        tests = dict.fromkeys(test for each in mutants for test in each.tests)
        if not runner.passes(list(tests)):
            print("The tests fail without any fault.")
            return 1
        for number, mutant in enumerate(mutants, 1):
            test = runner.find(mutant)
            print(
                f"{number:3} {mutant.fault}\n    {mutant.file}: {test or 'NOT FOUND'}", flush=True
            )
            if test is None:
                survivors.append(mutant)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} faults were found.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
