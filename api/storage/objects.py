"""Bytes by their SHA-256 in an object store, with the folder as a cache of them."""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from api.problems import StorageError
from api.storage.contents import Arrived, Contents


class ObjectContents(Contents):
    """Contents that are kept in an object store.

    Args:
        folder: A cache of them; of nobody else.
        url: Such as s3://bucket/prefix; of nobody else either.

    Raises:
        RuntimeError: If it cannot be used.
    """

    is_elsewhere = True

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        try:
            self._objects: Any = import_module("obstore")
            self._store = import_module("obstore.store").from_url(url, **_options(url))
        except ModuleNotFoundError as error:
            raise RuntimeError(
                "an object store needs one more package: pip install 'trocar[objects]'"
            ) from error
        except (ValueError, OSError) as error:
            raise RuntimeError(f"TROCAR_OBJECT_STORE cannot be used: {error}") from error

    def keep(self, arrived: Arrived) -> None:
        """Put bytes into the store, then where they are found here."""
        with self._reached():
            self._objects.put(self._store, _key(arrived.sha256), arrived.path)
        super().keep(arrived)

    def bring(self, sha256: str) -> None:
        """Have bytes in the folder.

        Raises:
            StorageError: If the store has none of that digest, or others in its place, or cannot be
                reached.
        """
        if self.path(sha256).exists():
            return
        with self._reached():
            arrived = self.arrive(_Reader(self._objects.get(self._store, _key(sha256)).stream()))
        if arrived.sha256 != sha256:
            self.drop(arrived)
            raise StorageError(f"the object store has other bytes in the place of {sha256}")
        super().keep(arrived)

    def let_go(self, sha256: str) -> None:
        """Remove bytes here; they stay in the store."""
        super().delete(sha256)

    def delete(self, sha256: str) -> None:
        """Remove bytes here and from the store."""
        super().delete(sha256)
        with self._reached(), contextlib.suppress(FileNotFoundError):  # which not all stores mind
            self._objects.delete(self._store, _key(sha256))

    def all(self) -> Iterator[str]:
        """Yield every digest that there are bytes of, here or in the store."""
        here = set(super().all())
        yield from here
        with self._reached():
            for page in self._objects.list(self._store):
                names = (Path(str(one["path"])).name for one in page)
                yield from (name for name in names if name not in here)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Say what is the matter where the store does not do what it is asked.

        Raises:
            StorageError: If it does not.
        """
        try:
            yield
        except (self._objects.exceptions.BaseError, FileNotFoundError) as error:
            raise StorageError("the object store does not give or take what it is asked") from error


class _Reader:
    """Reads a stream of chunks, of whatever length they come in."""

    def __init__(self, chunks: Any) -> None:  # noqa: ANN401  a type of obstore's
        self._chunks = iter(chunks)

    def read(self, _: int = -1) -> bytes:
        """Return the next chunk, or nothing at the end."""
        return bytes(next(self._chunks, b""))


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def _options(url: str) -> dict[str, Any]:
    """Return what a kind of store needs besides its address; S3 reads the rest from ``AWS_*``."""
    return {"mkdir": True} if url.startswith("file:") else {}
