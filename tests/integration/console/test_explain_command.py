"""explain as an operator meets it: the sentence first, then what it is made of; ORCID asked once if that is wished."""

import msgspec

from rig.service.command_line import Cli
from rig.service.every_record import environment_of
from rig.service.reconciler import LIMITED, OTHER, Bench, O

SECRET = "Confidential"


async def test_the_sentence_comes_first_then_what_it_is_made_of(bench: Bench, cli: Cli) -> None:
    await bench.connect(OTHER)
    await bench.turn(OTHER)
    bench.registry.edit.lock(OTHER)
    await bench.notified(OTHER)

    result = await cli.apart("explain", OTHER)

    assert result.exit_code == 0
    first, second, *rest = result.stdout.splitlines()
    assert first.startswith(f"ORCID locked the record of {OTHER} (found on ")
    assert second == "Only the holder can have it unlocked, by writing to ORCID's support."
    text = "\n".join(rest)
    assert "\nconnection         connected since " in text
    assert "Time line" in text
    assert "the record is read next" in text


async def test_machines_get_all_of_it(bench: Bench, cli: Cli) -> None:
    await bench.connect(OTHER)
    await bench.turn(OTHER)

    document = (await cli.apart("explain", OTHER, "--item", "no such thing", "--json")).stdout

    answer = msgspec.json.decode(document)
    assert answer["diagnosis"]["complaint"] == "limited-only"
    assert answer["item"] == {"text": "no such thing", "found": [], "set_aside": []}
    assert (answer["orcid"], answer["view"], answer["now"]) == (OTHER, None, None)
    assert {event["kind"] for event in answer["timeline"]} >= {"connection", "webhook", "read", "change", "to come"}


async def test_orcid_is_asked_once_and_nothing_is_written(bench: Bench, cli: Cli) -> None:
    await bench.connect(OTHER)
    await bench.turn(OTHER)
    same = await cli.apart("explain", OTHER, "--ask", env=environment_of(bench))
    bench.registry.clock.advance(60)
    bench.registry.edit.add_item(OTHER, "keyword", {"content": "unheard of"})
    before, requests = await bench.mirror(OTHER), len(bench.requests("record"))
    queue = await bench.row(OTHER)

    changed = await cli.apart("explain", OTHER, "--ask", env=environment_of(bench))

    assert "equals what ORCID shows now" in same.stdout
    assert changed.stdout.startswith("ORCID shows something else now (1 keyword missing): changed there on ")
    assert f"orcid-sync sync {OTHER} --wait" in changed.stdout
    assert len(bench.requests("record")) == requests + 1
    assert (await bench.mirror(OTHER), await bench.row(OTHER)) == (before, queue)


async def test_a_view_is_told_what_its_readers_may_know(bench: Bench, cli: Cli) -> None:
    bench.registry.edit.add_item(OTHER, "keyword", {"content": SECRET}, visibility="limited")
    await bench.connect(OTHER, scopes=LIMITED)
    await bench.turn(OTHER)

    whole, limited, public = [
        (await cli.apart("explain", OTHER, "--item", SECRET, *view)).stdout
        for view in ((), ("--view", "limited"), ("--view", "public"))
    ]

    assert whole.startswith(f'The keyword "{SECRET}" is in the mirror, but not everybody may see it')
    assert limited.startswith(f'The keyword "{SECRET}" is in the mirror, but not everybody may see it')
    assert public.startswith(f'Nothing that matches "{SECRET}" is, or was, in the mirror for this view')


async def test_whoever_asks_for_nothing_is_told_what_to_ask_for(cli: Cli) -> None:
    empty, wrong, unset = [
        await cli.apart("explain", *arguments)
        for arguments in ((O, "--item", " "), ("0000-0002-1825-0098",), (O, "--ask"))
    ]

    assert (empty.exit_code, wrong.exit_code, unset.exit_code) == (2, 2, 1)
    assert "--item is empty" in empty.stderr
    assert "client_id" in unset.stderr
