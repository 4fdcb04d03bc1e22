"""Times that somebody else has sworn to: RFC 3161 tokens over checkpoints, where an authority is configured."""

from __future__ import annotations

from pathlib import Path

from habeas.errors import ConfigError
from habeas.evidence.timestamps import request_token, verify_token
from habeas_audit import Ledger, SignedCheckpoint

__all__ = ["Stamper"]


class Stamper:
    """Asks one authority, and believes its answer only under the given roots."""

    def __init__(self, url: str, roots: Path) -> None:
        try:
            self._roots = [roots.read_bytes()]
        except OSError as error:
            raise ConfigError(f"audit.timestamp_roots: {roots} cannot be read ({error.strerror})") from None
        self._url = url

    def stamp(self, ledger: Ledger, signed: SignedCheckpoint) -> None:
        """Has the checkpoint stamped, and keeps the answer; one that has a stamp already stays as it is.

        Raises :class:`~habeas.errors.HabeasError` and :class:`~habeas_audit.LedgerError`.
        """
        with ledger.proofs() as proofs:
            if proofs.timestamp(signed.head.size) is not None:
                return
        content = signed.raw.encode()
        token = request_token(self._url, content)
        verify_token(token, content, self._roots)
        ledger.add_timestamp(signed.head.size, token)
