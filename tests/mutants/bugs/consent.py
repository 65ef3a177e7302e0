"""Seeded bugs: connecting, the pages for people, the ledger, leaving and erasing."""

from mutant import mutant

OAUTH_CALLBACK = "tests/integration/consent/test_oauth_callback.py"
INVITATIONS = "orcid_sync/store/consent/invitations.sql"

BUGS = [
    mutant(
        "erase-without-fence",
        "a worker that had read before an erasure writes the person down again after it",
        "tests/integration/consent/test_erasure.py -k has_read",
        ("orcid_sync/store/consent/erasure.sql", "set lease_no = lease_no + 1, lease_until", "set lease_until"),
        (
            "orcid_sync/service/sync/reconcile.py",
            "            for effect in finding.effects:\n                await effect(connection, lease.orcid)\n",
            "",
        ),
    ),
    mutant(
        "erase-without-waiting",
        "an erasure does not wait for a worker that is writing, and misses what that writes",
        "tests/integration/consent/test_erasure.py -k is_writing",
        ("orcid_sync/store/consent/erasure.sql", "where orcid = :orcid for update;", "where orcid = :orcid;"),
    ),
    mutant(
        "erased-but-in-history",
        "an erasure takes the record, but not what the feed says of its past",
        "tests/integration/consent/test_erasure.py -k left_in_any_table",
        (
            "orcid_sync/store/consent/erasure.py",
            'deleted["orcid.change_contents"] = await forgetting.forget_all(connection, orcid)',
            'deleted["orcid.change_contents"] = 0 * await forgetting.forget_limited(connection, orcid)',
        ),
    ),
    mutant(
        "erased-come-back",
        "who was never erased in the restored backup is not erased again",
        "tests/integration/consent/test_erasure_log.py -k nobody_back",
        ("orcid_sync/store/consent/erasure.sql", "coalesce(erased_at < :at, true)", "erased_at < :at"),
    ),
    mutant(
        "chain-without-links",
        "an entry's hash does not cover the one before it, so that the past can be rewritten entry by entry",
        "tests/unit/consent/test_hash_chain.py",
        (
            "orcid_sync/model/consent/hash_chain.py",
            "sha256(previous + canonical(content))",
            "sha256(canonical(content))",
        ),
    ),
    mutant(
        "state-of-any-browser",
        "whoever knows a state can come back with it: login CSRF",
        f"{OAUTH_CALLBACK} -k belongs_to_the_browser",
        (
            "orcid_sync/service/consent/oauth_callback.py",
            "or not hmac.compare_digest(flow.browser_hash, hashed(browser))",
            "or not hmac.compare_digest(flow.browser_hash, flow.browser_hash)",
        ),
    ),
    mutant(
        "state-without-an-end",
        "a state is good for ever",
        f"{OAUTH_CALLBACK} -k ten_minutes",
        ("orcid_sync/service/consent/oauth_callback.py", "flow is None or not flow.in_time or", "flow is None or"),
    ),
    mutant(
        "state-used-twice",
        "a state stays when it was used: a reload sends the code again, which costs the holder the token",
        f"{OAUTH_CALLBACK} -k two_returns",
        (
            INVITATIONS,
            "delete from orcid_sync.consent_flows\n where state_hash = :state_hash\nreturning",
            "update orcid_sync.consent_flows set state_hash = state_hash\n where state_hash = :state_hash\nreturning",
        ),
    ),
    mutant(
        "grants-at-once",
        "grants of one iD do not wait for each other: two people are its holder, or one of them an error",
        f"{OAUTH_CALLBACK} -k two_grants",
        (
            INVITATIONS,
            "select pg_advisory_xact_lock(hashtextextended('orcid_sync|' || :orcid::text, 0))",
            "select :orcid::text",
        ),
    ),
    mutant(
        "invitation-of-two",
        "two grants by one invitation do not wait for each other: the second takes the first one's place",
        f"{OAUTH_CALLBACK} -k two_ids",
        (
            INVITATIONS,
            "select from orcid_sync.invitations where number = :number for no key update",
            "select from orcid_sync.invitations where number = :number",
        ),
    ),
    mutant(
        "anybodys-id",
        "the iD that the institution expects is not compared with the one that came",
        "tests/integration/consent/test_connect_pages.py -k another_id",
        ("orcid_sync/model/consent/invitation.py", "        return Outcome.DIFFERENT\n", "        pass\n"),
    ),
    mutant(
        "unwanted-token-kept",
        "the token of who was not meant is not revoked",
        "tests/integration/consent/test_connect_pages.py -k another_id",
        (
            "orcid_sync/service/consent/token_exchange.py",
            "            await connections.retire_unwanted(connection, orcid, sealed)\n",
            "",
        ),
    ),
    mutant(
        "form-of-any-page",
        "a form of another site can end the connection",
        "tests/integration/consent/test_signed_links.py -k only_the_page",
        (
            "orcid_sync/service/consent/disconnect_page.py",
            'if not self._context.tickets.guards(cookie, form.get("guard", "")):',
            "if not cookie:",
        ),
    ),
    mutant(
        "names-as-markup",
        "what is in a name is HTML",
        "tests/integration/consent/test_page_requests.py -k stay_text",
        ("orcid_sync/service/consent/html_pages.py", "autoescape=True", "autoescape=False"),
    ),
    mutant(
        "signature-of-any-purpose",
        "links, sessions and guards are signed with one key: one can be passed off as another",
        "tests/unit/consent/test_signed_links.py",
        (
            "orcid_sync/service/consent/signed_links.py",
            'derive(f"connect pages: {purpose}")',
            'derive("connect pages")',
        ),
    ),
    mutant(
        "host-of-the-request",
        "where we lead is decided by what a request says",
        "tests/integration/consent/test_page_requests.py -k decides_where",
        (
            "orcid_sync/service/consent/oauth_callback.py",
            'response = context.lead(context.at("/connected"))',
            'response = context.lead("https://evil.example/connected")',
        ),
    ),
    mutant(
        "withdrawn-for-good",
        "who connects again before ORCID has confirmed the disconnection never gets back what was withdrawn",
        "tests/integration/consent/test_disconnection.py -k before_all_was_revoked",
        (
            "orcid_sync/service/consent/disconnect.py",
            "        await queue.disregard(connection, lease, PUBLIC.text)\n",
            "",
        ),
    ),
    mutant(
        "backup-reconnects",
        "whoever disconnected goes on being shown after a backup was restored",
        "tests/integration/consent/test_erasure_log.py -k has_ended",
        (
            "orcid_sync/service/consent/erasure_log.py",
            "    return [one for one in named if await _is_back(connection, one)]",
            "    return [one for one in named if one.line.event == ERASED and await _is_back(connection, one)]",
        ),
    ),
    mutant(
        "foreign-token-revoked",
        "a token that belongs to another iD counts as revoked after a day, and is taken from whom it belongs to",
        "tests/integration/reconcile/test_foreign_tokens.py -k followed",
        (
            "orcid_sync/service/record/permission.py",
            "    if heard is Heard.FOREIGN:\n        return await _doubted(pool, chance, job, heard, FOREIGN)\n",
            "",
        ),
    ),
    mutant(
        "doubt-deletes",
        "while a token is in doubt, what only that token shows is taken for removed",
        "tests/integration/reconcile/test_foreign_tokens.py -k hidden",
        (
            "orcid_sync/service/record/permission.py",
            "    if not job.in_doubt:\n        return held\n",
            "    return held\n",
        ),
    ),
    mutant(
        "tokens-wait-for-webhook",
        "whoever leaves keeps their token while ORCID does not remove the webhook",
        "tests/integration/consent/test_disconnection.py -k not_public_goes",
        (
            "orcid_sync/service/consent/disconnect.py",
            "    if again_in := await revoke_retired(pool, registry, vault, lease.orcid, effort):\n",
            "    if not left and (again_in := await revoke_retired(pool, registry, vault, lease.orcid, effort)):\n",
        ),
    ),
    mutant(
        "erased-but-held",
        "how much of a record waited to be removed is still known after the erasure",
        "tests/integration/consent/test_erasure.py -k second_answer",
        (
            "orcid_sync/store/consent/erasure.py",
            '    deleted["orcid_sync.doubts"] = await doubts.forget(connection, orcid)\n',
            "",
        ),
    ),
    mutant(
        "forged-behind-the-log",
        "a chain that was written anew passes, although the erasure log holds the old hashes",
        "tests/integration/consent/test_proof.py -k right_in_itself",
        ("orcid_sync/service/consent/proof.py", "    if found != line.hash:", "    if not found:"),
        ("orcid_sync/service/consent/proof.py", "and entry != line:", "and entry is None:"),
    ),
    mutant(
        "residue-after-one-try",
        "deleted rows that a snapshot still saw stay in the files, because one VACUUM counts for all",
        "tests/integration/consent/test_deleted_rows.py -k stays_due",
        (
            "orcid_sync/store/consent/deleted_rows.py",
            'passed = [row["number"] for row in waiting if row["passed"]]',
            'passed = [row["number"] for row in waiting]',
        ),
    ),
]
