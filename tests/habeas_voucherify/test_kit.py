"""The rules that every plugin keeps, tried against this vendor's sandbox."""

from __future__ import annotations

import habeas_voucherify
from habeas.testing.kit import PluginContract


class TestContract(PluginContract):
    plugin = habeas_voucherify
