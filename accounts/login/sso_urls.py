"""Routes of single sign-on, relative to /sso/; there are none unless it is on."""

from typing import Any

from allauth.socialaccount.providers.openid_connect.urls import urlpatterns as provider_urls
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from accounts.login.sso import CHALLENGE
from config.errors import NotFound, Unauthorized
from config.http.error_handler import problem_of, respond


def begin(request: HttpRequest) -> HttpResponseRedirect:
    """To the provider; `challenge` binds the code that comes of it to who begins."""
    request.session[CHALLENGE] = request.GET.get("challenge", "")[:128]
    return HttpResponseRedirect(reverse("openid_connect_login", kwargs={"provider_id": settings.OIDC_PROVIDER}))


def incomplete(request: HttpRequest, **_: Any) -> HttpResponse:
    """Where django-allauth would show a page of its own: the sign-on was given up or refused."""
    return respond(request, problem_of(Unauthorized("The sign-on was not completed; begin again at /sso/login.")))


def nothing(request: HttpRequest, **_: Any) -> HttpResponse:
    """django-allauth's own pages that are not offered."""
    return respond(request, problem_of(NotFound()))


NAMES = ("account_login", "account_signup", "account_inactive", "account_logout", "account_reauthenticate")
urlpatterns = [
    path("login", begin),
    path("login/", begin),
    path("ended/", incomplete, name="socialaccount_login_error"),
    path("ended/cancelled/", incomplete, name="socialaccount_login_cancelled"),
    *(
        path(f"none/{name}/", nothing, name=name)
        for name in (*NAMES, "socialaccount_signup", "socialaccount_connections")
    ),
    *provider_urls,
]
