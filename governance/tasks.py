"""Governance's Celery tasks: what is due from time to time."""

from celery import shared_task

from governance.audit import chain


@shared_task(name="governance.seal_audit")
def seal_audit() -> int:
    """The number of audit entries that were sealed into their chains."""
    return chain.seal_all()
