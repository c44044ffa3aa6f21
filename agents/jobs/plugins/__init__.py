"""The built-in job agents. A new one is one file here: its input, and a function under @job_agent."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
