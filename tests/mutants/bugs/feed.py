"""Seeded bugs: the positions of the feed, its past, and the answer to why something is so."""

from mutant import mutant

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
]
