"""The admin's login, counted like every other."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from config.errors import DomainError
from config.http import origin
from config.rate_limits import limiter


class CountedBackend(ModelBackend):
    """Refuses, right password or not, after too many attempts."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """The user, None for wrong credentials."""
        account = (username or kwargs.get("email") or "").strip().lower()
        if request is not None:
            try:
                limiter.pass_login(origin.address(request), account)
            except DomainError as refusal:
                raise PermissionDenied(refusal.message) from None
        return super().authenticate(request, username, password, **kwargs)
