"""Talon.One as its documents describe it, in memory: strict, stateful, and switchable where the documents are silent.

``intake`` reads what arrived, ``entities`` and ``state`` are what the vendor holds, ``profiles``, ``sessions``,
``rewards``, ``loyalty``, ``cards`` and ``management`` answer the operations, ``seed`` fills it, ``app`` wires it up.
"""

from habeas_talonone.sandbox.app import TalonOneSandbox

__all__ = ["TalonOneSandbox"]
