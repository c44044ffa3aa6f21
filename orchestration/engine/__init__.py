"""The asyncio engine that a Celery worker process hosts: claims, leases, the journal."""
