"""What agents and workflows can do. A new built-in tool is one file here with one decorated function (registry.py)."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
