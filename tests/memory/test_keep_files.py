"""/api/v1/files: bytes come back as they were sent, in one piece or in chunks, version by version, to their tenant."""

import base64
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import storages

from memory.files.file_store import MAX_SIZE
from memory.models import FileVersion
from tests.factories import log_in, make_user

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

URL = "/api/v1/files"


def b64(content: bytes) -> str:
    """As clients send it."""
    return base64.b64encode(content).decode()


def create(api: "APIClient", content: bytes = b"hello", path: str = "documents/a.txt", **more: Any) -> Any:
    """The answer to an upload."""
    return api.post(URL, {"path": path, "content": b64(content), **more}, format="json")


def content_of(api: "APIClient", id: str, **query: Any) -> bytes:
    """The bytes of a file."""
    return base64.b64decode(api.get(f"{URL}/{id}", query).json()["content"])


def test_what_is_sent_comes_back(api: "APIClient") -> None:
    body = create(api, bytes(range(256)), "pictures/x.png").json()
    assert (body["size"], body["mime_type"], body["version"], body["run_id"]) == (256, "image/png", 1, None)
    assert content_of(api, body["id"]) == bytes(range(256))


def test_each_content_is_a_version_that_can_still_be_read(api: "APIClient") -> None:
    id = create(api, b"one").json()["id"]
    assert api.put(f"{URL}/{id}", {"content": b64(b"two!")}, format="json").json()["version"] == 2
    assert (content_of(api, id), content_of(api, id, version=1)) == (b"two!", b"one")
    versions = api.get(f"{URL}/{id}/versions").json()
    assert [(row["version"], row["size"]) for row in versions] == [(2, 4), (1, 3)]
    assert api.get(f"{URL}/{id}", {"version": 3}).status_code == 404


def test_a_deleted_file_leaves_no_bytes(api: "APIClient", django_capture_on_commit_callbacks: Any) -> None:
    id = create(api, b"one").json()["id"]
    api.put(f"{URL}/{id}", {"content": b64(b"two")}, format="json")
    blobs = list(FileVersion.all_tenants.values_list("blob", flat=True))
    assert len(blobs) == 2 and all(storages["files"].exists(blob) for blob in blobs)
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"{URL}/{id}").status_code == 204
    assert not any(storages["files"].exists(blob) for blob in blobs)


@pytest.mark.parametrize("size", [1, 7, 1000, 65_536])
def test_chunks_put_together_are_the_file(api: "APIClient", size: int) -> None:
    content = bytes(i % 251 for i in range(2_000))
    id, parts, number = create(api, content).json()["id"], b"", 0
    while True:
        answer = api.get(f"{URL}/{id}/chunks", {"chunk": number, "size": size})
        body = answer.json()
        assert answer["X-Chunk-Index"] == str(number) and answer["X-Total-Chunks"] == str(body["totalChunks"])
        parts += base64.b64decode(body["content"])
        number += 1
        if body["isLast"]:
            break
    assert parts == content and number == body["totalChunks"] == -(-len(content) // size)


def test_an_empty_file_is_one_empty_chunk(api: "APIClient") -> None:
    body = api.get(f"{URL}/{create(api, b'').json()['id']}/chunks").json()
    assert (body["totalChunks"], body["content"], body["isLast"]) == (1, "", True)


@pytest.mark.parametrize(
    "query,field", [({"chunk": 1}, "chunk"), ({"chunk": -1}, "chunk"), ({"size": 0}, "size"), ({"size": "x"}, "size")]
)
def test_a_wrong_chunk_is_named(api: "APIClient", query: dict[str, Any], field: str) -> None:
    answer = api.get(f"{URL}/{create(api).json()['id']}/chunks", query)
    assert answer.status_code == 400 and field in answer.json()["context"]["errors"]


@pytest.mark.parametrize(
    "body,field",
    [
        ({"path": "../up"}, "path"),
        ({"path": "/etc/passwd"}, "path"),
        ({"path": "C:\\x"}, "path"),
        ({"path": "a/%252e%252e/b"}, "path"),
        ({"path": "x" * 300}, "path"),
        ({"path": ""}, "path"),
        ({"path": " "}, "path"),
        ({"path": "docs/ "}, "path"),
        ({"path": "\u3000/a.txt"}, "path"),
        ({"path": "docs/\u200b"}, "path"),
        ({"content": "not base64!"}, "content"),
        ({"content": 5}, "content"),
        ({"run_id": "00000000-0000-4000-8000-000000000000"}, "run_id"),
        ({"app_id": "ghost"}, "app_id"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(api: "APIClient", body: dict[str, Any], field: str) -> None:
    answer = api.post(URL, {"path": "a.txt", "content": b64(b"x")} | body, format="json")
    assert answer.status_code == 400 and field in answer.json()["context"]["errors"], answer.content
    assert not FileVersion.all_tenants.exists()


def test_a_file_that_is_too_large_is_a_413(api: "APIClient") -> None:
    answer = create(api, b"\0" * (MAX_SIZE + 1))
    assert (answer.status_code, answer.json()["errorCode"]) == (413, "PAYLOAD_TOO_LARGE")


def test_users_change_their_own_files_and_developers_all(api: "APIClient", tenant: "Tenant") -> None:
    owner, other = (log_in(make_user(tenant)) for _ in range(2))
    id = create(owner).json()["id"]
    assert other.get(f"{URL}/{id}").status_code == 200
    assert other.put(f"{URL}/{id}", {"content": b64(b"x")}, format="json").status_code == 403
    assert other.delete(f"{URL}/{id}").status_code == 403
    assert owner.put(f"{URL}/{id}", {"content": b64(b"mine")}, format="json").status_code == 200
    assert api.delete(f"{URL}/{id}").status_code == 204


def test_other_tenant_gets_404(api: "APIClient", other_tenant: "Tenant") -> None:
    id, stranger = create(api, b"ours").json()["id"], log_in(make_user(other_tenant, role="admin"))
    answers = [
        stranger.get(f"{URL}/{id}"),
        stranger.put(f"{URL}/{id}", {"content": b64(b"x")}, format="json"),
        stranger.delete(f"{URL}/{id}"),
        stranger.get(f"{URL}/{id}/chunks"),
        stranger.get(f"{URL}/{id}/versions"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert stranger.get(URL).json() == [] and content_of(api, id) == b"ours"
