"""Periodic tasks: delete expired memories, build missing indexes."""

import logging

from celery import shared_task

from memory.entries import entry_store, indexes

log = logging.getLogger(__name__)


@shared_task(name="memory.purge_expired")
def purge_expired() -> None:
    """Delete expired memories."""
    while entry_store.purge_expired() >= entry_store.MAX_PURGE:
        pass


@shared_task(name="memory.index")
def index() -> None:
    """Make the indexes that tenants have grown to need; a second one at the same time finds nothing to do."""
    with indexes.build_lock() as mine:
        for key, model, dimension in indexes.missing_indexes() if mine else ():
            log.info("indexed memories: %s", indexes.build_index(key, model, dimension))
