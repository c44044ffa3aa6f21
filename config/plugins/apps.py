"""The last app to start: what plug-ins add to is there by then."""

import sys

from django.apps import AppConfig

from config.plugins.loader import load_plugins


class PluginsConfig(AppConfig):
    """Loads the plug-ins."""

    name = "config.plugins"
    label = "plugins"

    def ready(self) -> None:
        """PluginError when a plug-in cannot be used, but for the command that shows which."""
        faulty = [plugin for plugin in load_plugins() if plugin.faults]
        if faulty and sys.argv[1:2] != ["plugins"]:
            raise faulty[0].error()
