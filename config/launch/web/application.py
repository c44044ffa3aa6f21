"""The web application as uvicorn's worker processes load it: they end with uvicorn, which they would else outlive, and
work in the database as the role that sees one tenant at a time.
"""

from config.launch.orphans import die_with_parent

die_with_parent()
from config.asgi import application, work_as_web  # noqa: E402

work_as_web()
__all__ = ["application"]
