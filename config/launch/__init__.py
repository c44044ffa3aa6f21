"""`make run`: one command that starts the whole product, watches over it and stops it (docs/operations.md).

launcher ─ supervisord ┬ servers: postgres, redis (unless DATABASE_URL, REDIS_URL name others)
                       └ product: web (uvicorn), worker (celery), scheduler (celery beat)
"""
