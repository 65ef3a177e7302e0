"""Seeded bugs: one sick part stops, hides or removes something else."""

from mutant import mutant

from bugs.places import COMPARISON, FULL_FORMS, RECONCILE

MATRIX = f"{RECONCILE}/test_containment.py"
READS = f"{RECONCILE}/test_full_forms.py"
HOLDS = f"{RECONCILE}/test_holds.py"
UNMOVED = f"{RECONCILE}/test_unmoved_date.py"
AGREEMENT = "orcid_sync/model/record/agreement.py"
DOUBTS = "orcid_sync/model/record/doubts.py"
_SHRINKING = "removed = list(shrinking(question.known, removed))"
_FAILED = "        except RegistryError as error:\n            patience -= _cost(error)\n"
_PAUSED = "        except Paused as error:"

BUGS = [
    mutant(
        "full-form-stops-its-record",
        "a full form that cannot be read keeps the whole record from being applied",
        f"{MATRIX} -k 9008",
        (FULL_FORMS, _FAILED, _FAILED.replace("patience -= _cost(error)", "raise")),
    ),
    mutant(
        "page-not-halved",
        "one work that ORCID cannot render costs all others of its page their full form",
        f"{READS} -k halved",
        (FULL_FORMS, "if len(part) > 1:", "if not part:"),
    ),
    mutant(
        "page-asked-first-for-ever",
        "a page of works that is always refused for the time being keeps all other full forms waiting",
        f"{MATRIX} -k 503",
        (FULL_FORMS, _PAUSED, _PAUSED.replace("Paused", "(Paused, Busy)")),
    ),
    mutant(
        "page-not-bounded",
        "a page in which all is sick is halved to the end in every read",
        f"{READS} -k bounded",
        (FULL_FORMS, "while parts and patience > 0:", "while parts:"),
    ),
    mutant(
        "state-from-another-endpoint",
        "a record is closed because a full form was answered with words about its state",
        f"{MATRIX} -k 9044",
        (FULL_FORMS, _PAUSED, f"        except OF_THE_RECORD:\n            raise\n{_PAUSED}"),
    ),
    mutant(
        "item-told-as-its-record",
        "operators read that a record cannot be shown, and it is one item",
        f"{MATRIX} -k 9006",
        ("orcid_sync/registry/protocol.py", 'Endpoint.ITEM: "this item"', 'Endpoint.ITEM: "this record"'),
    ),
    mutant(
        "part-set-aside-removes",
        "what is missing beside a part that cannot be understood is taken for removed, though it may be that part",
        "tests/integration/mirror/test_set_aside.py",
        (DOUBTS, "for doubt in doubts for key in doubt.may_be)", "for doubt in doubts for key in ())"),
    ),
    mutant(
        "removals-wait-together",
        "what is gone elsewhere waits with the section that shrinks",
        f"{HOLDS} -k nothing_else",
        (AGREEMENT, _SHRINKING, "removed = removed if list(shrinking(question.known, removed)) else []"),
    ),
    mutant(
        "agreement-begins-anew",
        "each read that lacks an item counts as the first one: who deletes on and on is waited for",
        f"{HOLDS} -k waits_for_itself",
        (AGREEMENT, "doubt = moment.before.get(new.id, new)", "doubt = new"),
    ),
    mutant(
        "unmoved-date-removes",
        "a lagging cache removes what was there, under the date that was read already",
        UNMOVED,
        (
            AGREEMENT,
            f"    if question.moved:\n        {_SHRINKING}\n    else:\n",
            f"    {_SHRINKING}\n    if not question.moved:\n",
        ),
    ),
    mutant(
        "unmoved-date-goes-back",
        "an item of an older edit is taken under an unmoved date",
        UNMOVED,
        (AGREEMENT, "elif _is_older(item, before):", "elif False:"),
    ),
    mutant(
        "unmoved-date-shows",
        "what was hidden just now is shown again by a lagging cache",
        UNMOVED,
        (AGREEMENT, "if item.visibility in wider_than(before.visibility):", "if False:"),
    ),
    mutant(
        "unspoken-is-verified",
        "a section that the answer does not speak of counts as read",
        f"{RECONCILE}/test_what_remains_to_be_done.py -k not_heard",
        (DOUBTS, "        if section not in answered:\n", "        if section is None:\n"),
    ),
    mutant(
        "full-form-without-back-off",
        "a full form that fails is asked for in every read",
        f"{READS} -k rarely",
        (COMPARISON, "failed.waits(moment.now) and", "not failed and"),
    ),
    mutant(
        "sick-record-returns-at-once",
        "a record that cannot be read is due again at once, ahead of all others",
        f"{MATRIX} -k 504",
        (
            "orcid_sync/model/sync/schedule.py",
            "    due_in = backoff(kind, attempts, chance)\n    return Settlement(done=False",
            "    due_in = timedelta()\n    return Settlement(done=False",
        ),
    ),
    mutant(
        "sick-records-are-an-outage",
        "an error in ORCID's own words about one record says that ORCID is away, and the fixed question is not asked",
        "tests/unit/sync/test_registry_health.py",
        (
            "orcid_sync/model/sync/registry_health.py",
            "        gone = heard.probe and heard.failures > 0\n",
            "        gone = heard.failures > 0\n",
        ),
    ),
]
