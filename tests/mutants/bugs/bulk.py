"""Seeded bugs: loading records from files."""

from mutant import mutant

from bugs.places import BULK

BUGS = [
    mutant(
        "file-over-verified",
        "a record from a file overwrites what was compared with ORCID since",
        "tests/unit/bulk/test_decisions.py",
        (
            "orcid_sync/bulk/precedence.py",
            "(standing.registry_modified_at, standing.verified_at)",
            "(standing.registry_modified_at,)",
        ),
    ),
    mutant(
        "file-for-strangers",
        "who is connected while a file is loaded is taken for somebody whom nobody follows",
        f"{BULK}/test_faults.py -k same_second",
        ("orcid_sync/bulk/write.py", "if strangers and await", "if not strangers and await"),
    ),
    mutant(
        "file-with-limited-items",
        "what is not public comes in by a file",
        "tests/unit/bulk/test_documents.py -k only_what_is_public",
        ("orcid_sync/bulk/parse.py", ' if item.visibility == "public"]', "]"),
    ),
    mutant(
        "file-removes-own-items",
        "a file of public data removes what only we may see",
        f"{BULK}/test_bootstrap.py -k not_public",
        ("orcid_sync/bulk/records.py", 'if known.visibility == "public"}', "}"),
    ),
    mutant(
        "file-other-digest",
        "adding a full form changes the digest of the summary: the next read takes it for another one",
        f"{BULK}/test_later_reads.py -k finds_nothing",
        ("orcid_sync/bulk/details.py", "held.items[key].digest", "old.digest()"),
    ),
    mutant(
        "file-another-selection",
        "a load goes on where one of other people was interrupted",
        f"{BULK}/test_faults.py -k since_the_interruption",
        ("orcid_sync/bulk/load.py", 'wanted = "".join(sorted(ours)).encode()', 'wanted = b"ours"'),
    ),
    mutant(
        "file-unknown-layout-is-empty",
        "what stands around the items of a section in no known layout counts for nothing: they are removed",
        "tests/unit/bulk/test_unknown.py -k layout",
        ("orcid_sync/bulk/xml/record.py", "self._put_down(found)", "pass"),
    ),
    mutant(
        "file-of-v2-is-a-record",
        "a record of v2 is taken for one of v3.0 with fewer items",
        f"{BULK}/test_not_understood.py -k no_other_version",
        ("orcid_sync/bulk/versions.py", "if traits.flat or of_v2 or traits.in_capitals:", "if traits.in_capitals:"),
    ),
    mutant(
        "file-half-understood-removes",
        "items that are missing beside one that is not understood are removed by a file",
        f"{BULK}/test_not_understood.py -k without_a_number",
        ("orcid_sync/bulk/records.py", "may_lose(parsed.answered, parsed.set_aside)", "frozenset(parsed.answered)"),
    ),
    mutant(
        "file-space-in-a-date",
        "a date with the end of a line beside it has no sense",
        "tests/unit/bulk/test_values.py",
        ("orcid_sync/bulk/xml/values.py", "datetime.fromisoformat(text.strip(_SPACE))", "datetime.fromisoformat(text)"),
    ),
    mutant(
        "file-table-entry",
        "one entry of the table of XML is wrong",
        "tests/unit/bulk/test_documents.py",
        ("orcid_sync/bulk/xml/summaries.py", '"journal-title": WRAPPED,', '"journal-title": TEXT,'),
    ),
]
