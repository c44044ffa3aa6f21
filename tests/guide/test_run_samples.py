"""Each sample of docs/guide does what the guide says."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guide.pages import Sample, pages, samples

if TYPE_CHECKING:
    from rest_framework.response import Response
    from rest_framework.test import APIClient

    from accounts.models import Tenant
    from tests.orchestration.running import EngineThread


@pytest.fixture
def client(acme: "Tenant") -> "APIClient":
    """An admin's client; the agent that the samples name is there."""
    from tests.factories import log_in, make_agent, make_user

    make_agent(acme, "agent.concierge", model_profile={"provider": "offline"})
    return log_in(make_user(acme, role="admin"))


@pytest.mark.parametrize("page", [page for page in pages() if samples(page.read_text())], ids=lambda page: page.stem)
def test_the_samples_work(page: Path, client: "APIClient", engine: "EngineThread") -> None:
    names: dict[str, str] = {}
    for sample in samples(page.read_text()):
        answer = send(sample, names, client)
        if sample.save:
            names[sample.save] = str(answer.json().get("id") or answer.json()["team_id"])
        if sample.result is not None:
            assert result_of(answer) == sample.result


def send(sample: Sample, names: dict[str, str], client: "APIClient") -> "Response":
    path, body = sample.with_names(names)
    answer = getattr(client, sample.method.lower())(path, body, format="json")
    expected = {sample.status} if sample.status else {200, 201, 202}
    assert answer.status_code in expected, f"{sample.method} {path}: {answer.content.decode()}"
    return answer


def result_of(answer: "Response") -> object:
    from orchestration.models import Run
    from tests.orchestration.running import ended

    run = ended(Run.all_tenants.get(pk=answer.json()["id"]))
    assert run.status == "completed", run.result
    return run.result
