"""Keeps secrets out of the environment of the processes that the service consists of."""

import ctypes
import os
from collections.abc import Mapping

from interface.settings import secret_variables


def environment_without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns what a program may inherit: everything but secrets and the files that hold them."""
    secrets = secret_variables()
    return {name: value for name, value in environment.items() if name not in secrets}


def withdraw_secrets() -> None:
    """Removes secrets from the environment once they have been read.

    They are overwritten where they are: `/proc/PID/environ` shows the memory in which a process was
    given its environment, and those that are forked from it have a copy of that.
    """
    c_library = ctypes.CDLL(None)
    c_library.getenv.restype = ctypes.c_void_p
    for name in secret_variables() & os.environ.keys():
        address = c_library.getenv(os.fsencode(name))
        if address is not None:
            ctypes.memset(address, 0, len(ctypes.string_at(address)))
        del os.environ[name]
