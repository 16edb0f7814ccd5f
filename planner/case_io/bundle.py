"""Where the files of a case come from: a folder, or the same thing zipped.

Nothing outside the bundle is read: no absolute path, no way up, no link that leads out. Sizes are
checked before anything is unpacked.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from geometry.mesh_files import MAX_FILE_BYTES
from planner.errors import CaseError

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_BUNDLE_BYTES = 1024 * 1024 * 1024
MAX_ENTRIES = 2000
MAX_RATIO = 200
_RATIO_MATTERS_BYTES = 1024 * 1024
_NAME = "case.json"
_ENCRYPTED = 0x1


@contextmanager
def opened_bundle(path: Path) -> "Iterator[FolderBundle | ZipBundle]":
    """Open the bundle at ``path``: a folder, the case.json in it, or a .zip file.

    Raises:
        CaseError: If there is no bundle.
    """
    if path.is_dir():
        yield FolderBundle(path)
    elif path.is_file() and path.name == _NAME:
        yield FolderBundle(path.parent)
    elif path.is_file() and path.suffix.lower() == ".zip":
        with _opened_archive(path) as archive:
            yield ZipBundle(archive)
    else:
        raise CaseError(
            f"{path} is neither a folder with a {_NAME} nor a .zip of one",
            field="case", code="missing-case",
        )  # fmt: skip


class FolderBundle:
    """A folder with case.json in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def document(self) -> bytes:
        """Return case.json.

        Raises:
            CaseError: ``missing-file`` or ``too-large``.
        """
        return self._read(self._folder / _NAME, _NAME, MAX_DOCUMENT_BYTES)

    def file(self, name: str) -> bytes:
        """Return a file by its path within the folder.

        Raises:
            CaseError: ``missing-file``, ``unsafe-path`` or ``too-large``.
        """
        safe_parts(name)
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise _unsafe(name, "a link leads out of the folder")
        return self._read(path, name, MAX_FILE_BYTES)

    @staticmethod
    def _read(path: Path, name: str, limit: int) -> bytes:
        if not path.is_file():
            raise _missing(name, "folder")
        size = path.stat().st_size
        if size > limit:
            raise _too_large(name, size, limit)
        return path.read_bytes()


class ZipBundle:
    """A zip file with case.json at its top, or in its one top folder."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries = _checked_entries(archive)
        tops = {parts[0] for parts in self._entries if len(parts) > 1}
        inside = (_NAME,) not in self._entries and len(tops) == 1
        self._top: tuple[str, ...] = (tops.pop(),) if inside else ()

    def document(self) -> bytes:
        """Return case.json."""
        return self._read(_NAME, MAX_DOCUMENT_BYTES)

    def file(self, name: str) -> bytes:
        """Return a file by its path beside case.json.

        Raises:
            CaseError: ``missing-file``, ``unsafe-path``, ``too-large`` or ``bad-zip``.
        """
        return self._read(name, MAX_FILE_BYTES)

    def _read(self, name: str, limit: int) -> bytes:
        entry = self._entries.get((*self._top, *safe_parts(name)))
        if entry is None:
            raise _missing(name, "zip file")
        if entry.file_size > limit:
            raise _too_large(name, entry.file_size, limit)
        try:
            with self._archive.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError,
                RuntimeError) as error:  # fmt: skip
            raise CaseError(
                f"{name!r} cannot be unpacked: {error}; zip the case again",
                field="case", code="bad-zip",
            ) from None  # fmt: skip
        if len(data) != entry.file_size:
            raise CaseError(
                f"{name!r} is not of the size that the zip file declares",
                field="case", code="bad-zip",
            )  # fmt: skip
        return data


def _opened_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise CaseError(
            f"{path.name} is no readable zip file: {error}", field="case", code="bad-zip"
        ) from None


def safe_parts(name: str) -> tuple[str, ...]:
    """Return the parts of a relative path that stays where it is.

    Raises:
        CaseError: ``unsafe-path`` for an absolute path, a drive, ``..``, a backslash or NUL.
    """
    path = PurePosixPath(name)
    if not name or "\\" in name or "\0" in name or ":" in name:
        raise _unsafe(name, "it holds a character that no plain relative path has")
    if path.is_absolute() or ".." in path.parts:
        raise _unsafe(name, "it leads out of the bundle")
    if not path.parts:
        raise _unsafe(name, "it names no file")
    return path.parts


def _checked_entries(archive: zipfile.ZipFile) -> dict[tuple[str, ...], zipfile.ZipInfo]:
    """Return the files of an archive by their paths, none of which can do harm."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise _bomb(f"it has {len(entries)} entries, more than {MAX_ENTRIES}")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_BUNDLE_BYTES:
        raise _bomb(f"it unpacks to {total} bytes, more than {MAX_BUNDLE_BYTES}")
    found: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    for entry in entries:
        parts = safe_parts(entry.filename)
        if entry.is_dir():
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _unsafe(entry.filename, "it is a link")
        if entry.flag_bits & _ENCRYPTED:
            raise CaseError(
                f"{entry.filename!r} is encrypted; zip the case without a password",
                field="case", code="bad-zip",
            )  # fmt: skip
        swollen = entry.file_size > MAX_RATIO * max(entry.compress_size, 1)
        if swollen and entry.file_size > _RATIO_MATTERS_BYTES:
            raise _bomb(f"{entry.filename!r} unpacks to more than {MAX_RATIO} times its size")
        if parts in found:
            raise CaseError(
                f"the zip file holds {entry.filename!r} twice", field="case", code="bad-zip"
            )
        found[parts] = entry
    return found


def _missing(name: str, where: str) -> CaseError:
    return CaseError(
        f"{name!r} is not in the {where}; paths are relative to {_NAME}",
        field="file", code="missing-file",
    )  # fmt: skip


def _unsafe(name: str, why: str) -> CaseError:
    return CaseError(f"the path {name[:200]!r} is refused: {why}", field="file", code="unsafe-path")


def _too_large(name: str, size: int, limit: int) -> CaseError:
    return CaseError(
        f"{name!r} has {size} bytes, more than {limit}", field="file", code="too-large"
    )


def _bomb(why: str) -> CaseError:
    return CaseError(f"the zip file is refused: {why}", field="case", code="zip-bomb")
