from __future__ import annotations

import pytest
from support.work import NOW, fact, message, window

from mnemolog.schema.cells import Cell, Evidence
from mnemolog.schema.outcomes import EntityKey, ForgetWish
from mnemolog.schema.times import parse
from mnemolog.workers.engines.proposals import read_proposals, read_wishes

SAID = "I'm writing in Rust now."
ASKED = "You live in Berlin, right?"
WORK = window(
    message("e0", "I prefer Python.", read=True),
    message("a1", ASKED, role="assistant", speaker=None),
    message("e1", SAID),
    message("b1", "My boss Ada likes Go.", speaker="Ben"),
    message("n1", "I own a cat.", speaker=None),
    scenes=("career",),
    facts=(fact("ce-9", "The Apollo project uses Go.", subject="Apollo"),),
)


def proposal(**given):
    return {
        "content": "Ada writes in Rust.",
        "cell_type": "preference",
        "subject": "Ada",
        "scene": "programming",
        "evidence": [{"event_id": "e1", "quote": SAID}],
        **given,
    }


def only(work=WORK, **given) -> Cell:
    cells, refused = read_proposals([proposal(**given)], work)
    assert refused == ()
    return cells[0].cell


def reason(**given) -> str:
    cells, refused = read_proposals([proposal(**given)], WORK)
    assert cells == ()
    return refused[0][0]


def test_a_short_proposal_becomes_a_whole_cell():
    assert only(slot="preferred_programming_language", object="Rust") == Cell(
        content="Ada writes in Rust.",
        cell_type="preference",
        subject="Ada",
        evidence=(Evidence("e1", SAID),),
        scene="programming",
        salience=0.7,
        slot="preferred_programming_language",
        object="rust",
        stated_by="Ada",
    )


@pytest.mark.parametrize("name", ["Career", "career ", "Careers", "the careers", "CAREER"])
def test_spellings_of_a_scene_are_one_scene(name):
    assert only(scene=name).scene == "career"


@pytest.mark.parametrize("name", ["misc", "general", "", None, "the other"])
def test_a_scene_that_says_nothing_is_replaced_by_what_the_cell_is_about(name):
    assert only(scene=name, slot="employer", object="Acme").scene == "career"


def test_a_scene_has_at_most_five_words():
    assert len(only(scene="one long name of a scene that goes on and on").scene.split()) <= 5


@pytest.mark.parametrize("name", ["I", "me", "the user", "We", "ada", "ADA "])
def test_the_speaker_is_one_subject_however_named(name):
    assert only(subject=name).subject == "Ada"


def test_a_user_without_a_name_is_the_user():
    assert only(subject="I", evidence=[{"event_id": "n1", "quote": "I own a cat."}]).subject == "user"


def test_a_known_subject_is_spelt_as_it_is_known():
    assert only(subject="apollo").subject == "Apollo"


def test_hearsay_is_never_believed_like_a_persons_own_words():
    said = [{"event_id": "b1", "quote": "My boss Ada likes Go."}]
    assert only(evidence=said, basis="first_person").basis == "others"
    assert only(evidence=said, basis="first_person").stated_by == "Ben"
    assert only(basis="others").basis == "first_person"
    assert only(basis="inferred").basis == "inferred"


def test_dates_are_meant_in_the_offset_of_the_message():
    cell = only(holds_from="2026-02", holds_until="2026-03-15")
    assert cell.holds_from == parse("2026-02-01T00:00:00+01:00")
    assert cell.holds_until == parse("2026-03-16T00:00:00+01:00")
    assert cell.granularity == "month"
    assert only(due="2026-03-13").due == parse("2026-03-13T23:59:59.999+01:00")
    assert only(holds_until="now").holds_until == NOW


def test_a_stated_granularity_may_be_coarser_than_the_date():
    assert only(holds_from="2026-02-01", granularity="month").granularity == "month"
    assert only(granularity="month").granularity is None


@pytest.mark.parametrize(
    "given", [{"holds_from": "soon"}, {"due": "2026-02-31"}, {"holds_from": "2026", "holds_until": "2019"}]
)
def test_a_cell_with_an_impossible_time_is_refused(given):
    assert reason(**given) == "bad_time"


@pytest.mark.parametrize(
    "given",
    [
        {"content": ""},
        {"content": "x" * 1_001},
        {"cell_type": "rumour"},
        {"salience": 7},
        {"polarity": 0},
        {"subject": None},
        {"evidence": "e1"},
        {"evidence": [{"event_id": "e1", "quote": ""}]},
        {"subject": "x" * 300},
    ],
)
def test_a_cell_that_is_malformed_is_refused(given):
    assert reason(**given) == "invalid"


def test_a_cell_that_quotes_unknown_messages_is_refused():
    assert reason(evidence=[{"event_id": "e99", "quote": SAID}]) == "unknown_message"
    assert reason(evidence=[]) == "no_evidence"


def test_earlier_context_makes_no_cells_again():
    assert reason(evidence=[{"event_id": "e0", "quote": "I prefer Python."}]) == "no_evidence"
    both = [{"event_id": "e0", "quote": "I prefer Python."}, {"event_id": "e1", "quote": SAID}]
    assert only(evidence=both).evidence == (Evidence("e1", SAID),)


def test_a_yes_to_an_assistants_proposal_quotes_both_and_is_the_users():
    cell = only(evidence=[{"event_id": "e1", "quote": SAID}, {"event_id": "a1", "quote": ASKED}])
    assert [said.event_id for said in cell.evidence] == ["e1", "a1"]
    assert (cell.stated_by, cell.basis) == ("Ada", "first_person")


def test_the_others_stand_when_one_is_refused():
    cells, refused = read_proposals([7, proposal(), {"content": "x"}], WORK)
    assert len(cells) == 1
    assert [why for why, _ in refused] == ["invalid", "invalid"]


def test_causes_follow_the_cells_that_stand():
    cells, refused = read_proposals(
        [{"content": "broken"}, proposal(content="The vendor is late."), proposal(causes=["1", 0, 9, "ce-9"])], WORK
    )
    assert cells[1].cell.causes == (0, "ce-9")
    assert [why for why, _ in refused] == ["invalid", "unknown_cause", "unknown_cause"]


def test_entities_have_keys_and_known_kinds():
    cells, _ = read_proposals(
        [proposal(entities=[{"name": "Rust", "kind": "software"}, {"name": "Zen", "kind": "mood"}, {"name": " "}])],
        WORK,
    )
    assert cells[0].entities == (EntityKey("rust", "Rust", "tool"), EntityKey("zen", "Zen", "concept"))


@pytest.mark.parametrize(
    ("given", "slot"),
    [
        ("Preferred Programming Language", "preferred_programming_language"),
        ("employer", "employer"),
        ("…", None),
        (None, None),
    ],
)
def test_slots_are_written_in_one_way(given, slot):
    assert only(slot=given).slot == slot


def test_what_is_over_is_written_as_objects_are():
    assert only(ends="the cars").ends == "car"
    assert only(ends="*").ends == "*"
    assert only(ends="").ends is None


def test_a_nul_character_does_not_reach_the_tables():
    cell = only(content="Ada\x00 writes.", subject="Ada\x00", object="ru\x00st", scope="\x00")
    assert "\x00" not in repr(cell)


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [
        ("evidence", {"event_id": "e1", "quote": SAID}, 20),
        ("entities", {"name": "Rust", "kind": "tool"}, 40),
        ("causes", 1, 20),
    ],
)
def test_a_cell_that_holds_more_than_a_cell_may_is_refused(name, value, most):
    cells, _ = read_proposals([proposal(**{name: [value] * most})], WORK)
    assert len(cells) == 1
    assert reason(**{name: [value] * (most + 1)}) == "too_many"


def test_a_quote_that_is_too_long_is_refused():
    assert reason(evidence=[{"event_id": "e1", "quote": "x" * 8_001}]) == "invalid"


# ---- asked to remember ---------------------------------------------------------------------------------------------

ASKING = [
    "Remember that I am allergic to nuts.",
    "I'm allergic to nuts, please remember that.",
    "Could you note down that I like tea?",
    "And don't forget: the code is 1234.",
    "Merk dir bitte, dass ich in Köln wohne.",
    "Recuerda que vivo en Madrid.",
    "请记住我对花生过敏。",
]
NOT_ASKING = [
    "I'm writing in Rust now.",
    "Do you remember my sister?",
    "I can't remember where I live.",
    "Remember when we lived in Rome?",
    "She said she would remember me.",
]


@pytest.mark.parametrize(
    ("text", "basis"), [*((t, "requested") for t in ASKING), *((t, "first_person") for t in NOT_ASKING)]
)
def test_a_cell_is_believed_like_a_request_only_where_its_message_asks_to_remember(text, basis):
    work = window(message("e1", text))
    cell = only(work, evidence=[{"event_id": "e1", "quote": text}], basis="requested", salience=0.2)
    assert (cell.basis, cell.salience) == (basis, 1.0 if basis == "requested" else 0.2)


def test_what_an_assistant_or_somebody_earlier_asked_to_remember_is_no_request():
    work = window(
        message("e0", "Remember that.", read=True), message("e1", SAID), message("a1", ASKING[0], role="assistant")
    )
    both = [{"event_id": "e1", "quote": SAID}, {"event_id": "a1", "quote": ASKING[0]}]
    assert only(work, evidence=both, basis="requested").basis == "first_person"


# ---- asked to forget -----------------------------------------------------------------------------------------------


def test_a_wish_to_forget_names_its_message_its_words_and_who_asks():
    work = window(message("e1", "Forget that I like jazz."), message("n1", "Forget my trip to Rome.", speaker=None))
    wishes, refused = read_wishes(
        [
            {"event_id": "e1", "quote": "Forget that I like jazz.", "what": "that I like jazz"},
            {"event_id": "n1", "quote": "Forget my trip", "what": "my trip to Rome", "sure": True},
        ],
        work,
    )
    assert wishes == (
        ForgetWish(event_id="e1", quote="Forget that I like jazz.", words="I like jazz", subject="Ada"),
        ForgetWish(event_id="n1", quote="Forget my trip", words="my trip to Rome", subject="user"),
    )
    assert refused == ()


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "invalid"),
        ({"event_id": "e1"}, "invalid"),
        ({"event_id": "e1", "quote": "Forget it all", "what": ""}, "invalid"),
        ({"event_id": "e1", "quote": "Forget it all", "what": "x" * 1_001}, "invalid"),
        ({"event_id": "e0", "quote": "I prefer Python.", "what": "I prefer Python"}, "unknown_message"),
        ({"event_id": "a1", "quote": ASKED, "what": "Berlin"}, "unknown_message"),
    ],
    ids=["no object", "half", "nothing", "long", "read before", "an assistant's"],
)
def test_a_wish_that_nobody_can_have_had_is_refused(item, reason):
    wishes, refused = read_wishes([item], WORK)
    assert wishes == ()
    assert [why for why, _ in refused] == [reason]
