"""What can be wrong with a policy or a deadline.

::

    PolicyProblem         unknown, unreadable, invalid or contradictory: nothing may be done under it
    └── PolicyExpired     it was valid once: someone must look at it again before it is used

Messages are one line and safe to print, log and store: file names, JSON paths and names from the policy,
never a value out of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["PolicyExpired", "PolicyProblem", "Problem", "shown"]

_PLAIN = re.compile(r"[A-Za-z0-9._+/-]{1,64}")


def shown(text: str) -> str:
    """``text`` in quotes if it is a plain word of at most 64 characters, else a stand-in.

    What a user typed where a name was asked for may be an e-mail address, and what a file holds may be anything.
    """
    return f"'{text}'" if _PLAIN.fullmatch(text) else "(not shown: not a plain word)"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in one policy file."""

    source: str
    """File name, or how the text was called by whoever handed it in."""
    path: str
    """JSON path of the place, ``$.rules[0].action``; ``$`` is the whole file. Rules are counted from 0."""
    message: str
    """What is wrong, to be read after the path."""
    advice: str = ""
    """What to do about it, in one clause."""

    def where(self) -> str:
        """``file: path: message``, without the advice."""
        return f"{self.source}: {self.path}: {self.message}"

    def line(self) -> str:
        """The one line a user sees."""
        return f"{self.where()}; {self.advice}" if self.advice else self.where()


class PolicyProblem(Exception):
    """Root of the tree. ``advice`` says what to do about it; ``problems`` has every finding where a file was read."""

    def __init__(self, message: str, *, advice: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.problems = problems

    def line(self) -> str:
        """The one line a user sees."""
        return f"{self.message}; {self.advice}" if self.advice else self.message


class PolicyExpired(PolicyProblem):
    """The policy's own ``expires`` date is over."""
