"""Whatever ends the launcher, no process is left; what was stored is there at the next start."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from config import embedded_servers
from tests.product import started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_everything(data_dir: Path, number: signal.Signals) -> None:
    with started(data_dir) as product:
        product.ready()
        assert product.stop(number) == 0
        assert product.processes() == []


def test_a_ctrl_c_reaches_the_whole_process_group_and_stops_everything(data_dir: Path) -> None:
    with started(data_dir) as product:
        product.ready()
        os.killpg(product.process.pid, signal.SIGINT)
        assert product.process.wait(60) == 0
        assert product.processes() == []


def test_a_signal_during_the_start_stops_everything(data_dir: Path) -> None:
    with started(data_dir) as product:
        product.says("postgres and redis ready")
        assert product.stop(signal.SIGINT) == 0
        assert product.processes() == []


def test_a_killed_launcher_leaves_no_process_and_a_new_one_starts_at_once(data_dir: Path) -> None:
    with started(data_dir) as killed:
        killed.ready()
        killed.process.kill()
        with started(data_dir) as product:
            product.says("waiting for its programs to stop")
            product.ready()
            killed.wait_gone()


def test_a_killed_supervisor_ends_the_launcher_and_leaves_no_process(data_dir: Path) -> None:
    with started(data_dir) as product:
        product.ready()
        os.kill(product.pid_of("supervisord"), signal.SIGKILL)
        assert product.process.wait(60) != 0
        product.says("ended from outside")
        product.wait_gone()


def test_a_launcher_and_a_supervisor_killed_together_leave_no_process(data_dir: Path) -> None:
    with started(data_dir) as product:
        product.ready()
        os.kill(product.pid_of("supervisord"), signal.SIGKILL)
        product.process.kill()
        product.wait_gone()


def test_everything_killed_at_once_keeps_what_was_stored(data_dir: Path) -> None:
    with started(data_dir) as product:
        product.ready()
        with psycopg.connect(embedded_servers.database_url(data_dir)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        for process in product.processes():
            process.kill()
        product.wait_gone()
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir}/postgres\n")  # a recycled pid
    with started(data_dir) as product:
        product.ready()
        with psycopg.connect(embedded_servers.database_url(data_dir)) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
