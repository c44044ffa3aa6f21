"""`make guide`: writes the generated parts of docs/guide anew."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from tests.guide.pages import pages, regenerated  # noqa: E402  (the registries fill when Django is set up)

for path in pages():
    path.write_text(regenerated(path.read_text()))
