"""Secret keys: from the settings, or created once and stored in the data folder."""

import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.verifier import ProofError
from interface.private_files import create_private
from interface.settings import PREFIX, Settings, SettingsError
from projections.evidence.checkpoint_store import CheckpointStore


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """Returns the keys that sign tokens, newest first.

    Raises `SettingsError` if their file can't be used.
    """
    if settings.secret_keys:
        return settings.secret_keys
    path = settings.data / "secret_keys"
    keys = tuple(_stored("secret keys", path, lambda: secrets.token_urlsafe(48)).split())
    if not keys:
        raise SettingsError(f"There is no secret key in {path}.")
    return keys


def checkpoint_signer(settings: Settings) -> CheckpointSigner:
    """Returns the signer of checkpoints. Its name is the public address at its creation.

    Raises `SettingsError`.
    """
    name = re.sub(r"[^A-Za-z0-9.:-]", "-", urlsplit(settings.public_url).netloc)
    path = settings.data / "audit_key"
    text = settings.audit_key or _stored(
        "audit key", path, lambda: _new_signer(name or "admitone").private_key()
    )
    try:
        return CheckpointSigner.parse(text.strip())
    except ProofError as error:
        where = f"{PREFIX}AUDIT_KEY" if settings.audit_key else str(path)
        raise SettingsError(f"{where} can't be used: {error}.") from error


def checkpoint_store(settings: Settings) -> CheckpointStore:
    """Returns the checkpoints of this installation. Raises `SettingsError`."""
    key = checkpoint_signer(settings).verifier_key()
    return CheckpointStore(settings.checkpoints_folder, key)


def _new_signer(name: str) -> CheckpointSigner:
    return CheckpointSigner(name, secrets.token_bytes(32))


def _stored(what: str, path: Path, make: Callable[[], str]) -> str:
    """Returns the text of the file. Creates the file first if it does not exist."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with suppress(FileExistsError), create_private(path) as file:
                file.write(f"{make()}\n".encode())
        return path.read_text()
    except OSError as error:
        why = error.strerror
        raise SettingsError(f"The {what} can't be stored in {path}: {why}.") from error
