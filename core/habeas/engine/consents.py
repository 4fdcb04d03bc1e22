"""What every connection holds about a person's consents. Reads only."""

from __future__ import annotations

from collections.abc import Collection

from habeas.changes import HeldConsent, HeldState
from habeas.engine.changing import links_with_purpose
from habeas.engine.links import Link
from habeas.engine.tools import ConnectionTrouble, Run, Tools, side_by_side
from habeas.models import Subject

__all__ = ["read_consents"]


def read_consents(
    tools: Tools, run: Run, subject: Subject, purposes: Collection[str]
) -> dict[str, tuple[HeldConsent, ...] | ConnectionTrouble]:
    """Connection → what it holds about each of the purposes that have a mapping there. The others are not asked."""
    links = links_with_purpose(tools.links, purposes)

    def read(link: Link) -> tuple[HeldConsent, ...]:
        mapped = tuple(purpose for name, purpose in link.purposes.items() if name in purposes)
        if not tools.registry.implements(link.info.name, "read_consent"):
            reason = f"the plugin for {link.info.title} has no way to read a consent"
            return tuple(HeldConsent(purpose.name, HeldState.UNREADABLE, reason=reason) for purpose in mapped)
        return tools.registry.read_consent(link.info.name, link.connection(run.control), subject, mapped)

    results = side_by_side(links, read, run.control)
    return {link.name: result for link, result in zip(links, results, strict=True)}
