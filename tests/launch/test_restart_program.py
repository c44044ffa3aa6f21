"""Every program that dies is started again, and said; the product goes on."""

import os
import signal

import httpx
import psutil
import pytest

from tests.product import Product

PROGRAMS = ["web", "worker", "scheduler", "redis", "postgres"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_program_comes_back_and_is_said(product: Product, name: str) -> None:
    pid, seen = product.pid_of(name), len(product.output)
    family = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    told = product.says(rf"{name} \(pid {pid}\) ended by signal 9; started again as pid (\d+)", after=seen)
    assert psutil.pid_exists(int(told[1]))
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, f"children of the killed {name} live on: {alive}"


def test_the_product_is_ready_again_after_all_these_deaths(product: Product) -> None:
    transport = httpx.HTTPTransport(retries=10)  # a refused connection is tried again, with growing pauses
    with httpx.Client(transport=transport, base_url=product.url, timeout=30) as client:
        statuses = (client.get("/readyz").status_code for _ in range(1000))
        assert 200 in statuses
