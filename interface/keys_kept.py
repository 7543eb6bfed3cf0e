"""Keys that are made once and kept in the data folder, where none are set."""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from application.checkpoints import Signer
from application.proofs import ProofError
from interface.settings import PREFIX, Settings, SettingsError


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The keys that sign tokens, newest first.

    Raises `SettingsError` when the file for them can't be used.
    """
    if settings.secret_keys:
        return settings.secret_keys
    path = settings.data / "secret_keys"
    keys = tuple(_kept("secret keys", path, lambda: secrets.token_urlsafe(48)).split())
    if not keys:
        raise SettingsError(f"There is no secret key in {path}.")
    return keys


def signer(settings: Settings) -> Signer:
    """Who signs heads of the log, named after the service's address when the key was made.

    Raises `SettingsError`.
    """
    name = re.sub(r"[^A-Za-z0-9.:-]", "-", urlsplit(settings.public_url).netloc)
    path = settings.data / "audit_key"
    text = settings.audit_key or _kept(
        "audit key", path, lambda: Signer(name or "admitone", secrets.token_bytes(32)).private_key()
    )
    try:
        return Signer.parse(text.strip())
    except ProofError as error:
        where = f"{PREFIX}AUDIT_KEY" if settings.audit_key else str(path)
        raise SettingsError(f"{where} can't be used: {error}.") from error


def _kept(what: str, path: Path, make: Callable[[], str]) -> str:
    """What is in the file, which is made if it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create_whole(path, make())
        return path.read_text()
    except OSError as error:
        why = error.strerror
        raise SettingsError(f"The {what} can't be kept in {path}: {why}.") from error


def _create_whole(path: Path, text: str) -> None:
    """Create a file of mode 0600 with all its text, unless somebody was first."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
