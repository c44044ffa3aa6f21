"""Statements in .sql files: the same file serves Python, by name, and psql."""

import subprocess
from pathlib import Path

import pytest
from django.db import connection

from config.database.queries import load_queries, with_identifiers
from config.embedded_servers import BASE_DIR
from config.launch.servers import postgres
from tests.measure.source import APPS

FILE = """
-- What psql reads: samples.
\\set word 'per cent'
\\set table queries_sample

-- name: make
-- A table; 100% of it is a sample.
CREATE TEMPORARY TABLE :"table" (word text);

-- name: echo
-- What came in, and the per cent sign.
SELECT :'word'::text AS word,
    -- a comment in between
    '%' AS sign, :'word'::text = 'x' AS equal;
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"sample_{tmp_path.name}"  # imported once, so each test has its own
    (tmp_path / name / "sql").mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "sql" / "words.sql").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_statement_is_run_by_its_name_with_its_values(package: str, db: None) -> None:
    queries = load_queries(package, "sql/words.sql")
    with connection.cursor() as cursor:
        cursor.execute(queries["echo"], {"word": "it's"})
        assert cursor.fetchall() == [("it's", "%", False)]
    assert list(queries) == ["make", "echo"] and "comment" not in queries["echo"]


def test_an_identifier_is_quoted(package: str) -> None:
    statement = with_identifiers(load_queries(package, "sql/words.sql")["make"], table='a"b')
    assert statement == 'CREATE TEMPORARY TABLE "a""b" (word text)'


def psql(file: Path) -> "subprocess.CompletedProcess[str]":
    """psql's run of the file, in a transaction that is undone."""
    at = connection.settings_dict
    where = [f"--host={at['HOST']}", f"--port={at['PORT']}", f"--username={at['USER']}", f"--dbname={at['NAME']}"]
    command = [str(postgres.binaries() / "psql"), *where, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-qAt"]
    command += ["-c", "BEGIN", "-f", str(file), "-c", "ROLLBACK"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_psql_runs_the_file_as_it_is(package: str, tmp_path: Path, db: None) -> None:
    result = psql(tmp_path / package / "sql" / "words.sql")
    assert (result.returncode, result.stdout) == (0, "per cent|%|f\n"), result.stderr


FILES = [path for app in APPS for path in sorted((BASE_DIR / app).rglob("*.sql"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_psql_runs_every_file_of_the_product(file: Path, db: None) -> None:
    result = psql(file)
    assert result.returncode == 0, result.stderr


def test_two_statements_of_one_name_are_refused(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "twice.sql").write_text("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")
    with pytest.raises(ValueError, match="two statements named a"):
        load_queries(package, "twice.sql")
