"""Puts the SBOM into the wheel (PEP 770) where one was made: ``HABEAS_SBOM`` names it. `make wheel` does both."""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SbomHook(BuildHookInterface):
    """Only the wheel has metadata to put it into; an installation from source is made without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        path = os.environ.get("HABEAS_SBOM")
        if version == "standard" and path:
            build_data["sbom_files"].append(path)
