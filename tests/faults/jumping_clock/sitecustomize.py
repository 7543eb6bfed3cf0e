"""On the path of a service, lets its clock jump: by the seconds in the file `CLOCK_OFFSET_FILE`.

Everything in the service asks `interface.bootstrap` for the time. Python imports this module by
itself at its start; it has to be found before any other of this name.
"""

import os
import sys
from datetime import datetime, timedelta, tzinfo
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


class JumpingClock:
    """Takes the place of `datetime` where only `now` is called."""

    @staticmethod
    def now(zone: tzinfo) -> datetime:
        """Returns the time of the machine and the offset."""
        seconds = float(Path(os.environ["CLOCK_OFFSET_FILE"]).read_text() or 0)
        return datetime.now(zone) + timedelta(seconds=seconds)


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        if fullname != "interface.bootstrap":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        assert isinstance(spec, ModuleSpec)
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def with_another_clock(module: ModuleType) -> None:
            execute(module)
            vars(module)["datetime"] = JumpingClock

        vars(spec.loader)["exec_module"] = with_another_clock
        return spec


if "CLOCK_OFFSET_FILE" in os.environ:
    sys.meta_path.insert(0, _Finder())
