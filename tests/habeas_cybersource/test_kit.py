"""The rules that every plugin keeps, tried against this vendor's sandbox."""

from __future__ import annotations

import habeas_cybersource
from habeas.testing.kit import PluginContract


class TestContract(PluginContract):
    plugin = habeas_cybersource
