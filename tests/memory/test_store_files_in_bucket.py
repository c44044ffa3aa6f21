"""Files whose bytes lie in an S3 bucket, on a real server of that protocol on loopback."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from memory.files.file_store import MAX_SIZE
from tests.memory.test_keep_files import URL, b64, content_of, create

if TYPE_CHECKING:
    from rest_framework.test import APIClient

KEYS = {"access_key": "test", "secret_key": "test", "region_name": "us-east-1"}


@pytest.fixture
def bucket(settings: Any) -> Iterator[Any]:
    """An empty bucket that the product is set to."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    bucket_resource = boto3.resource(
        "s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    ).create_bucket(Bucket="files")
    options = KEYS | {"bucket_name": "files", "endpoint_url": url, "location": "regente", "file_overwrite": False}
    storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"files": storage}
    yield bucket_resource
    server.stop()


def test_bytes_lie_in_the_bucket_and_go_with_their_file(
    api: "APIClient", bucket: Any, django_capture_on_commit_callbacks: Any
) -> None:
    content = bytes(range(256)) * 300
    id = create(api, content).json()["id"]
    assert [entry.size for entry in bucket.objects.all()] == [len(content)]
    assert content_of(api, id) == content and len(content) < MAX_SIZE
    chunk = api.get(f"{URL}/{id}/chunks", {"chunk": 1, "size": 65536}).json()
    assert (chunk["totalChunks"], chunk["isLast"], chunk["content"]) == (2, True, b64(content[65536:]))
    api.put(f"{URL}/{id}", {"content": b64(b"new")}, format="json")
    assert (content_of(api, id), content_of(api, id, version=1)) == (b"new", content)
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"{URL}/{id}").status_code == 204
    assert list(bucket.objects.all()) == []
