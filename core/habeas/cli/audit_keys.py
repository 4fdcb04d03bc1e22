"""``habeas audit key``, ``rotate-key`` and ``acknowledge``."""

from __future__ import annotations

import click

from habeas.cli.context import Settings, confirm, json_option, pass_settings, yes_option
from habeas.errors import RefusedError, StorageError

__all__ = ["acknowledge", "rotate_key", "show_key"]


@click.command("key", epilog="Examples: habeas audit key  ·  habeas audit key --pem > habeas.pem")
@click.option("--pem", is_flag=True, help="Print the key that signs now as PEM, as openssl takes it.")
@json_option
@pass_settings
def show_key(settings: Settings, pem: bool) -> int:
    """Show the public keys that sign, or have signed, this ledger."""
    output = settings.output
    with settings.open_ledger(behind=True) as (ledger, seal):
        named = seal.named_keys()
        if not named:
            raise StorageError("the ledger names no signing key", advice="run `habeas init`: it makes what is missing")
        at = {entry.seq: entry for entry in ledger.entries(types=["key.created", "key.rotated"])}
    if pem:
        click.echo(named[-1][1].pem, nl=False)
        return 0
    keys = [
        {
            "id": key.key_id.hex(), "key": key.text, "entry": seq, "since": at[seq].at,
            "why": at[seq].data.get("why"), "signs": (seq, key) == named[-1],
        }
        for seq, key in named
    ]  # fmt: skip
    if settings.as_json:
        output.json({"keys": keys})
        return 0
    for one in keys:
        use = "signs now" if one["signs"] else "has signed"
        why = f", after the one before: {one['why']}" if one["why"] else ""
        output.show(f"{one['id']}  {use}, since {str(one['since'])[:10]} (entry {one['entry']}{why})", "bold")
        output.show(f"  {one['key']}")
    output.say("Whoever checks your proofs needs this line from a place that whoever may write the home cannot change.")
    return 0


@click.command("rotate-key", epilog="Example: habeas audit rotate-key --because stolen --yes")
@click.option(
    "--because", type=click.Choice(["planned", "lost", "stolen"]), default="planned", show_default=True,
    help="planned: the old key signs once more, together with the new one. lost, stolen: it signs nothing any more.",
)  # fmt: skip
@yes_option
@json_option
@pass_settings
def rotate_key(settings: Settings, because: str, yes: bool) -> int:
    """Sign with a new key from now on, and destroy the old one.

    After a planned change whoever trusts the old key can trust the new one: one checkpoint is signed by both. After a
    loss or a theft they need the new public key from you. A thief can sign another history: only checkpoints from
    before the theft tell the two apart.
    """
    from habeas.opening import actor

    if not confirm("Sign with a new key from now on? The old one is destroyed.", yes=yes):
        raise RefusedError("not confirmed; nothing was changed")
    with settings.open_ledger() as (_, seal):
        key = seal.rotate(because, "", actor())
        signed = seal.checkpoint()
    size = signed.head.size if signed is not None else 0
    if settings.as_json:
        settings.output.json({"id": key.key_id.hex(), "key": key.text, "why": because, "signed": size})
    else:
        settings.output.show(f"Key {key.key_id.hex()} signs from now on; checkpoint over {size} entries.", "green")
        settings.output.show(f"  {key.text}")
        settings.output.say("Hand its public half to everybody who checks your proofs.")
    return 0


@click.command("acknowledge", epilog="Example: habeas audit acknowledge --yes")
@yes_option
@json_option
@pass_settings
def acknowledge(settings: Settings, yes: bool) -> int:
    """Go on with a ledger that is behind what was signed, because it was put back from a copy.

    Mends nothing: an entry names the checkpoints that are contradicted, and a new key signs from now on. Whoever holds
    one of them will always find that this is not the log that was signed. Runs whose entries are lost may have changed
    things at vendors: look there before you go on.
    """
    from habeas.opening import actor

    with settings.open_ledger(behind=True) as (ledger, seal):
        lost, size = seal.behind(), ledger.head().size
        if not lost:
            settings.output.say("The ledger agrees with everything that was signed: there is nothing to acknowledge.")
            count = 0
        else:
            settings.output.say(
                f"A checkpoint over {lost} entries was signed; the ledger holds {size} and contradicts it. What was in "
                "the lost entries cannot be told any more."
            )
            if not confirm("Go on with this ledger all the same?", yes=yes):
                raise RefusedError("not confirmed; nothing was changed")
            count = seal.acknowledge(actor())
    if settings.as_json:
        settings.output.json({"acknowledged": count, "lost_size": lost or None, "size": size})
    elif count:
        settings.output.show(f"Taken note of: {count} checkpoints contradict this ledger. A new key signs from now on.")
    return 0
