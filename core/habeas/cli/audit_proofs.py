"""``habeas audit checkpoint``, ``prove`` and ``export``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, json_option, pass_settings
from habeas.errors import InputError, StorageError

if TYPE_CHECKING:
    from habeas_audit import ConsistencyProof, InclusionProof, SignedCheckpoint, StoredProofs

__all__ = ["checkpoint", "export", "prove"]

_output_option = click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="Where to. [default: stdout]"
)


@click.command("checkpoint", epilog="Example: habeas audit checkpoint > /mnt/elsewhere/$(date +%F).note")
@_output_option
@json_option
@pass_settings
def checkpoint(settings: Settings, path: Path | None) -> int:
    """Sign the ledger's head as it stands, and print the checkpoint.

    Every run ends with one; HOME/checkpoints holds them all. Keep one elsewhere from time to time: whoever has it can
    find out later whether anything that it covers was touched (`habeas audit verify --against`).
    """
    with settings.open_ledger() as (_, seal):
        signed = seal.checkpoint()
    if signed is None:
        raise StorageError("the ledger is empty: there is nothing to sign")
    if settings.as_json:
        settings.output.json(
            {
                "origin": signed.checkpoint.origin,
                "size": signed.head.size,
                "root": signed.head.root_text,
                "keys": list(signed.key_ids),
                "note": signed.raw,
            }
        )
    else:
        _write(signed.raw, path)
    return 0


@click.command(
    "prove",
    epilog="Examples: habeas audit prove 41 -o entry-41.json  ·  habeas audit prove 41 --tlog -o 41.tlog-proof  ·  "
    "habeas audit prove --from may.note --to june.note -o grown.json",
)
@click.argument("entry", type=click.IntRange(min=1), required=False)
@click.option("--from", "old", type=click.Path(path_type=Path, dir_okay=False), help="The earlier checkpoint.")
@click.option(
    "--to", "new", type=click.Path(path_type=Path, dir_okay=False), help="The later checkpoint. [default: the newest]"
)
@click.option(
    "--tlog", is_flag=True, help="Write a C2SP tlog-proof, which other tools read; the entry is its extra data."
)
@_output_option
@json_option
@pass_settings
def prove(
    settings: Settings, entry: int | None, old: Path | None, new: Path | None, tlog: bool, path: Path | None
) -> int:
    """Prove that an entry is in the log, or that the log only grew between two checkpoints.

    The file holds all that it takes: `habeas verify FILE --key KEY` checks it anywhere.
    """
    from habeas_audit import InclusionProof

    if (entry is None) == (old is None):
        raise InputError("name an entry, or a checkpoint with --from", advice="see `habeas audit prove --help`")
    if tlog and settings.as_json and path is None:
        raise InputError("a tlog-proof is not JSON", advice="name a file for it with -o")
    if tlog and entry is None:
        raise InputError("a tlog-proof is about one entry", advice="leave out --tlog")
    with settings.open_ledger() as (ledger, seal):
        newest = seal.newest()
        if newest is None:
            raise StorageError("nothing is signed yet", advice="run `habeas audit checkpoint`")
        later = _read(new) if new is not None else newest
        with ledger.proofs() as proofs:
            proof = _inclusion(proofs, entry, later) if entry is not None else _consistency(proofs, old, later)
        keys = [key.text for key in seal.public_keys()]
    if tlog and isinstance(proof, InclusionProof):
        text = proof.to_tlog_proof()
    else:
        text = json.dumps(proof.to_json() | {"keys": keys}, indent=2) + "\n"
    _write(text, path)
    if path is not None and settings.as_json:
        settings.output.json({"file": str(path)})
    return 0


def _inclusion(proofs: StoredProofs, seq: int, signed: SignedCheckpoint) -> InclusionProof:
    from habeas_audit import InclusionProof, prove_entry

    entry = proofs.entry(seq)
    if entry is None or seq > signed.head.size:
        raise InputError(
            f"there is no entry {seq} under the checkpoint over {signed.head.size} entries",
            advice="run `habeas audit checkpoint`, or name a later one with --to",
        )
    proofs.require(signed, signed.checkpoint.origin)
    return InclusionProof(prove_entry(proofs, seq, entry.body, signed), signed)


def _consistency(proofs: StoredProofs, old: Path | None, later: SignedCheckpoint) -> ConsistencyProof:
    from habeas_audit import prove_consistency

    assert old is not None  # noqa: S101 - checked by the caller
    earlier = _read(old)
    if earlier.head.size > later.head.size:
        raise InputError("the checkpoint of --from is over more entries than the later one", advice="swap the two")
    return prove_consistency(proofs, earlier, later)


def _read(path: Path) -> SignedCheckpoint:
    from habeas_audit import ProofInvalid, read_checkpoint

    try:
        return read_checkpoint(path)
    except ProofInvalid as problem:
        raise InputError(str(problem), advice="name a checkpoint, as HOME/checkpoints holds them") from None


@click.command("export", epilog="Example: habeas audit export -o ledger.jsonl")
@_output_option
@json_option
@pass_settings
def export(settings: Settings, path: Path | None) -> int:
    """Write the whole ledger as JSON Lines: entries, checkpoints, keys; all that somebody needs who has no habeas.

    `habeas verify FILE --key KEY` checks it; docs/checking-without-us.md says how to do so with other tools.
    """
    from habeas_audit import export_lines

    if path is None and settings.as_json:
        raise InputError("the export is many JSON documents, a line each", advice="name a file for it with -o")
    with settings.open_ledger() as (ledger, seal):
        _write_lines(export_lines(ledger, seal.public_keys()), path)
        head = ledger.head()
    if path is not None and settings.as_json:
        settings.output.json({"file": str(path), "size": head.size, "root": head.root_text})
    return 0


def _write(text: str, path: Path | None) -> None:
    from habeas.cli.trust import write_results

    if path is None:
        click.echo(text, nl=False)
    else:
        write_results({path: text.encode()})


def _write_lines(lines: Iterable[str], path: Path | None) -> None:
    with _target(path) as write:
        for line in lines:
            write(line)


@contextmanager
def _target(path: Path | None) -> Iterator[Callable[[str], object]]:
    if path is None:
        yield lambda line: sys.stdout.write(line + "\n")
        return
    from habeas.cli.trust import new_result

    with new_result(path) as file:
        yield lambda line: file.write(f"{line}\n".encode("ascii"))
