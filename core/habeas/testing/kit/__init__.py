"""The conformance kit: what every plugin must keep to, tried against the plugin's own sandbox.

For authors: subclass :class:`PluginContract` in a test module. For `habeas plugin check`: :func:`check_plugin`.
"""

from __future__ import annotations

from habeas.testing.kit.catalog import CHECKS
from habeas.testing.kit.contract import PluginContract, check_plugin, installed_plugin
from habeas.testing.kit.verdict import Check, Verdict

__all__ = ["CHECKS", "Check", "PluginContract", "Verdict", "check_plugin", "installed_plugin"]
