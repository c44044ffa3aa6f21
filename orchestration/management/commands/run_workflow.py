"""manage.py run_workflow "Ticket Triage" --input tickets.csv: start a run over your own file and watch it."""

import json
import sys
import time
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.live import Live

from accounts.models import Tenant
from config.errors import DomainError
from orchestration.engine.health import engine_health
from orchestration.models import Mode, Run, Status, Workflow
from orchestration.runs.commands import cancel_run, start_run
from orchestration.serializers.runs import RunSerializer
from orchestration.terminal import display
from orchestration.terminal.input_files import read_input
from orchestration.terminal.run_view import RunView, watch
from orchestration.workflows.definition.input_schema import fitted_input

NOT_FINISHED = 2
ENGINE_BOOT_S = 5.0


class Command(BaseCommand):
    """Exit code 0: the run completed; 1: it failed or was cancelled; 2: it did not start, or not watched to the end."""

    help = "Start a run of a workflow over a CSV or JSON file and watch it until it ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The workflow, its input, and how to run it."""
        parser.add_argument("workflow", help="The workflow's name or id.")
        parser.add_argument(
            "--input", type=Path, help="A CSV file, or a JSON file with an object or a list of objects."
        )
        parser.add_argument(
            "--rows-as", default="tickets", help="The input's field that rows go to (default: tickets)."
        )
        parser.add_argument("--tenant", default="demo", help="Whose workflow it is (default: demo).")
        parser.add_argument(
            "--mode", choices=Mode.values, default=Mode.AUTO, help="draft stages side effects (default: auto)."
        )
        parser.add_argument("--detach", action="store_true", help="Leave the run in the queue and print its id.")
        parser.add_argument("--engine-wait", type=float, default=ENGINE_BOOT_S, help="Seconds to wait for an engine.")
        parser.add_argument("--json", action="store_true", help="Print the finished run as JSON and nothing else.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, watch, tell."""
        tenant = options["tenant"]
        try:
            workflow = find_workflow(tenant, options["workflow"])
            run_input = read_input(options["input"], options["rows_as"]) if options["input"] else {}
        except DomainError as fault:
            raise CommandError(fault.message, returncode=NOT_FINISHED) from None
        if not options["detach"]:
            need_engine(options["engine_wait"])
        try:
            run, _ = start_run(
                tenant_id=tenant, kind="workflow", subject_id=str(workflow.id), subject_version=workflow.revision,
                input=run_input, mode=options["mode"],
                coerce=partial(fitted_input, workflow.input_schema, prefix="input."),
            )  # fmt: skip
        except DomainError as fault:
            raise CommandError(fault.message, returncode=NOT_FINISHED) from None
        if options["detach"]:
            self.stdout.write(str(run.id))
            return
        console = Console(file=cast("IO[str]", self.stdout._out), quiet=options["json"], highlight=False)
        view = follow(run, console)
        if options["json"]:
            self.stdout.write(json.dumps(RunSerializer.render(view.run), ensure_ascii=False, indent=2, default=str))
        elif view.is_final:
            display.result(console, view)
        if view.run.status != Status.COMPLETED:
            sys.exit(1 if view.is_final else NOT_FINISHED)


def find_workflow(tenant_id: str, name: str) -> Workflow:
    """The tenant's workflow of this name or id; a DomainError that says what there is instead."""
    if not Tenant.objects.filter(pk=tenant_id).exists():
        raise DomainError(f"There is no tenant {tenant_id!r}; make the demo's with: manage.py seed_demo")
    rows = Workflow.objects.for_tenant(tenant_id)
    try:
        matches = list(rows.filter(pk=UUID(name)))
    except ValueError:
        matches = list(rows.filter(name=name)[:2])
    if len(matches) > 1:
        raise DomainError(f"Several workflows are called {name!r}; give the id of one.")
    if not matches:
        names = ", ".join(repr(name) for name in rows.order_by("name").values_list("name", flat=True)[:10]) or "none"
        raise DomainError(f"The tenant {tenant_id!r} has no workflow {name!r}. It has: {names}.")
    return matches[0]


def need_engine(seconds: float) -> None:
    """Refuse when nobody would run it; one that is just starting is waited for."""
    end = time.monotonic() + seconds
    while not engine_health()["engines"]:
        if time.monotonic() > end:
            message = (
                "No engine is alive, so nothing would run it. Start one with: make run (or leave it queued: --detach)."
            )
            raise CommandError(message, returncode=NOT_FINISHED)
        time.sleep(0.2)


def follow(run: Run, console: Console) -> RunView:
    """The run's last view: ended, or left by whoever watched. A second Ctrl-C always leaves."""
    view = RunView(run)
    try:
        view = draw(run, console)
    except KeyboardInterrupt:
        if console.is_interactive and sys.stdin.isatty() and wants_cancel(console):
            cancel_run(run.id, run.tenant_id)
            return draw(run, console)
        console.print(f"The run goes on. Its id is {run.id}")
    return view


def wants_cancel(console: Console) -> bool:
    """What the person at the keyboard answers."""
    try:
        return console.input("\nCancel the run? Anything else only stops watching. [y/N] ").strip().lower() in (
            "y",
            "yes",
        )
    except (KeyboardInterrupt, EOFError):
        return False


def draw(run: Run, console: Console) -> RunView:
    """The last view; meanwhile a live picture in a terminal, lines elsewhere (which do not wait for a person)."""
    view = RunView(run)
    if console.is_terminal and not console.quiet:
        with Live(console=console, refresh_per_second=8) as live:
            for view in watch(run):
                live.update(display.progress(view))
        return view
    for view in watch(run):
        for name in dict.fromkeys(event.step for event in view.fresh if event.step in view.nodes):
            display.print_node(console, view.nodes[name])
        if view.waits_for_a_person:
            console.print(f"The run {run.id} waits for a decision: {display.plain(view.question).plain}")
            return view
    console.print(display.status_line(view))
    return view
