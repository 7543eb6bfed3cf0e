"""Secret keys: from the settings, or created once and stored in the data folder.

There may be several of a kind, newest first: the newest signs, and all are accepted. So a key can
be exchanged while everything that the older ones signed goes on working.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from application.key_fingerprints import KeyKind, Keys, KnownKey, fingerprint
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.verifier import ProofError
from domain.errors import AdmitOneError
from interface.private_files import create_private, replace_private
from interface.settings import PREFIX, Settings, SettingsError
from projections.evidence.checkpoint_store import CheckpointStore

FILES = {KeyKind.SECRET: "secret_keys", KeyKind.AUDIT: "audit_key"}
"""The names of the files of keys, in the data folder."""
_SETTINGS = {KeyKind.SECRET: f"{PREFIX}SECRET_KEYS", KeyKind.AUDIT: f"{PREFIX}AUDIT_KEY"}


class KeysAreSettings(AdmitOneError):
    """The keys are in the settings, so they have to be changed there."""


class KeyMissing(AdmitOneError):
    """A key that the service has used is missing."""


class KeyInUse(AdmitOneError):
    """This is the newest key, which signs. Put a newer one before it first."""


_LOSSES = {
    KeyKind.SECRET: "the links, feeds and sign-in links that it signed stop working, and webhooks"
    " whose secrets it encrypted need new ones",
    KeyKind.AUDIT: "checkpoints that only it signed can't be verified here any more: move them out"
    " of the folder of checkpoints, and keep them with its public key",
}


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """Returns the keys that sign tokens, newest first. Creates the first.

    Raises `SettingsError` if their file can't be used.
    """
    return _keys(settings, KeyKind.SECRET, new_secret)


def new_secret() -> str:
    """Returns a new key that signs tokens, which is not stored yet."""
    return secrets.token_urlsafe(48)


def store_secret(settings: Settings, key: str) -> None:
    """Stores the first key that signs tokens. Raises `SettingsError`."""
    if _keys(settings, KeyKind.SECRET, lambda: key) != (key,):
        path = settings.data / FILES[KeyKind.SECRET]
        raise SettingsError(f"Another process has just created {path}: start again.")


def checkpoint_signer(settings: Settings) -> CheckpointSigner:
    """Returns the signer of checkpoints. Its name is the public address at its creation.

    Raises `SettingsError`.
    """
    keys = _keys(settings, KeyKind.AUDIT, lambda: _new_signer(_log_name(settings)).private_key())
    try:
        newest, *earlier = (CheckpointSigner.parse(key) for key in keys)
        return newest.endorsed_by(earlier)
    except ProofError as error:
        where = place(settings, KeyKind.AUDIT)
        raise SettingsError(f"{where} can't be used: {error}.") from error


def checkpoint_store(settings: Settings) -> CheckpointStore:
    """Returns the checkpoints of this installation. Raises `SettingsError`."""
    keys = checkpoint_signer(settings).verifier_keys()
    return CheckpointStore(settings.checkpoints_folder, *keys)


def existing_keys(settings: Settings) -> Keys:
    """Returns the keys that there are, without creating any. Raises `SettingsError`."""
    return {kind: _existing(settings, kind) for kind in KeyKind}


def require_existing(settings: Settings, kind: KeyKind) -> Sequence[str]:
    """Returns the keys of a kind, newest first. Raises `SettingsError` if there are none.

    For commands that are about the keys of a service: others would say nothing of use.
    """
    keys = _existing(settings, kind)
    if not keys:
        raise SettingsError(
            f"There is no {_what(kind)} in {place(settings, kind)}. Give the command the settings"
            " of the service, or start the service there first."
        )
    return keys


def place(settings: Settings, kind: KeyKind) -> str:
    """Returns where the keys of a kind are: the name of a setting, or a path."""
    return _SETTINGS[kind] if configured(settings, kind) else str(settings.data / FILES[kind])


def rotate(settings: Settings, kind: KeyKind) -> str:
    """Puts a new key before the others in their file, and returns its fingerprint.

    The service signs with it from its next start on. Raises `KeysAreSettings` and `SettingsError`.
    """
    if configured(settings, kind):
        raise KeysAreSettings(
            f"The keys are in {_SETTINGS[kind]}: put a new one before the others there, with a"
            " comma between them."
        )
    older = require_existing(settings, kind)
    if kind is KeyKind.AUDIT:
        key = _new_signer(checkpoint_signer(settings).name).private_key()
    else:
        key = new_secret()
    _write(settings, kind, [key, *older])
    return fingerprint(key)


def remove(settings: Settings, dropped: str) -> bool:
    """Removes the key with this fingerprint from its file. Returns False if it is not there.

    Raises `KeyInUse` for the newest of a kind, `KeysAreSettings` and `SettingsError`.
    """
    for kind, keys in existing_keys(settings).items():
        left = [key for key in keys if fingerprint(key) != dropped]
        if len(left) == len(keys):
            continue
        if fingerprint(keys[0]) == dropped:
            raise KeyInUse
        if configured(settings, kind):
            raise KeysAreSettings(f"The key is in {_SETTINGS[kind]}: take it out there first.")
        _write(settings, kind, left)
        return True
    return False


def configured(settings: Settings, kind: KeyKind) -> tuple[str, ...]:
    """Returns the keys of a kind that the settings name, newest first."""
    if kind is KeyKind.SECRET:
        return settings.secret_keys
    return tuple(key for key in re.split(r"[\s,]+", settings.audit_key) if key)


def _keys(settings: Settings, kind: KeyKind, make: Callable[[], str]) -> tuple[str, ...]:
    """Returns the keys of a kind, newest first. Creates their file if it does not exist."""
    if keys := configured(settings, kind):
        return keys
    path = settings.data / FILES[kind]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with suppress(FileExistsError), create_private(path) as file:
                file.write(f"{make()}\n".encode())
    except OSError as error:
        raise _unusable(kind, path, error) from error
    keys = _read(kind, path)
    if not keys:
        raise SettingsError(f"There is no {_what(kind)} in {path}.")
    return keys


def _existing(settings: Settings, kind: KeyKind) -> tuple[str, ...]:
    return configured(settings, kind) or _read(kind, settings.data / FILES[kind])


def _read(kind: KeyKind, path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text().split())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(kind, path, error) from error


def _write(settings: Settings, kind: KeyKind, keys: Sequence[str]) -> None:
    """Replaces the file as a whole, so that no key is lost if that fails."""
    path = settings.data / FILES[kind]
    try:
        replace_private(path, "".join(f"{key}\n" for key in keys).encode())
    except OSError as error:
        raise _unusable(kind, path, error) from error


def _unusable(kind: KeyKind, path: Path, error: OSError) -> SettingsError:
    what = "secret keys" if kind is KeyKind.SECRET else "audit key"
    return SettingsError(f"The {what} can't be stored in {path}: {error.strerror}.")


def _what(kind: KeyKind) -> str:
    return "secret key" if kind is KeyKind.SECRET else "audit key"


def _log_name(settings: Settings) -> str:
    return re.sub(r"[^A-Za-z0-9.:-]", "-", urlsplit(settings.public_url).netloc) or "admitone"


def _new_signer(name: str) -> CheckpointSigner:
    return CheckpointSigner(name, secrets.token_bytes(32))


def refuse_without(settings: Settings, missing: Sequence[KnownKey]) -> None:
    """Raises `KeyMissing`, which says what to do, if a key that the service has used is missing."""
    for lost in missing:
        raise KeyMissing(
            f"The {_what(lost.kind)} {lost.fingerprint}, in use since"
            f" {lost.recorded_at:%Y-%m-%d}, is not in {place(settings, lost.kind)}. Nothing was"
            " changed. Put it back there, after newer ones, or bring it back from a backup. If it"
            f" is lost for good, run `admitone secrets drop {lost.fingerprint}`: then"
            f" {_LOSSES[lost.kind]}."
        )
