"""Bytes in an object store: the same promises, whichever store; S3 spoken for real by moto."""

import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.problems import StorageError, UnknownIdError
from api.storage.bundle import CaseBundle, read_bundle
from api.storage.database import Database
from api.storage.objects import ObjectContents
from api.storage.store import Store

ME = "me"
DESCRIPTION = {"name": "a case", "digest": "d", "structures": []}


def bundle(content: bytes = b"one") -> CaseBundle:
    return CaseBundle(document=b'{"name": "x"}', files={"L3.ply": io.BytesIO(content)})


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    if importlib.util.find_spec("moto") is None:
        pytest.skip("needs moto, a server that speaks S3, from the dev group")
    server = importlib.import_module("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    stated = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in stated}
    os.environ.update(stated)
    boto3 = importlib.import_module("boto3")
    boto3.client("s3", endpoint_url=stated["AWS_ENDPOINT_URL"]).create_bucket(Bucket="spines")
    yield "s3://spines"
    server.stop()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return (tmp_path / "objects").as_uri()
    address: str = request.getfixturevalue("s3")
    return f"{address}/{request.node.name.partition('[')[0]}"


class Kept:
    """A store whose bytes are elsewhere."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        folder.mkdir(exist_ok=True)
        self.database = Database(folder)
        self.store = Store(folder, self.database, url)

    def accepted(self, content: bytes = b"one") -> str:
        return self.store.accept(self.store.arrive(bundle(content), ME), DESCRIPTION, ME).case_id

    def elsewhere(self) -> set[str]:
        other = ObjectContents(self.folder.parent / "probe", self.url)
        return set(other.all())


@pytest.fixture
def kept(tmp_path: Path, url: str) -> Iterator[Kept]:
    opened = Kept(tmp_path / "data", url)
    yield opened
    opened.database.close()


def test_bytes_are_brought_back_when_the_folder_has_lost_them(kept: Kept) -> None:
    case_id = kept.accepted()
    for path in (kept.folder / "contents").rglob("*"):
        if path.is_file():
            path.unlink()
    folder = kept.store.at_hand(case_id)
    assert read_bundle(folder) == ({"name": "x"}, {"L3.ply": b"one"})


def test_deleting_a_case_deletes_its_bytes_from_the_store_unless_another_needs_them(
    kept: Kept,
) -> None:
    mark = kept.elsewhere()
    one, two = kept.accepted(b"shared"), kept.accepted(b"shared")
    assert len(kept.elsewhere() - mark) == 2
    kept.store.delete_case(one, ME)
    assert len(kept.elsewhere() - mark) == 2
    kept.store.delete_case(two, ME)
    assert kept.elsewhere() == mark
    with pytest.raises(UnknownIdError):
        kept.store.at_hand(two)


def test_what_a_crash_left_in_the_store_is_removed_at_the_next_start(kept: Kept) -> None:
    case_id = kept.accepted()
    known = kept.elsewhere()
    kept.store.arrive(bundle(b"half"), ME)
    assert kept.elsewhere() > known
    kept.database.close()
    again = Kept(kept.folder, kept.url)
    assert again.elsewhere() == known
    assert read_bundle(again.store.at_hand(case_id))[1] == {"L3.ply": b"one"}
    again.database.close()


def test_a_store_of_another_database_is_refused_and_left_as_it_is(
    kept: Kept, tmp_path: Path
) -> None:
    kept.accepted()
    known = kept.elsewhere()
    with pytest.raises(RuntimeError, match="of its own"):
        Kept(tmp_path / "other", kept.url)
    assert kept.elsewhere() == known


def test_other_bytes_in_the_place_of_a_digest_are_not_taken(tmp_path: Path) -> None:
    url = (tmp_path / "objects").as_uri()
    contents = ObjectContents(tmp_path / "cache", url)
    arrived = contents.arrive(io.BytesIO(b"true"))
    contents.keep(arrived)
    contents.let_go(arrived.sha256)
    contents.bring(arrived.sha256)
    assert contents.path(arrived.sha256).read_bytes() == b"true"
    contents.let_go(arrived.sha256)
    (tmp_path / "objects" / arrived.sha256[:2] / arrived.sha256).write_bytes(b"false")
    with pytest.raises(StorageError, match="other bytes"):
        contents.bring(arrived.sha256)
    assert not contents.path(arrived.sha256).exists()
    with pytest.raises(StorageError, match="asked"):
        contents.bring("0" * 64)
