"""Seeded bugs: the positions of the feed, its past, and the answer to why something is so."""

from mutant import mutant

CONSUMERS = "tests/integration/feed/test_consumers.py"
CONSUMER_SQL = "orcid_sync/store/feed/consumers.sql"

BUGS = [
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
]
