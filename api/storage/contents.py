"""Bytes by their SHA-256, in a folder: there whole and flushed to the disk, or not at all."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Bytes that were written down but are not kept yet."""

    path: Path
    sha256: str


class Source(Protocol):
    """What bytes are read from."""

    def read(self, length: int, /) -> bytes:
        """Return some of them, or none at the end."""


class Contents:
    """The bytes that cases are made of.

    Args:
        folder: Where they lie; of nobody else.
    """

    is_elsewhere = False  # whether they are kept anywhere but in the folder

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arriving = folder / "arriving"
        self._arriving.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left_over in self._arriving.iterdir():
            left_over.unlink()

    def path(self, sha256: str) -> Path:
        """Return where bytes of this digest are, or would be."""
        return path_of(self._folder, sha256)

    def bring(self, sha256: str) -> None:
        """Have bytes in the folder, where they always are."""

    def arrive(self, source: Source) -> Arrived:
        """Write bytes down and tell their digest; nobody finds them before they are kept."""
        path, digest = self._arriving / secrets.token_hex(12), hashlib.sha256()
        whole = False
        try:
            with path.open("wb") as copy:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            whole = True
        finally:
            if not whole:
                path.unlink(missing_ok=True)
        return Arrived(path=path, sha256=digest.hexdigest())

    def keep(self, arrived: Arrived) -> None:
        """Put bytes where they are found."""
        place = self.path(arrived.sha256)
        if place.exists():
            self.drop(arrived)
            return
        if not place.parent.exists():
            place.parent.mkdir(mode=0o700)
            flush_folder(self._folder)
        arrived.path.rename(place)
        flush_folder(place.parent)

    def drop(self, arrived: Arrived) -> None:
        """Remove bytes that are not to be kept."""
        arrived.path.unlink(missing_ok=True)

    def delete(self, sha256: str) -> None:
        """Remove bytes that nothing needs any more."""
        self.path(sha256).unlink(missing_ok=True)

    def all(self) -> Iterator[str]:
        """Yield every digest that there are bytes of."""
        for folder in self._folder.iterdir():
            if folder != self._arriving:
                yield from (path.name for path in folder.iterdir())


def path_of(folder: Path, sha256: str) -> Path:
    """Return where bytes lie among the contents in ``folder``."""
    return folder / sha256[:2] / sha256


def flush_folder(folder: Path) -> None:
    """Have the names in a folder outlive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
