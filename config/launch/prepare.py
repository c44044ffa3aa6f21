"""Makes the database ready for the product: migrations and the operator of the environment; in the embedded mode the
demo, and an operator of this machine.

Run as a program by the launcher (`--wait`: its slow imports are done while the servers start) and once per deployment
in containers. Its last line on standard output is JSON: the credentials that the launcher's ready line shows.
"""

import argparse
import io
import json
import os
import sys
from typing import NoReturn

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.database.address import direct_parameters
from config.database.session import SharedSession, require_own_session
from config.launch import command_lines

MIGRATION_LOCK = 0x7265676E  # one preparer at a time, when several machines start at once


def prepare(demo: bool) -> dict[str, dict[str, str]]:
    """The credentials of the demo and of this machine's operator, or {}; the database is then ready for the product."""
    with connection.cursor() as cursor:
        try:
            require_own_session(cursor.connection, direct_parameters())  # which holds the lock
        except SharedSession as error:
            raise SystemExit(f"The database is not prepared: {error}") from None
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
    if settings.EMBEDDED_MODE:
        command_lines.record_migrations(settings.DATA_DIR)
    credentials = {}
    if demo:
        credentials = {"demo": _answer("seed_demo", json=True), "operator": _answer("ensure_operator", local=True)}
    else:
        call_command("ensure_operator", stdout=io.StringIO())
    connection.close()  # gives the lock back
    return credentials


def _answer(command: str, **options: bool) -> dict[str, str]:
    """What a command prints as JSON."""
    output = io.StringIO()
    call_command(command, stdout=output, **options)
    answer: dict[str, str] = json.loads(output.getvalue())
    return answer


def main() -> None:
    """Prepare; a setting that does not allow it is one sentence and the exit status CONFIG_ERROR."""
    try:
        _main()
    except CommandError as error:
        _refuse(str(error))
    except SystemExit as error:
        if not isinstance(error.code, str):
            raise
        _refuse(error.code)


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(command_lines.CONFIG_ERROR)


def _main() -> None:
    """Prepare, when --wait is given once standard input is closed; --demo adds the demo tenant."""
    parser = argparse.ArgumentParser(prog="python -m config.launch prepare", description=__doc__)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    if options.wait:
        sys.stdin.read()
    print(json.dumps(prepare(options.demo)), flush=True)


if __name__ == "__main__":
    main()
