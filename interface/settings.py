"""What an operator can set, all of it in the environment, checked before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

PREFIX = "ADMITONE_"
SHORTEST_SECRET = 32

N = TypeVar("N", int, None)


class SettingsError(ValueError):
    """The environment holds settings that can't be used."""


@dataclass(frozen=True)
class Settings:
    """The settings of one installation; every default is good for one machine."""

    database_url: str | None = None
    """ADMITONE_DATABASE_URL: a PostgreSQL server, 15 or newer. Unset: our own, in `data`."""
    data: Path = Path("var")
    """ADMITONE_DATA: the folder for the embedded database and the secret."""
    host: str = "127.0.0.1"
    """ADMITONE_HOST: the IP address to listen on; 0.0.0.0 or :: for all."""
    port: int = 8000
    """ADMITONE_PORT: 1 to 65535."""
    workers: int = 2
    """ADMITONE_WORKERS: web processes, 1 to 64."""
    secret_keys: tuple[str, ...] = ()
    """ADMITONE_SECRET_KEYS: comma-separated, newest first, 32 characters or more each.
    Unset: made once and kept in the data folder."""
    audit_key: str = ""
    """ADMITONE_AUDIT_KEY: the private key that signs heads of the log, in the form of
    sumdb/note. Unset: made once and kept in the data folder."""
    checkpoints: Path | None = None
    """ADMITONE_CHECKPOINTS: the folder for signed heads. Unset: in `data`."""
    public_url: str = ""
    """ADMITONE_PUBLIC_URL: how people reach the service. Unset: host and port."""
    postgres_bin: Path | None = None
    """ADMITONE_POSTGRES_BIN: the folder of other PostgreSQL programs than the embedded ones."""
    log: str | None = None
    """ADMITONE_LOG: `json` or `text`. Unset: text on a terminal, else JSON."""
    attempts_days: int = 90
    """ADMITONE_ATTEMPTS_DAYS: days for which refused attempts to book are kept, 1 to 36500."""
    forget_after_days: int | None = None
    """ADMITONE_FORGET_AFTER_DAYS: days from a booking's end until its invitee is forgotten,
    1 to 36500. Unset: kept until somebody says so."""

    @property
    def local_host(self) -> str:
        """The address at which this machine itself reaches the service."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def local_url(self) -> str:
        """How this machine itself reaches the service."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"http://{host}:{self.port}"

    @property
    def checkpoints_folder(self) -> Path:
        """Where signed heads are kept."""
        return self.checkpoints or self.data / "checkpoints"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read and check all settings. Raises `SettingsError`, naming every wrong one."""
        reader = _Reader(environment)
        settings = cls(
            database_url=reader.database_url("DATABASE_URL"),
            data=reader.own_folder("DATA") or cls.data.absolute(),
            host=reader.ip_address("HOST", cls.host),
            port=reader.number("PORT", cls.port, lowest=1, highest=65535),
            workers=reader.number("WORKERS", cls.workers, lowest=1, highest=64),
            secret_keys=reader.secrets("SECRET_KEYS"),
            audit_key=reader.text("AUDIT_KEY"),
            checkpoints=reader.own_folder("CHECKPOINTS"),
            public_url=reader.web_address("PUBLIC_URL"),
            postgres_bin=reader.folder("POSTGRES_BIN"),
            log=reader.choice("LOG", "json", "text"),
            attempts_days=reader.number(
                "ATTEMPTS_DAYS", cls.attempts_days, lowest=1, highest=36500
            ),
            forget_after_days=reader.number("FORGET_AFTER_DAYS", None, lowest=1, highest=36500),
        )
        reader.raise_errors()
        return replace(settings, public_url=settings.public_url or settings.local_url)


def unused_settings(environment: Mapping[str, str]) -> list[str]:
    """Settings of ours by name that this version does not read: mostly typing errors."""
    known = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


class _Reader:
    """Reads one setting at a time and remembers what was wrong with each."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._errors: list[str] = []

    def raise_errors(self) -> None:
        if self._errors:
            raise SettingsError("\n".join(self._errors))

    def text(self, name: str) -> str:
        text = self._environment.get(PREFIX + name, "").strip()
        if not text.isprintable():  # nor is a byte that is not UTF-8
            self._refuse(name, "must be printable characters in UTF-8")
            return ""
        return text

    def number(self, name: str, default: N, *, lowest: int, highest: int) -> int | N:
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
            self._refuse(name, f"must be a whole number from {lowest} to {highest}, not {text!r}")
            return default
        return int(text[:9])

    def choice(self, name: str, *allowed: str) -> str | None:
        text = self.text(name)
        if text and text not in allowed:
            self._refuse(name, f"must be {' or '.join(allowed)}, not {text!r}")
        return text or None

    def ip_address(self, name: str, default: str) -> str:
        text = self.text(name)
        address = {"": default, "localhost": "127.0.0.1"}.get(text, text)
        try:
            known: IPv4Address | IPv6Address | None = ip_address(address)
        except ValueError:
            known = None
        if known is None or "%" in text:  # the web server knows no scopes
            self._refuse(name, f"must be an IP address of this machine, not {text!r}")
            return default
        return str(known)

    def database_url(self, name: str) -> str | None:
        """The URL is never repeated: it may hold a password."""
        text = self.text(name)
        if not text:
            return None
        # Not needed where the database is the embedded one, and slow to load.
        from application.eventstore import conninfo

        try:
            conninfo.check(text)
        except conninfo.InvalidConninfo as error:
            self._refuse(name, str(error))
            return None
        return text

    def web_address(self, name: str) -> str:
        text = self.text(name).rstrip("/")
        try:
            parts = urlsplit(text)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if text and (not usable or any(sign in text for sign in " ?#@")):
            self._refuse(name, f"must be an http:// or https:// address, not {text!r}")
        return text

    def secrets(self, name: str) -> tuple[str, ...]:
        keys = tuple(key.strip() for key in self.text(name).split(",") if key.strip())
        if any(len(key) < SHORTEST_SECRET for key in keys):
            self._refuse(name, f"must be keys of at least {SHORTEST_SECRET} characters")
        return keys

    def own_folder(self, name: str) -> Path | None:
        """A folder that is made where it is not there yet."""
        text = self.text(name)
        if text and os.path.exists(text) and not os.path.isdir(text):
            self._refuse(name, f"must be a folder, and {text!r} is not")
        return Path(text).absolute() if text else None

    def folder(self, name: str) -> Path | None:
        text = self.text(name)
        if text and not os.path.isdir(text):
            self._refuse(name, f"must be a folder, and {text!r} is not")
        return Path(text) if text else None

    def _refuse(self, name: str, why: str) -> None:
        self._errors.append(f"{PREFIX}{name} {why}.")
