"""What the names of files say."""

import pytest

from orcid_sync.bulk.file_names import Name, parse_name
from orcid_sync.model.ids import Orcid

O = Orcid("0000-0002-1694-233X")  # noqa: E741 - the one iD here


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"ORCID_2025_10_summaries/33X/{O}.xml", Name(O)),
        (f"33X/{O}.xml", Name(O)),
        (f"{O}.json", Name(O)),
        (f"./a\nb/{O}.xml", Name(O)),
        (f"ORCID_2025_10_activities_X/33X/{O}/works/{O}_works_123.xml", Name(O, ("work", "123"))),
        (f"33X/{O}/fundings/{O}_fundings_1.xml", Name(O, ("funding", "1"))),
        (f"{O}_peer-reviews_2.xml", Name(O, ("peer-review", "2"))),
        (f"{O}_research-resources_3.xml", Name(O, ("research-resource", "3"))),
        (f"{O}_work_4.xml", Name(O, ("work", "4"))),
        # The summary says all that there is about affiliations (contract section 3.7).
        (f"33X/{O}/employments/{O}_employments_5.xml", None),
        (f"{O}_hobbies_6.xml", None),
        (f"{O}.xml.gz", None),
        (f"{O}.txt", None),
        (f"x{O}.xml", None),
        (f"{O}", None),
        ("0000-0002-1694-233x.xml", None),
        ("\u0660000-0002-1694-2330.xml", None),
        (f"{O}_works_.xml", None),
        (f"{O}_works_12345678901234567890.xml", None),
        ("README.md", None),
        ("", None),
    ],
)
def test_names(name: str, said: Name | None) -> None:
    assert parse_name(name) == said
