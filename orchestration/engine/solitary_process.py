"""`python -m orchestration.engine.solitary_process`: an engine that runs suspects, and nothing else (isolation.py)."""

import os
import sys


def main() -> None:
    """Run suspects until there are none, or until the engine that started this process drains."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from accounts.tenancy.tenant_model import WORKER, connect_as
    from config.celery import app
    from orchestration.engine.celery_host import Host

    app.loader.import_default_modules()  # what operators' own modules register
    connect_as(WORKER)
    Host(sys.stdin.fileno(), solitary=True).wait()


if __name__ == "__main__":
    main()
