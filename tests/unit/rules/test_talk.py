"""Talk between several: roles, requests, proposals, pronouns, pasted text, languages nobody here reads."""

import msgspec
import pytest

from mnemolog.schema.cells import Cell
from mnemolog.workers.rules import Context, extract

from .corpus import NOW, message, say


def values(*said: str) -> list[tuple[str, str | None, str]]:
    return [(cell.subject, cell.slot, cell.object) for cell in say(*said).cells]


@pytest.mark.parametrize("role", ["assistant", "system", "tool"])
def test_only_users_make_cells(role: str):
    assert say(f"{role}: I live in Hamburg and I prefer Rust.").cells == ()


def test_a_plain_yes_makes_a_cell_that_quotes_both():
    cells = say("assistant: So you live in Hamburg, right?", "Yes, that's right.").cells
    assert [(cell.slot, cell.object) for cell in cells] == [("residence", "hamburg")]
    assert [evidence.quote for evidence in cells[0].evidence] == [
        "Yes, that's right.",
        "So you live in Hamburg, right?",
    ]


def test_a_yes_to_a_proposal_is_a_decision():
    cells = say("assistant: Shall we use Postgres for this?", "Yes, please do.").cells
    assert [(cell.cell_type, cell.object) for cell in cells] == [("decision", "postgres")]


def test_a_no_or_a_late_yes_makes_nothing():
    assert values("assistant: You live in Hamburg, right?", "No.") == []
    assert values("assistant: You live in Hamburg, right?", "Let me see.", "Yes.") == []


def test_remember_that_makes_a_cell_of_full_salience():
    cell = say("Please remember that I am allergic to latex.").cells[0]
    assert (cell.slot, cell.object, cell.salience, cell.basis) == ("allergy", "latex", 1.0, "requested")


def test_remember_keeps_what_no_frame_reads_as_a_note():
    cell = say("Remember that the spare key is under the blue pot.").cells[0]
    assert (cell.slot, cell.salience, cell.content) == ("note", 1.0, "The spare key is under the blue pot.")


def test_forget_that_is_a_request_and_no_cell():
    extraction = say("Please forget that I live in Berlin.")
    assert extraction.cells == ()
    assert [request.what for request in extraction.forget] == ["I live in Berlin"]
    assert extraction.forget[0].evidence.quote == "Please forget that I live in Berlin."


def test_do_not_forget_is_no_request_to_forget():
    assert say("Don't forget that I am vegan.").forget == ()


def test_she_is_the_person_named_just_before():
    assert values("My sister Mia called. She moved to Bergen.") == [("Mia", "residence", "bergen")]


def test_a_pronoun_without_a_name_before_it_is_nobody():
    assert values("She moved to Bergen.") == []


def test_reported_speech_is_about_the_one_who_is_quoted():
    cell = say("My friend Lena says she works at Acme.").cells[0]
    assert (cell.subject, cell.slot, cell.object, cell.basis) == ("Lena", "employer", "acme", "others")


def test_a_speaker_without_a_name_is_the_user():
    cell = extract([msgspec.structs.replace(message("I live in Porto."), speaker=None)]).cells[0]
    assert (cell.subject, cell.content) == ("user", "The user lives in Porto.")


@pytest.mark.parametrize(
    "text",
    [
        "```\nI live in Rome\n```",
        "> I live in Rome\n> I like tea",
        "He wrote: I moved to Paris and I love it here.",
        "From: Ben\nSubject: hello\nI work at Acme now.",
        "Ben: I like jazz\nEve: I like techno",
        "“I prefer Python”, as they say.",
        "Once upon a time I lived in a castle. I work at Acme.",
    ],
)
def test_what_somebody_else_wrote_makes_no_cell(text: str):
    assert extract([msgspec.structs.replace(message("x"), content=text)]).cells == ()


def test_talk_around_a_quotation_is_still_read():
    assert values("> where do you live?\nI live in Porto.") == [("Ada", "residence", "porto")]


def test_a_language_that_is_not_known_is_counted_and_makes_no_cells():
    extraction = say("J'habite à Lyon et je travaille pour Acme.", "Я живу в Москве.", "I live in Porto.")
    assert extraction.unknown_language == 2
    assert [cell.object for cell in extraction.cells] == ["porto"]


def test_messages_that_were_read_before_give_context_but_no_cells():
    before = msgspec.structs.replace(message("We are building an agent."), read=True)
    after = message("It should sort talk into topics.", number=1, at=NOW + 1)
    assert [(cell.subject, cell.slot) for cell in extract([before, after]).cells] == [("agent", "requirement")]


def test_a_correction_takes_the_slot_from_a_fact_known_before():
    known = say("I work at Bosch.").cells
    cell = say("Sorry, I meant Siemens, not Bosch.", context=Context(facts=known)).cells[0]
    assert (cell.slot, cell.object, cell.ends, cell.correction) == ("employer", "siemens", "bosch", True)


def test_talk_about_a_project_gives_cells_in_at_most_two_scenes():
    cells = say(
        "We are building an agent that remembers projects long term.",
        "It should organize conversations into topics automatically.",
        "This memory system should support future reasoning.",
    ).cells
    assert len(cells) >= 3
    assert len({cell.scene for cell in cells}) <= 2


def test_every_cell_type_is_made():
    cells = say(
        "I work at Acme.", "I prefer tea to coffee.", "We'll use Postgres.", "I'm flying to Oslo on Friday.",
        "I need to call the dentist tomorrow.", "The launch might slip.", "When it rains I take the bus.",
        "I think Go is dull.",
    ).cells  # fmt: skip
    kinds = {cell.cell_type for cell in cells}
    assert kinds == {"fact", "preference", "decision", "plan", "task", "risk", "procedure", "opinion"}


def test_places_organizations_people_and_tools_are_entities():
    cells = say("I work at Acme.", "I live in Porto.", "I'm married to Omar.", "I prefer Rust.").cells
    named = {(mention.name, mention.kind) for cell in cells for mention in cell.entities}
    assert named >= {("Acme", "organization"), ("Porto", "place"), ("Omar", "person"), ("Rust", "tool")}


def test_the_reason_is_a_cell_of_its_own_that_causes_the_effect():
    cells = say("I moved to Berlin because I got a job at Acme.").cells
    effect = next(cell for cell in cells if cell.slot == "residence")
    assert [cells[cause].slot for cause in effect.causes] == ["employer"]


def test_cells_survive_json_and_bad_replies_are_refused():
    cell = say("I moved to Berlin last month.").cells[0]
    assert msgspec.json.decode(msgspec.json.encode(cell), type=Cell) == cell
    for field, value in (
        ("salience", 2.0),
        ("polarity", 0),
        ("cell_type", "rumour"),
        ("evidence", []),
        ("slot", "X Y"),
    ):
        reply = msgspec.to_builtins(cell) | {field: value}
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode(reply), type=Cell)


def test_the_same_messages_give_the_same_cells():
    said = ("I moved to Berlin last month.", "I like jazz, techno and funk.", "My sister Mia works at Acme.")
    assert say(*said) == say(*said)
    assert [cell.object for cell in say(said[1]).cells] == ["jazz", "techno", "funk"]


def test_a_pronoun_alone_says_nothing_in_any_language():
    assert values("Ich", "I", "Yo", "我") == []
