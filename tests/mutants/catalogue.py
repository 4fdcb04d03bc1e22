"""Seeded mistakes: what somebody might break one day, and the tests that must notice, each by name."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "Edit", "Mutant"]


@dataclass(frozen=True)
class Edit:
    """A text that stands in the file exactly once, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One mistake."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    """Each of them must fail."""


def _one(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, (Edit(file, old, new),), tests)


_API = "tests/habeas/http/test_api.py"
_CLI = "tests/habeas/cli"
_KILL = "tests/crash/test_kill.py"
_LOCKS = "tests/habeas/cases/test_locks.py"
_STORE = "tests/habeas_audit/test_store.py"
_TRANSPORT = "tests/habeas/http/test_transport.py"

MUTANTS = (
    Mutant(
        "the intent is written after the call",
        (
            Edit(
                "core/habeas/http/api.py",
                "        intent = self._journal.intent(signed.request, self._transport.host)\n", "",
            ),
            Edit(
                "core/habeas/http/api.py",
                "            status = 0 if answer is None else answer.status\n            self._journal.outcome(",
                "            status = 0 if answer is None else answer.status\n"
                "            intent = self._journal.intent(signed.request, self._transport.host)\n"
                "            self._journal.outcome(",
            ),
        ),
        (
            f"{_API}::test_nothing_is_sent_where_the_intent_cannot_be_written",
            f"{_KILL}::test_a_kill_is_made_good[erase]",
        ),
    ),
    _one(
        "the outcome is written before the call ends", "core/habeas/http/api.py",
        "        # What is true of a call whose end nobody saw, should anything at all come in between.\n",
        '        self._journal.outcome(intent, "acknowledged", 204)\n',
        f"{_API}::test_a_change_is_in_the_journal_before_it_is_sent_and_after_it_is_answered",
        f"{_KILL}::test_a_kill_is_made_good[erase]",
    ),
    _one(
        "a 2xx is trusted without reading back", "core/habeas/registry.py",
        "                if outcome.result in (Result.ERASED, Result.ABSENT) and not read:\n",
        "                if outcome.result is Result.ABSENT and not read:\n",
        "tests/habeas/engine/test_erasure.py::test_erased_without_reading_back_is_a_fault",
        "tests/habeas/test_registry.py::test_gone_is_believed_only_after_a_read_that_followed_the_last_change",
    ),
    _one(
        "404 is taken for erased without a look-up in this run", "plugins/habeas_cybersource/erasing.py",
        "        if answer.status == 404 and not resumed:\n", "        if answer.status == 404 and False:\n",
        "tests/habeas_cybersource/test_plugin.py::test_a_token_that_this_vault_does_not_know_is_left_to_a_person",
    ),
    _one(
        "each attempt has a new idempotency key", "core/habeas/engine/journal.py",
        '        return self._mac(b"call", self._connection.encode(), request)\n',
        '        tried = str(sum(self._attempts.values())).encode()\n'
        '        return self._mac(b"call", self._connection.encode() + tried, request)\n',
        "tests/habeas/engine/test_journal.py::test_attempts_at_one_request_are_counted_across_passes_and_have_one_key",
    ),
    _one(
        "the fence between two processes is dropped", "core/habeas/cases/locks.py",
        "fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(case_id))",
        "fcntl.lockf(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _offset(case_id))",
        f"{_LOCKS}::test_of_two_processes_one_gets_a_case_and_the_other_may_have_others",
        "tests/crash/test_processes.py::test_of_two_that_resume_a_case_one_does",
    ),
    _one(
        "whoever deletes the file of locks gets in", "core/habeas/cases/locks.py",
        "            if not self._path.exists() and self._alone():\n", "            if not self._path.exists():\n",
        f"{_LOCKS}::test_a_file_taken_away_from_who_works_with_it_lets_nobody_in",
    ),
    _one(
        "two processes open a case for one request", "core/habeas/app.py",
        "        return self.locks.alone(\"opening\", self.tools.clock)\n", "        return suppress()\n",
        f"{_CLI}/test_opening.py::test_who_would_open_a_case_while_another_process_does_waits_for_it",
    ),
    _one(
        "an identifier is in a log line", "core/habeas/http/transport.py",
        "        request = prepared.request\n        budget",
        "        request = prepared.request\n"
        '        __import__("logging").getLogger("habeas").warning("sending %s", prepared.http.url)\n'
        "        budget",
        f"{_TRANSPORT}::test_no_log_line_shows_the_url_whatever_is_wrong",
    ),
    Mutant(
        "a redirect is followed",
        (
            Edit(
                "core/habeas/http/transport.py",
                "                allow_redirects=False,\n", "                allow_redirects=True,\n",
            ),
            Edit(
                "core/habeas/http/transport.py",
                "        http = requests.PreparedRequest()\n",
                "        http = requests.PreparedRequest()\n        http.prepare_cookies({})\n",
            ),
            Edit(
                "core/habeas/http/session.py",
                "        del resp\n        return None\n", "        return super().get_redirect_target(resp)\n",
            ),
        ),
        (f"{_TRANSPORT}::test_a_redirect_is_an_answer_and_its_target_never_hears_of_it",),
    ),
    _one(
        "the environment names a proxy", "core/habeas/http/session.py",
        "    session.trust_env = False\n", "    session.trust_env = True\n",
        f"{_TRANSPORT}::test_proxies_netrc_and_bundles_of_the_environment_are_ignored",
    ),
    _one(
        "certificates are not looked at", "core/habeas/http/transport.py",
        "                verify=True,\n",
        '                verify=__import__("warnings").simplefilter("ignore") is not None,\n',
        f"{_TRANSPORT}::test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent",
    ),
    _one(
        "an answer may be as large as it likes", "core/habeas/http/transport.py",
        "                if len(body) > self.limits.max_answer_bytes:\n", "                if len(body) > 1 << 62:\n",
        f"{_TRANSPORT}::test_an_answer_over_the_limit_is_refused",
    ),
    _one(
        "an id is put into a path as it is", "core/habeas/http/paths.py",
        '        return quote(ids[name], safe="")\n', "        return ids[name]\n",
        "tests/habeas/http/test_paths.py::test_each_placeholder_is_filled_and_a_filled_one_is_not_read_again",
    ),
    _one(
        "401 is taken for absence", "plugins/habeas_cybersource/client/calls.py",
        "GONE = (404, 410)\n", "GONE = (401, 404, 410)\n",
        "tests/habeas_cybersource/test_plugin.py::test_an_inventory_that_cannot_be_trusted_is_an_error_without_"
        "identifiers",
    ),
    _one(
        "a 5xx is taken for not done", "core/habeas/http/decisions.py",
        "dict.fromkeys((Event.NO_ANSWER, Event.SERVER, Event.UNUSABLE), Decision.SETTLE)",
        "dict.fromkeys((Event.NO_ANSWER, Event.UNUSABLE), Decision.SETTLE)",
        "tests/habeas/http/test_decisions.py::test_a_change_is_repeated_unasked_only_where_the_vendor_refused_before_"
        "acting",
    ),
    _one(
        "the breaker never opens", "core/habeas/http/breaker.py",
        "            if self._failed < self._enough:\n", "            if self._failed < 10 * self._enough:\n",
        "tests/habeas/http/test_breaker.py::test_failures_in_a_row_open_it_and_one_call_tries_after_the_pause",
    ),
    _one(
        "a trigger is missing", "audit/habeas_audit/schema.py",
        '        _refuse(f"{table}_no_delete", f"DELETE ON {table}", f"{table} are never deleted"),\n',
        '        _refuse(f"{table}_no_delete", f"UPDATE ON {table}", f"{table} are never deleted"),\n',
        f"{_STORE}::TestAppendOnly::test_the_file_itself_refuses",
    ),
    _one(
        "a commit is not synced", "audit/habeas_audit/connection.py",
        'db.execute("PRAGMA synchronous = EXTRA")', 'db.execute("PRAGMA synchronous = NORMAL")',
        f"{_STORE}::TestFile::test_is_written_with_the_pragmas_that_survive_a_power_cut",
    ),
    _one(
        "a change is not held against the suppression list", "core/habeas/engine/tools.py",
        "    found = tools.suppression.find(subject)\n    if found is not None:\n",
        "    found = tools.suppression.find(subject)\n    if found is not None and found.since > '9':\n",
        f"{_CLI}/test_suppression.py::test_a_change_about_an_erased_person_is_refused_and_nothing_is_sent",
    ),
    _one(
        "a case is completed with an unknown", "core/habeas/models.py",
        "        return self not in (Result.FAILED, Result.UNKNOWN)\n", "        return self is not Result.FAILED\n",
        "tests/habeas/cases/test_view.py::test_what_failed_or_is_unknown_may_be_overruled_and_keeps_its_place",
    ),
    _one(
        "a hole is left open", "core/habeas/engine/journal.py",
        "    if drafts:\n        ledger.append(*drafts)\n", "",
        "tests/habeas/engine/test_journal.py::test_each_hole_is_closed_once_as_unknown",
        f"{_KILL}::test_a_kill_is_made_good[erase]",
    ),
    _one(
        "a pass does not know of the one before it", "core/habeas/engine/journal.py",
        "        return bool(self._attempts)\n", "        return False\n",
        f"{_KILL}::test_a_kill_is_made_good[erase]",
    ),
    _one(
        "a package that a killed process left is kept", "core/habeas/reports/package/write.py",
        "        for left in drafts_of(path):\n            destroy_file(left)\n", "",
        "tests/habeas/reports/test_package.py::TestWrite::test_what_a_killed_process_left_of_it_is_destroyed",
    ),
    _one(
        "a destroyed key is still in the file", "core/habeas/cases/keys.py",
        '        self._db.execute("VACUUM")\n', "        pass\n",
        "tests/habeas/cases/test_keys_end.py::test_destroyed_keys_are_in_no_file_and_the_others_still_open",
    ),
    _one(
        "a sealed value can take another name", "core/habeas/cases/vault.py",
        '    return f"v1|{case_id}|{name}".encode()\n', '    return f"v1|{case_id}|{name[:0]}".encode()\n',
        "tests/habeas/cases/test_vault.py::test_a_value_cannot_take_another_name_in_its_own_case",
    ),
    _one(
        "who planned may approve", "core/habeas/engine/approvals.py",
        "    if person == planner:\n", "    if person == planner + ' ':\n",
        f"{_CLI}/test_four_eyes.py::test_who_planned_does_not_approve_and_who_approved_does_not_apply",
    ),
    _one(
        "an approval comes back with the clock", "core/habeas/engine/timekeeping.py",
        "    return max([now, *times])\n", "    return now\n",
        f"{_CLI}/test_clock.py::test_an_approval_that_has_expired_does_not_come_back_with_the_clock",
    ),
    _one(
        "what drifted since the plan is erased", "core/habeas/cli/apply_command.py",
        "            if plan is None or work.drifted(plan):\n", "            if plan is None:\n",
        f"{_CLI}/test_four_eyes.py::test_what_was_added_since_kills_the_approval_and_the_new_plan_waits",
    ),
    _one(
        "a clock that is years ahead ends everything", "core/habeas/engine/timekeeping.py",
        "    if jump is None or now <", "    if jump is not None or now <",
        f"{_CLI}/test_clock.py::test_a_clock_that_is_years_ahead_ends_nothing",
    ),
    _one(
        "a signal does not stop the run", "core/habeas/cli/signals.py",
        "        control.stop()\n", "",
        "tests/crash/test_signals.py::test_a_signal_lets_the_call_in_hand_finish",
    ),
    _one(
        "an older ledger goes on as if nothing was", "core/habeas/app.py",
        "        if not behind:\n", "        if False:\n",
        f"{_CLI}/test_audit.py::test_an_older_copy_put_back_stops_every_command_that_writes_until_somebody_takes_note",
    ),
)  # fmt: skip
