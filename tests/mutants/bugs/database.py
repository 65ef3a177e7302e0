"""Seeded bugs: keys, roles, and what they keep from whom."""

from mutant import mutant

CRASH = "tests/acceptance/test_crash.py"
ROW_SECURITY = "orcid_sync/store/database/migrations/0001_database.sql"
EMBEDDED = "orcid_sync/store/database/embedded.py"
CLUSTER = "orcid_sync/store/database/embedded_cluster.py"
IN_A_WHEEL = "tests/integration/database/test_embedded.py"
FEED = "orcid_sync/store/database/migrations/0008_feed.sql"
_FEED_HEAD_BY_SEQUENCE = """
drop table orcid_sync.feed_head;
create sequence orcid_sync.feed_seq;
create table orcid_sync.feed_epoch (one boolean primary key default true, epoch uuid default gen_random_uuid(),
  at timestamptz default now());
insert into orcid_sync.feed_epoch default values;
create view orcid_sync.feed_head as
  select one, epoch, (select case when is_called then last_value else 0 end from orcid_sync.feed_seq) as last, at
    from orcid_sync.feed_epoch;
create table orcid.changes ("""
_LINES_OF_PUBLIC_ITEMS = """  or 'public' in (visibility, visibility_before)
    and orcid not in (select r.orcid from orcid.records r where r.withheld = 'all')
"""
_TAKE_POSITIONS = """
update orcid_sync.feed_head set last = last + :count, at = clock_timestamp()
returning last - :count as before, at;
"""
_TAKE_NUMBERS = """
select min(n) - 1 as before, clock_timestamp() as at
  from (select nextval('orcid_sync.feed_seq') as n from generate_series(1, :count)) as numbers;
"""

BUGS = [
    mutant(
        "positions-from-a-sequence",
        "positions come from a sequence: gaps, and readers that page by them miss what is committed late",
        CRASH,
        (
            FEED,
            "\ncreate table orcid.changes (",
            _FEED_HEAD_BY_SEQUENCE,
        ),
        (
            "orcid_sync/store/feed/changes.sql",
            _TAKE_POSITIONS,
            _TAKE_NUMBERS,
        ),
        tries=2,
    ),
    mutant(
        "ciphertext-without-place",
        "a token that was moved to another person's row opens there",
        "tests/unit/settings/test_vault.py -k elsewhere",
        ("orcid_sync/store/database/encryption.py", "{key_id}|{orcid}|{column}", "{key_id}|{column}"),
    ),
    mutant(
        "rotation-without-lock",
        "a token that is stored while the keys are replaced is overwritten by the one before",
        "tests/integration/database/test_keys.py -k somebody_else_writes",
        (
            "orcid_sync/store/database/encryption_keys.sql",
            " order by orcid\n limit :limit::bigint\n   for no key update skip locked;",
            " order by orcid\n limit :limit::bigint;",
        ),
    ),
    mutant(
        "any-key-serves",
        "with a wrong key the service starts, and seals with it what nobody can tell apart later",
        "tests/integration/database/test_keys.py -k wrong_key",
        ("orcid_sync/store/database/encryption_keys.py", "    if present in wrong:", "    if present in wrong[:0]:"),
    ),
    mutant(
        "private-is-limited",
        "who may see limited items sees private ones, too, and those whose visibility nobody knows",
        "tests/integration/mirror/test_visibility.py -k exactly",
        (ROW_SECURITY, "      or visibility = 'limited' and (select", "      or visibility <> 'public' and (select"),
    ),
    mutant(
        "withheld-in-history",
        "what is hidden for the time being is hidden in the mirror, but not in the feed",
        "tests/integration/feed/test_visibility.py -k withheld",
        (
            FEED,
            _LINES_OF_PUBLIC_ITEMS,
            "  or 'public' in (visibility, visibility_before)\n",
        ),
    ),
    mutant(
        "embedded-trust",
        "the embedded server believes everybody who reaches its socket",
        f"{IN_A_WHEEL} -k everybody_in",
        (CLUSTER, "local all all peer map=orcid_sync", "local all all trust"),
    ),
    mutant(
        "embedded-open-socket",
        "the embedded server's socket is writable for everybody",
        f"{IN_A_WHEEL} -k closed_to_others",
        (CLUSTER, ', "unix_socket_permissions": "0700"', ""),
    ),
    mutant(
        "embedded-parents-opened",
        "the folders above the embedded server's data are opened to everybody",
        f"{IN_A_WHEEL} -k closed_to_others",
        (CLUSTER, "folder != self.folder and self.owner.become:\n", "folder != self.folder:\n"),
        (CLUSTER, "folder.chmod(0o711)", "folder.chmod(0o755)"),
    ),
    mutant(
        "embedded-stops-under-others",
        "the embedded server stops with the first process that ends, under the hands of the others",
        f"{IN_A_WHEEL} -k share_a_server",
        (EMBEDDED, "_locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB)", "_locked(users, fcntl.LOCK_SH)"),
    ),
    mutant(
        "embedded-follows-links",
        "root writes what somebody else put a link to into the folder of the embedded server",
        f"{IN_A_WHEEL} -k link",
        (EMBEDDED, " | os.O_NOFOLLOW", ""),
    ),
]
