"""The XML form of the simulated Registry: contract sections 3.2 and 7.1, real documents where there are any."""

import gzip
import io
import json
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from orcid_sync.simulator.answers.xml import to_xml


def shape(element: ET.Element) -> Any:
    """An element with its namespaces, attributes, order and text; white space that only indents does not count."""
    text = "" if len(element) else element.text or ""
    return element.tag, dict(element.attrib), text, [shape(child) for child in element]


def test_attributes_elements_and_escaped_text() -> None:
    document = {
        "put-code": 1,
        "path": "/x/work/1",
        "title": {"title": {"value": "a < b & c\r\u0000\ud800"}, "subtitle": None},
        "url": None,
        "country": {"value": "NZ"},
        "language-code": "mi",
        "external-ids": {"external-id": []},
    }
    text = to_xml("work", document).decode()
    root = ET.fromstring(text)
    assert root.attrib == {"put-code": "1", "path": "/x/work/1"}
    assert text.partition('path="/x/work/1">')[2] == (
        "<work:title><common:title>a &lt; b &amp; c&#13;</common:title></work:title>"
        "<common:country>NZ</common:country><common:language-code>mi</common:language-code>"
        "<common:external-ids/></work:work>\n"
    )


def test_lists_that_only_json_wraps_and_one_that_only_xml_wraps() -> None:
    stamp = {"last-modified-date": {"value": 1_559_917_016_886}}
    text = to_xml("bulk", {"bulk": [{"work": {**stamp, "put-code": 7}}, {"error": {"error-code": 9034}}]}).decode()
    assert text.endswith(
        '<work:work put-code="7"><common:last-modified-date>2019-06-07T14:16:56.886Z</common:last-modified-date>'
        "</work:work><error:error><error:error-code>9034</error:error-code></error:error></bulk:bulk>\n"
    )
    resource = to_xml("research-resource", {"resource-item": [{"resource-name": "a"}, {"resource-name": "b"}]}).decode()
    assert (
        "<research-resource:resource-items><research-resource:resource-item><research-resource:resource-name>a<"
    ) in resource


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"result": None, "num-found": 0}, ' num-found="0"/>'),
        (
            {"result": [{"orcid-identifier": {"uri": None}}], "num-found": 1},
            ' num-found="1"><search:result><common:orcid-identifier/></search:result></search:search>',
        ),
    ],
    ids=["nothing", "one"],
)
def test_search_results(document: Any, expected: str) -> None:
    text = to_xml("search", document).decode().split("\n")[1]
    assert text.startswith('<search:search xmlns:common="http://www.orcid.org/ns/common" xmlns:search="')
    assert text.endswith(f'/search"{expected}')


def test_the_bulk_files_are_indented() -> None:
    text = to_xml("error", {"response-code": 409, "error-code": 9018}, indented=True).decode()
    assert text.split("\n")[2:] == [
        "    <error:response-code>409</error:response-code>",
        "    <error:error-code>9018</error:error-code>",
        "</error:error>",
        "",
    ]


def _real_pairs(corpus: Path) -> Any:
    """Documents of a piece of the public data file, each as its XML and as its JSON."""
    folder = corpus / "public_data_file"
    with tarfile.open(folder / "ORCID_2019_summaries_191_part.tar.gz") as archive:
        xml = {Path(member.name).stem: archive.extractfile(member) for member in archive if member.isfile()}
        texts = {orcid: file.read() for orcid, file in xml.items() if file is not None}
    with gzip.open(folder / "ORCID_2019_summaries_191_part.jsonl.gz") as text:
        for line in islice(io.TextIOWrapper(text, "utf-8"), 0, None, 40):
            document = json.loads(line)
            orcid = document.get("orcid-identifier", {}).get("path")
            if orcid in texts:
                yield orcid, texts[orcid], document


def test_real_records_come_out_element_for_element(corpus: Path) -> None:
    compared = 0
    for orcid, real, document in _real_pairs(corpus):
        mine = to_xml("record", document, indented=True)
        assert shape(ET.fromstring(mine)) == shape(ET.fromstring(real)), orcid
        compared += 1
    assert compared > 50


@pytest.mark.parametrize("kind", ["work-full", "peer-review-full", "research-resource", "employment", "bulk-work"])
def test_full_items_have_the_elements_of_the_official_samples(corpus: Path, kind: str) -> None:
    samples = corpus / "official_samples"
    (given,) = samples.glob(f"json__*write_samples__{kind}-3.0.json")
    root = {"bulk-work": "bulk"}.get(kind, kind.removesuffix("-full"))
    known = {
        element.tag
        for path in samples.glob("*__record_3.0__samples__*.xml")
        for element in ET.fromstring(path.read_bytes()).iter()
    }
    mine = {element.tag for element in ET.fromstring(to_xml(root, json.loads(given.read_bytes()))).iter()}
    assert len(mine) > 8
    assert mine <= known
