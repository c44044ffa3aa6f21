"""The types of JSON values, for what stays JSON: an object's keys are its sender's own."""

from typing import Any

Json = Any  # an object, an array, a text, a number, true, false or null
JsonObject = dict[str, Any]
