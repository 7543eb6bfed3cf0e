"""What an operator can set, all of it in the environment, checked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "ADMITONE_"
SHORTEST_SECRET = 32


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
    """ADMITONE_HOST: the address to listen on."""
    port: int = 8000
    """ADMITONE_PORT: 1 to 65535."""
    workers: int = 2
    """ADMITONE_WORKERS: web processes, 1 to 64."""
    secret_keys: tuple[str, ...] = ()
    """ADMITONE_SECRET_KEYS: comma-separated, newest first, 32 characters or more each.
    Unset: made once and kept in the data folder."""
    public_url: str = ""
    """ADMITONE_PUBLIC_URL: how people reach the service. Unset: host and port."""
    postgres_bin: Path | None = None
    """ADMITONE_POSTGRES_BIN: the folder of other PostgreSQL programs than the embedded ones."""

    @property
    def local_url(self) -> str:
        """How this machine itself reaches the service."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read and check all settings. Raises `SettingsError`, naming every wrong one."""
        reader = _Reader(environment)
        settings = cls(
            database_url=reader.database_url("DATABASE_URL"),
            data=Path(reader.text("DATA") or cls.data).absolute(),
            host=reader.text("HOST") or cls.host,
            port=reader.number("PORT", cls.port, lowest=1, highest=65535),
            workers=reader.number("WORKERS", cls.workers, lowest=1, highest=64),
            secret_keys=reader.secrets("SECRET_KEYS"),
            public_url=reader.web_address("PUBLIC_URL"),
            postgres_bin=reader.folder("POSTGRES_BIN"),
        )
        reader.raise_errors()
        return replace(settings, public_url=settings.public_url or settings.local_url)


def unused_settings(environment: Mapping[str, str]) -> list[str]:
    """Settings of ours by name that this version does not read: mostly typing errors."""
    known = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._errors: list[str] = []

    def raise_errors(self) -> None:
        if self._errors:
            raise SettingsError("\n".join(self._errors))

    def text(self, name: str) -> str:
        return self._environment.get(PREFIX + name, "").strip()

    def number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
            self._refuse(name, f"must be a whole number from {lowest} to {highest}, not {text!r}")
            return default
        return int(text)

    def database_url(self, name: str) -> str | None:
        text = self.text(name)
        if text and not text.startswith(("postgresql://", "postgres://")) and "=" not in text:
            self._refuse(name, "must start with postgresql:// or be libpq's key=value pairs")
        return text or None

    def web_address(self, name: str) -> str:
        text = self.text(name).rstrip("/")
        parts = urlsplit(text)
        if text and (parts.scheme not in ("http", "https") or not parts.hostname):
            self._refuse(name, f"must be an http:// or https:// address, not {text!r}")
        return text

    def secrets(self, name: str) -> tuple[str, ...]:
        keys = tuple(key.strip() for key in self.text(name).split(",") if key.strip())
        if any(len(key) < SHORTEST_SECRET for key in keys):
            self._refuse(name, f"must be keys of at least {SHORTEST_SECRET} characters")
        return keys

    def folder(self, name: str) -> Path | None:
        text = self.text(name)
        if text and not Path(text).is_dir():
            self._refuse(name, f"must be a folder, and {text!r} is not")
        return Path(text) if text else None

    def _refuse(self, name: str, why: str) -> None:
        self._errors.append(f"{PREFIX}{name} {why}.")
