"""How the document describes credentials."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from config.values.json_types import JsonObject


class Credentials(OpenApiAuthenticationExtension):
    """A bearer token or API key, an API key in its header, or the login's cookie: any one is enough."""

    target_class = "accounts.login.authentication.Authenticator"
    name = ["bearer", "apiKey", "cookie"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[JsonObject]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An access token, or an API key (llm_…)."},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "apiKey", "in": "cookie", "name": "access_token"},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[JsonObject]:
        return [{name: []} for name in self.name]


class NoCredentials(OpenApiAuthenticationExtension):
    """The ways in, which need none."""

    target_class = "accounts.login.authentication.Anybody"
    name: list[str] = []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[JsonObject]:
        return []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[JsonObject]:
        return []
