"""Seeded bugs: the positions of the feed, its past, and the answer to why something is so."""

from mutant import mutant

CONSUMERS = "tests/integration/feed/test_consumers.py"
CONSUMER_SQL = "orcid_sync/store/feed/consumers.sql"
_OF_ALL = " where seq > :after and seq <= :until\n   and (:minor or not minor)\n"
_GOING = "op in ('removed', 'withdrawn') or "
_OBEYED = f"""   and (section = 'record'
        or (:sections::text[] is null or section = any(:sections::text[]))
           and (:ops::text[] is null or {_GOING}op = any(:ops::text[])))
"""
DOUBTS = "tests/integration/console/test_doubts.py"

BUGS = [
    mutant(
        "filters-drop-what-is-withheld",
        "a consumer that follows some sections over HTTP is not told that the record is withheld",
        "tests/acceptance/test_consumers.py",
        (
            "orcid_sync/store/feed/pages.sql",
            f"{_OF_ALL}   and (section = 'record'\n",
            f"{_OF_ALL}   and (false\n",
        ),
    ),
    mutant(
        "filters-drop-removals",
        "a consumer that wants additions over HTTP is not told what is removed or withdrawn",
        "tests/acceptance/test_consumers.py",
        ("orcid_sync/store/feed/pages.sql", f"{_OF_ALL}{_OBEYED}", f"{_OF_ALL}{_OBEYED}".replace(_GOING, "")),
    ),
    mutant(
        "feed-that-never-ends",
        "the end of the feed that readers compare is never before their position, so that a restore looks like silence",
        "tests/integration/docs/test_consumers.py -k rewound",
        (
            "orcid_sync/store/database/migrations/0008_feed.sql",
            "  select h.epoch, h.last as last_seq, h.at from orcid_sync.feed_head h;",
            "  select h.epoch, 9223372036854775807 as last_seq, h.at from orcid_sync.feed_head h;",
        ),
    ),
    mutant(
        "past-stays-public",
        "what an item said while it was public stays readable for all after its holder restricted it",
        "tests/integration/feed/test_visibility.py -k feed",
        (
            "orcid_sync/store/feed/changes.py",
            "    await forgetting.restrict(connection, orcid, restrictions(changes))\n",
            "",
        ),
    ),
    mutant(
        "explained-to-everybody",
        "whoever may see what is public is told what is limited, in the answer to why it is so",
        "tests/integration/console/test_explanation.py -k no_view",
        ("orcid_sync/service/explain/explain.py", "            await become(connection, question.view)\n", ""),
    ),
    mutant(
        "consumer-ahead",
        "a consumer that is ahead of a feed that was rewound lags by less than nothing",
        f"{CONSUMERS} -k how_far",
        (CONSUMER_SQL, "greatest(h.last - c.seq, 0) as behind", "h.last - c.seq as behind"),
    ),
    mutant(
        "consumer-in-seconds",
        "how many changes a consumer lags behind is the age of the first of them",
        f"{CONSUMERS} -k how_far",
        (
            CONSUMER_SQL,
            "greatest(h.last - c.seq, 0) as behind",
            "(extract(epoch from now()) - extract(epoch from c.updated_at))::bigint as behind",
        ),
    ),
    mutant(
        "consumer-age-of-the-known",
        "a consumer lags by the age of the last change that it has seen, instead of the first that it has not",
        f"{CONSUMERS} -k how_far",
        (CONSUMER_SQL, "n.seq = c.seq + 1", "n.seq = c.seq"),
    ),
    mutant(
        "lag-of-another-unit",
        "the metric of a consumer's seconds shows its positions",
        "tests/unit/http/test_metrics.py -k consumer",
        (
            "orcid_sync/service/http/metrics.py",
            "gauge.labels(one.name).set(getattr(one, member))",
            'gauge.labels(one.name).set(getattr(one, member.removesuffix("_seconds")))',
        ),
    ),
    mutant(
        "lag-judged-by-positions",
        "a consumer is taken for stopped by how many changes it lags behind, however young they are",
        "tests/unit/console/test_findings.py -k consumer",
        (
            "orcid_sync/service/explain/status_findings.py",
            "elif one.behind_seconds > FAR_BEHIND",
            "elif one.behind > FAR_BEHIND",
        ),
    ),
    mutant(
        "set-aside-told-to-readers",
        "readers are told that parts of a record were set aside, whose nobody knows, and how many items are in doubt",
        f"{DOUBTS} -k readers_what_they_see",
        (
            "orcid_sync/service/explain/explain.py",
            "            doubts = await in_doubt.visible(connection, orcid, facts.doubts)\n",
            "            doubts = facts.doubts\n",
        ),
    ),
    mutant(
        "doubts-on-everybodys-page",
        "the page of a record tells readers what is in doubt of items that they do not see",
        f"{DOUBTS} -k page",
        (
            "orcid_sync/service/console/record.py",
            "            known = await in_doubt.visible(connection, orcid, known)\n",
            "            pass\n",
        ),
    ),
    mutant(
        "half-an-answer-is-well",
        "a record of which ORCID's last answer left a section out is explained as up to date",
        "tests/unit/console/test_reasons.py",
        ("orcid_sync/model/explain/reasons.py", "    reasons_doubts.unspoken,\n", ""),
    ),
    mutant(
        "private-though-unheard",
        "what stands in a section that was not heard is said to be private or not to exist",
        "tests/unit/console/test_reasons.py",
        (
            "orcid_sync/model/explain/reasons_item.py",
            "    if reasons_doubts.part_set_aside(facts) or reasons_doubts.unheard(facts):\n        return None\n",
            "",
        ),
    ),
    mutant(
        "status-silent-in-doubt",
        "status says that all is well while parts of records are in doubt",
        f"{DOUBTS} -k commands",
        ("orcid_sync/service/explain/status_attention.py", "*doubtful(seen.doubts), ", ""),
    ),
    mutant(
        "doubts-of-the-departed",
        "what was in doubt of somebody who has left is told of for ever",
        f"{DOUBTS} -k not_followed",
        (
            "orcid_sync/store/console/in_doubt.sql",
            " where c.state = 'connected'\n group by d.kind\n",
            " group by d.kind\n",
        ),
    ),
]
