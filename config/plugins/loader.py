"""Loads the plug-ins: each entry point of the group regente.plugins names a module whose import registers things, or a
function that registers them when it is called. All processes do so as they start.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from config.plugins.registries import REGISTRIES

GROUP = "regente.plugins"
PLUGINS: list["Plugin"] = []  # of this process, in the order of their names


class PluginError(SystemExit):
    """A plug-in cannot be used, so the process does not start."""


@dataclass
class Plugin:
    """An installed plug-in: its entry point, the package that has it, and the names that it registered, by sort."""

    name: str
    package: str
    version: str
    module: str
    entries: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def error(self) -> PluginError:
        """The first fault, and what to do about it."""
        return PluginError(
            f"The plug-in {self.name} ({self.package} {self.version}) cannot be used: {self.faults[0]} "
            f"Install a version of {self.package} that fits, or remove it with: pip uninstall {self.package}"
        )


def load_plugins() -> list[Plugin]:
    """The installed plug-ins, each loaded; one that cannot be used says why in its `faults`."""
    names: set[str] = set()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        plugin = _load(point)
        if point.name in names:
            plugin.faults.append("Another installed package has a plug-in of the same name.")
        names.add(point.name)
        PLUGINS.append(plugin)
    return PLUGINS


def _load(point: EntryPoint) -> Plugin:
    package = point.dist
    plugin = Plugin(point.name, package.name if package else "?", package.version if package else "?", point.value)
    before = {sort: dict(registry.entries) for sort, registry in REGISTRIES.items()}
    try:
        module_or_function = point.load()
        if callable(module_or_function):
            module_or_function()
    except (Exception, SystemExit) as fault:  # whatever a stranger's code raises is a reason not to start
        plugin.faults.append(f"{point.value} raised {type(fault).__name__}: {fault}.")
    plugin.entries = {sort: names for sort, names in _new_names(before) if names}
    plugin.faults += _faults(before, plugin)
    if not plugin.entries and not plugin.faults:
        plugin.faults.append(f"{point.value} registers nothing.")
    return plugin


def _new_names(before: dict[str, dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for sort, registry in REGISTRIES.items():
        yield sort, sorted(name for name in registry.entries if name not in before[sort])


def _faults(before: dict[str, dict[str, Any]], plugin: Plugin) -> list[str]:
    """What is wrong with what the plug-in has registered; entries that it replaced are put back."""
    faults = []
    for sort, registry in REGISTRIES.items():
        for name, entry in before[sort].items():
            if registry.entries.get(name) is not entry:
                registry.entries[name] = entry
                faults.append(f"It replaces {name!r} of the {sort}, which is registered already.")
        for name in plugin.entries.get(sort, ()):
            faults += [f"{name!r} of the {sort}: {fault}" for fault in registry.check(registry.entries[name])]
    return faults
