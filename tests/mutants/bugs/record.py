"""Seeded bugs: what is concluded from an answer of the Registry, and what is written of it."""

from mutant import mutant

from bugs.places import BULK, COMPARISON, FULL_FORMS, INTERLEAVINGS, RECONCILE

RECORD_STATES = "orcid_sync/service/record/record_states.py"
PERMISSION = "orcid_sync/service/record/permission.py"

BUGS = [
    mutant(
        "delete-on-error",
        "an error of the Registry is taken for a deactivated record",
        INTERLEAVINGS,
        (
            "orcid_sync/registry/errors.py",
            "return STATUSES.get(status, Unavailable)",
            "return STATUSES.get(status, Deactivated)",
        ),
    ),
    mutant(
        "subtitle-from-the-summary",
        "the subtitle of a work is looked for where ORCID never shows it",
        f"{RECONCILE}/test_reconcile.py -k subtitle",
        (
            "orcid_sync/model/record/activities.py",
            "extract.subtitle(full.title or item.title)",
            "extract.subtitle(item.title)",
        ),
    ),
    mutant(
        "wrong-record-filed",
        "another person's record is stored under the iD that was asked for",
        f"{RECONCILE}/test_faults.py -k filed",
        ("orcid_sync/registry/answers.py", "if record.orcid_identifier.path != orcid:", "if False:"),
    ),
    mutant(
        "redirect-followed",
        "the redirect of a merged record is followed to another person's",
        "tests/integration/registry/test_http_exchange.py -k redirect",
        ("orcid_sync/registry/http_exchange.py", "allow_redirects=False", "allow_redirects=True"),
    ),
    mutant(
        "404-believed-at-once",
        "one 404 is taken for the record's end",
        f"{RECONCILE}/test_record_states.py -k 404",
        (
            RECORD_STATES,
            "if fate.confirm and not _is_confirmed(policy, job, fate):",
            "if False:",
        ),
    ),
    mutant(
        "end-not-forgotten",
        "the history still says what a deactivated record said",
        f"{RECONCILE}/test_record_states.py -k ends",
        (RECORD_STATES, "[_forget] if changeset.changes else []", "[]"),
    ),
    mutant(
        "lost-sight-is-deletion",
        "what a narrower grant does not show is taken for deleted",
        f"{RECONCILE}/test_removals.py {RECONCILE}/test_access.py",
        (
            "orcid_sync/model/record/removals.py",
            "return ACCESS_LOST if part_of(key, known.visibility) in before.seen - now.seen else REMOVED",
            "return REMOVED",
        ),
    ),
    mutant(
        "another-environments-id",
        "an iD that is an address in another environment is taken for one of ours",
        "tests/unit/record/test_ids.py",
        ("orcid_sync/model/ids.py", "if None not in (home, environment) and environment != home:", "if False:"),
    ),
    mutant(
        "listener-nowhere-at-home",
        "the internal listener does not know of which environment it speaks",
        "tests/integration/http/test_internal_listener.py -k environment",
        ("orcid_sync/daemon/internal_listener.py", "if settings.home is not None:", "if False:"),
    ),
    mutant(
        "scopes-not-decoded",
        "scopes that a program has percent-encoded are no scopes",
        "tests/unit/wire/test_orcid_scopes.py",
        ("orcid_sync/model/wire/orcid_scopes.py", "return unquote(unquote(text))", "return text"),
    ),
    mutant(
        "scopes-as-said",
        "what a token shows is what somebody wrote beside it",
        "tests/integration/consent/test_token_scopes.py -k once",
        (PERMISSION, "    if job.token is None:\n        return job\n", "    return job\n"),
    ),
    mutant(
        "own-items-prove-permission",
        "our own items are taken for shown by the holder's token",
        f"{RECONCILE}/test_access.py -k narrower",
        (PERMISSION, " and not is_own(item.content.doc, client_id)", ""),
    ),
    mutant(
        "proof-outlives-its-token",
        "a new token counts as showing what the one before it has shown",
        "tests/integration/consent/test_token_scopes.py -k replace",
        (
            "orcid_sync/store/consent/connections.sql",
            "shown = case when t.access_token = excluded.access_token then t.shown else '{}' end,",
            "shown = t.shown,",
        ),
    ),
    mutant(
        "unspoken-outlives-permission",
        "limited items stay after the permission, because the answer does not speak of them",
        "tests/integration/consent/test_token_scopes.py -k speak",
        (PERMISSION, "return [key for key, item in held.items() if part_of", "return [key for key in () if part_of"),
    ),
    mutant(
        "frozen-items-read-again",
        "items that stayed while a record was locked are taken for read with the access of that day",
        f"{RECONCILE}/test_refused_tokens.py -k locked",
        (RECORD_STATES, "job.lease.body_access or job.access.text", "job.access.text"),
    ),
    mutant(
        "outage-revokes-everybody",
        "tokens that are refused all at once count as revoked",
        f"{RECONCILE}/test_refused_tokens.py -k numbers",
        (PERMISSION, "if not schedule.outage(", "if True or not schedule.outage("),
    ),
    mutant(
        "verdict-on-another-token",
        "what was heard of a token is written down for the one that has replaced it",
        f"{RECONCILE}/test_refused_tokens.py -k void",
        (PERMISSION, "    return (demand(job), _following(fate))\n", "    return (_following(fate),)\n"),
    ),
    mutant(
        "missing-section-is-empty",
        "a section that the answer leaves out is taken for an empty one",
        f"{RECONCILE}/test_holds.py -k section",
        ("orcid_sync/model/record/diff.py", "if key[0] in spoken_of and key not in seen", "if key not in seen"),
    ),
    mutant(
        "set-aside-is-removed",
        "an item that cannot be understood is taken for removed",
        "tests/integration/mirror/test_nonsense.py -k removed",
        ("orcid_sync/model/wire/set_aside.py", " - {one.section for one in set_aside if one.key is None}", ""),
    ),
    mutant(
        "first-of-two-counts",
        "of two items of one key the one that stands first counts, however old it is",
        "tests/unit/record/test_set_aside.py -k several",
        ("orcid_sync/model/record/found.py", "= sorted((other, item), key=_rank)", "= other, item"),
    ),
    mutant(
        "nonsense-refuses-the-item",
        "a member of the wrong type takes the rest of its object with it",
        "tests/unit/wire/test_lenient.py",
        ("orcid_sync/model/wire/lenient.py", "            return _struct(given, one)\n", "            return None\n"),
    ),
    mutant(
        "one-bad-group-hides-the-others",
        "a group without its list leaves out all groups of its section",
        "tests/unit/record/test_set_aside.py -k no_group",
        (
            "orcid_sync/model/wire/groups.py",
            "            lists = [inner for _, inner in found if inner is not None]\n",
            "            lists = [] if strange else [inner for _, inner in found if inner is not None]\n",
        ),
    ),
    mutant(
        "any-number-is-stored",
        "one number that PostgreSQL refuses holds its whole record back",
        "tests/integration/mirror/test_items.py -k number",
        ("orcid_sync/model/wire/cleaning.py", "    if _may_hold_odd_numbers(text):\n", "    if False:\n"),
    ),
    mutant(
        "year-1-is-a-time",
        "a date of the year 1 is stored as -infinity",
        "tests/unit/record/test_extract.py -k time",
        ("orcid_sync/model/record/extract.py", "return time if time.year in _YEARS else None", "return time"),
    ),
    mutant(
        "missing-work-is-known",
        "a record of which a full work is missing is taken for completely read, and never asked again",
        f"{RECONCILE}/test_reconcile.py -k bulk",
        (FULL_FORMS, "{item.id: NOT_ANSWERED for item in part if item.id not in answers}", "{}"),
    ),
    mutant(
        "old-full-form-is-known",
        "a full form that is older than its summary is taken for the right one, and never asked again",
        f"{RECONCILE}/test_faults.py {RECONCILE}/test_full_forms.py -k older_edit",
        (COMPARISON, "            full.unread[item.id] = ANOTHER_EDIT\n", ""),
    ),
    mutant(
        "answers-words-are-kept",
        "an error repeats a word of the Registry's answer, which may be the token",
        "tests/integration/daemon/test_canaries.py -k answer_of_the_registry",
        (
            "orcid_sync/registry/protocol.py",
            "isinstance(word, str) and word in OAUTH_ERRORS",
            "isinstance(word, str)",
        ),
    ),
    mutant(
        "code-sent-again",
        "a code whose answer was lost is sent once more",
        "tests/unit/registry/test_consent.py -k once",
        (
            "orcid_sync/registry/client.py",
            "            return await self._try(request, None, held)\n\n    async def revoke_token",
            "            return await self._repeat(request, None, held)\n\n    async def revoke_token",
        ),
    ),
    mutant(
        "file-covers-reads",
        "a lease for loading a file covers what asked for a read",
        f"{BULK}/test_bootstrap.py -k last_of_all",
        (
            "orcid_sync/store/mirror/bulk_load.sql",
            "set lease_no = q.lease_no + 1,",
            "set lease_no = q.lease_no + 1, leased_gen = q.gen,",
        ),
    ),
    mutant(
        "file-without-fence",
        "a paused worker's older read is applied over a newer file",
        f"{BULK}/test_bootstrap.py -k paused_past",
        ("orcid_sync/store/mirror/bulk_load.sql", "set lease_no = q.lease_no + 1,", "set"),
        ("orcid_sync/store/mirror/bulk_load.sql", "       applied_lease_no = q.lease_no,\n", ""),
    ),
    mutant(
        "file-postpones-notifications",
        "a read that somebody asked for is put off because a file was loaded",
        f"{BULK}/test_bootstrap.py -k put_off",
        ("orcid_sync/store/mirror/bulk_load.sql", "q.lane = 2 and q.verified_at", "q.verified_at"),
    ),
    mutant(
        "forgotten-is-absent",
        "what was forgotten looks as if it had never been",
        "tests/integration/mirror/test_history.py -k forgotten",
        (
            "orcid_sync/store/mirror/history.sql",
            " where c.op <> 'added' or c.content is not null",
            " where c.content is not null",
        ),
    ),
]
