"""Keys that let clients in: made and revoked by command, kept as hashes in a file of the owner's.

A file rather than the database, which belongs to the running service: a key that is revoked is
refused from the next request on.
"""

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from api.storage.clock import now
from api.storage.contents import flush_folder
from planner.errors import RequestError

FILE = "keys.json"
_PREFIX = "trocar"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key: not the key itself.

    Attributes:
        key_id: Its first part, and the owner of what is handed in with it.
        name: What its maker called it.
        sha256: Of the whole key. Not salted or slowed: 256 random bits cannot be guessed.
    """

    key_id: str
    name: str
    created: str
    sha256: str
    revoked: bool = False


class KeyRing:
    """The keys in a file, read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Return all keys, revoked ones too."""
        return list(self._current().values())

    def owner_of(self, shown: str) -> str | None:
        """Return whose key was shown, or None if it lets nobody in."""
        _, _, rest = shown.partition("_")
        key = self._current().get(rest.partition("_")[0])
        digest = hashlib.sha256(shown.encode()).hexdigest()
        if key is None or key.revoked or not hmac.compare_digest(digest, key.sha256):
            return None
        return key.key_id

    def add(self, name: str) -> str:
        """Make a key and return it; it cannot be read again."""
        key_id = secrets.token_hex(4)
        shown = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        digest = hashlib.sha256(shown.encode()).hexdigest()
        key = Key(key_id=key_id, name=name, created=now(), sha256=digest)
        self._write({**self._current(), key_id: key})
        return shown

    def revoke(self, key_id: str) -> None:
        """Let a key in no more.

        Raises:
            RequestError: If there is no such key.
        """
        keys = self._current()
        if key_id not in keys:
            raise RequestError(
                f"{key_id[:100]!r} is no key here; there are: {', '.join(keys) or 'none'}",
                field="key", code="unknown-key",
            )  # fmt: skip
        self._write({**keys, key_id: replace(keys[key_id], revoked=True)})

    def _current(self) -> dict[str, Key]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        if self._read_at != (found.st_mtime_ns, found.st_ino):
            rows = json.loads(self._path.read_text())["keys"]
            self._keys = {row["key_id"]: Key(**row) for row in rows}
            self._read_at = (found.st_mtime_ns, found.st_ino)
        return self._keys

    def _write(self, keys: dict[str, Key]) -> None:
        """Put a whole new file in the place of the old one."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = self._path.with_suffix(f".{secrets.token_hex(4)}")
        aside.touch(mode=0o600, exist_ok=False)
        with aside.open("w") as written:
            json.dump({"keys": [asdict(key) for key in keys.values()]}, written, indent=2)
            written.flush()
            os.fsync(written.fileno())
        aside.rename(self._path)
        flush_folder(self._path.parent)
