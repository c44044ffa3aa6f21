"""The web application as granian's worker processes load it: they end with granian, which they would else outlive."""

from config.launch.orphans import die_with_parent

die_with_parent()
from accounts.tenancy import APP, connect_as  # noqa: E402
from config.asgi import application  # noqa: E402

connect_as(APP)

__all__ = ["application"]
