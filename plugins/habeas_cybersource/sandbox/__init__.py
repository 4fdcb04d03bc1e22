"""CyberSource TMS on loopback, written from the vendor's documents alone; shares no code with the plugin's client."""

from habeas_cybersource.sandbox.app import CyberSourceSandbox

__all__ = ["CyberSourceSandbox"]
