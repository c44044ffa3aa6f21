"""A run that ends whichever worker drives it. Workers import this when WORKER_IMPORTS names it.

    python -m tests.durability.programs TENANT URL

starts such a run on the product of DATA_DIR, says its id, and makes it tell URL of each death.
"""

import os
import sys
import urllib.request
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from orchestration.context import RunContext  # noqa: E402
from orchestration.engine import start_run  # noqa: E402
from orchestration.programs import program  # noqa: E402

KIND = "durability.poison"


@program(KIND)
async def poison(ctx: RunContext) -> Any:
    """A step that is done, then one that ends the process."""
    await ctx.step("harmless", int)
    return await ctx.step("poison", _end_this_process, ctx.run.input["url"])


def _end_this_process(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).close()
    os._exit(13)


if __name__ == "__main__":
    run, _ = start_run(tenant_id=sys.argv[1], kind=KIND, input={"url": sys.argv[2]})
    print(run.id, flush=True)
    os._exit(0)  # the doorbell's thread may still wait for Redis; the engines also poll
