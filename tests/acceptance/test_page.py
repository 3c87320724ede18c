"""The page in a real browser, over a memory that a writer and workers keep, by pointer and by keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.memory import Memory
from support.browser import Browser, Keys, browser_at, programs

STORY = Path(__file__).with_name("page_story.jsonl")
START_MS, DAY, MANY = 1_773_014_400_000, 86_400_000, 45
RUST, PYTHON = "Mara prefers Rust as programming language.", "Mara prefers Python as programming language."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Memory, str]]:
    """A memory that has been told the story, with its writer, its workers and its server at work, and its address."""
    programs()
    memory = Memory(tmp_path_factory.mktemp("page") / "data")
    memory.run("import", STORY, "--drain")
    memory.of_space("many").run("import", many_sessions(memory.data), "--drain")
    with memory.up(), memory.start("serve", "--no-token", "--port", "0", "--notice-s", "0") as server:
        output = server.wait_for("Ctrl-C drains and stops")
        yield memory, output.split(" at ")[1].split(";")[0]


def many_sessions(folder: Path) -> Path:
    """A file of more conversations than a page of them holds."""
    file = folder / "many.jsonl"
    lines = [
        {"id": f"m-{n}", "session": f"day {n}", "role": "assistant", "at": START_MS + n * DAY, "content": "Hello."}
        for n in range(MANY)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def window(served: tuple[Memory, str]) -> Iterator[Browser]:
    with browser_at(served[1]) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """The page as it was loaded; at the end nothing was refused by its policy, failed or thrown."""
    window.emulate(1280, 860)
    window.complaints()
    window.open("default")
    yield window
    assert window.complaints() == []


def node_of(memory: Memory, content: str) -> str:
    return next(fact["node_id"] for fact in memory.json("facts", "--all") if fact["content"] == content)


def test_the_first_view_tells_the_newest_facts_the_scenes_and_the_names(browser: Browser) -> None:
    browser.sees("What is remembered")
    browser.sees("Mara has a dog named Pixel.")
    browser.find(".card", "career")
    browser.find(".chip.name", "Mara")
    browser.sees("from 8 messages in 6 sessions")
    assert {address.startswith(browser.base) for address in browser.fetched()} == {True}
    browser.picture("overview")


def test_a_search_tells_answers_with_the_share_of_each_arm(browser: Browser) -> None:
    browser.find("#query").send_keys("Which language does Mara prefer?", Keys.ENTER)
    browser.find(".results .row", RUST)
    browser.find(".results .arms i")
    browser.click(".results summary", "Scores by arm")
    browser.find(".results th", "lexical")
    browser.picture("search")


def test_why_is_one_click_from_a_fact_to_its_message(browser: Browser) -> None:
    browser.open("default/facts")
    browser.click(".fact-row", RUST)
    browser.find(".evidence mark", "I prefer Rust now for command line tools.")
    browser.picture("fact")
    browser.click(".evidence .message", "I prefer Rust now")
    browser.find(".utterance h1", "I prefer Rust now for command line tools. I use Neovim.")
    browser.find(".fact-row", "Mara prefers Neovim as editor.")
    browser.picture("message")


def test_a_chain_of_supersession_is_drawn_and_leads_on(browser: Browser, served: tuple[Memory, str]) -> None:
    browser.open(f"default/facts/{node_of(served[0], PYTHON)}")
    assert browser.find(".chain svg").get_attribute("aria-label") == f"{PYTHON} → {RUST}"
    browser.find(".chain .bar.superseded.here", "Python")
    browser.click(".chain .bar.live rect")
    browser.find("h1", RUST)


def test_the_curve_tells_how_sure_the_memory_is_and_when_the_fact_fades(browser: Browser) -> None:
    browser.open("default/facts")
    browser.click(".fact-row", "Mara has a dog named Pixel.")
    browser.find(".curve svg .line")
    browser.find(".curve figcaption", "% sure. Fades on ")


def test_everything_follows_the_slider(browser: Browser) -> None:
    browser.open("default/facts")
    browser.find(".fact-row", RUST)
    browser.press("t", Keys.HOME, *[Keys.ARROW_RIGHT] * 10)
    browser.find(".time.past", "As of")
    browser.find(".fact-row", PYTHON)
    browser.until(lambda: RUST not in browser.text, "a time before Rust")
    browser.picture("past")
    browser.click("nav a", "Names")
    browser.find("h1", "Names")
    browser.click(".row", "Mara")
    browser.find(".graph .entity", "Python")
    browser.until(lambda: "Rust" not in browser.text, "a graph before Rust")
    browser.press(Keys.ESCAPE, Keys.ESCAPE)
    browser.find(".graph .entity", "Rust")
    browser.picture("graph")


def test_a_memory_that_holds_markup_scripts_and_controls_is_shown_as_text(browser: Browser) -> None:
    browser.open("default/timeline")
    browser.picture("timeline")
    browser.click(".row", "<img src=x onerror=alert(2)>")
    browser.find(".turn .message", "<script>alert('hi')</script>. My website is javascript:alert(1).")
    browser.find(".turn .unseen", "U+202E")
    browser.find(".turn .unseen", "U+0007")
    browser.picture("hostile")
    browser.find(".who", "<b>Eve</b>")
    for address in (
        "default",
        "default/facts?standing=any",
        "default/names",
        "default/scenes",
        "default/search?q=snippet",
    ):
        browser.open(address)
        markup = "return document.querySelectorAll('main img, main script, main b, main [onerror]').length"
        assert browser.driver.execute_script(markup) == 0
        links = "return [...document.querySelectorAll('a')].map((one) => one.protocol + one.pathname)"
        assert set(browser.driver.execute_script(links)) == {"http:/"}


def test_a_fact_is_corrected_after_a_preview_and_stands_in_the_chain(browser: Browser) -> None:
    browser.open("default/facts")
    browser.click(".fact-row", "Mara lives in Leipzig")
    browser.click("button", "Correct…")
    browser.find("dialog textarea").send_keys("I live in Halle.")
    browser.click("dialog button", "Preview")
    browser.find("dialog ins", "I live in Halle.")
    browser.picture("correct")
    browser.click("dialog button[type=submit]", "Correct")
    browser.find("h1", "Mara lives in Leipzig")
    browser.find(".lead", "A correction says that it never was so.")
    assert "Mara lives in Halle." in browser.find(".chain svg").get_attribute("aria-label")
    browser.picture("corrected")


def test_forgetting_shows_first_what_it_would_touch(browser: Browser) -> None:
    browser.open("default/facts")
    browser.click(".fact-row", "Nora is allergic to nuts.")
    browser.find("h1", "Nora is allergic to nuts.")
    browser.click("button", "Forget…")
    browser.find("dialog .preview", "1 message is hidden")
    browser.find("dialog .preview", "My dog is called Pixel.")
    browser.press(Keys.ESCAPE)
    browser.until(lambda: "is hidden" not in browser.text, "the dialog to be closed")
    browser.open("default/facts")
    browser.find(".fact-row", "Nora is allergic to nuts.")


def test_what_was_replaced_can_hold_again_and_what_is_confirmed_does_not_fade(
    browser: Browser, served: tuple[Memory, str]
) -> None:
    browser.open(f"default/facts/{node_of(served[0], 'Mara eats a vegetarian diet.')}")
    browser.click("button", "Confirm…")
    browser.click("dialog button[type=submit]", "Confirm")
    browser.find(".curve figcaption", "it does not fade")
    browser.open(f"default/facts/{node_of(served[0], 'Mara lives in Bremen.')}")
    browser.click("button", "Still true…")
    browser.click("dialog button[type=submit]", "Still true")
    browser.find("button", "Confirm…")


def test_all_can_be_done_with_keys_alone(browser: Browser) -> None:
    browser.press("?")
    browser.find("dialog", "next, previous in a list")
    browser.press(Keys.ESCAPE)
    browser.press("2")
    browser.find("h1", "Facts")
    browser.press("j")
    first = browser.focused()
    browser.press("j")
    assert browser.focused() != first
    browser.press("k")
    assert browser.focused() == first
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.driver.execute_script(outline) != "none"
    browser.press(Keys.ENTER)
    browser.find("section h2", "Where it comes from")
    browser.press("/")
    browser.press("Pixel", Keys.ENTER)
    browser.find(".results .row", "Pixel")
    browser.press("+")
    browser.press("My locker is number 17.", Keys.TAB, "Mara", Keys.ENTER)
    browser.sees("Remembered")
    browser.press(Keys.ESCAPE, "2")
    browser.find(".fact-row", "17")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone(browser: Browser, served: tuple[Memory, str], scheme: str) -> None:
    browser.emulate(360, 740, scheme)
    views = ("", "/facts", f"/facts/{node_of(served[0], RUST)}", "/scenes", "/names", "/names/Mara", "/timeline")
    for view in (*views, "/sessions/2026-03-02", "/work", "/search?q=Where%20does%20Mara%20work%3F"):
        browser.open(f"default{view}")
        wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 360, view
        browser.picture(f"phone-{scheme}-{view.split('/')[1] if view else 'overview'}".split("?")[0])
    ground = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")


def test_a_long_list_goes_on_where_it_ended(browser: Browser) -> None:
    browser.driver.execute_script("""
        const chooser = document.getElementById("space");
        chooser.value = "many";
        chooser.dispatchEvent(new Event("change", { bubbles: true }));
    """)
    browser.until(lambda: "many" in browser.driver.current_url, "the other space")
    browser.press("5")
    browser.find(".row", "day 44")
    rows = "return document.querySelectorAll('main .row').length"
    assert browser.driver.execute_script(rows) == 40
    browser.click("button", "Show more")
    browser.find(".row", "day 0")
    assert browser.driver.execute_script(rows) == MANY
    assert "day 4" in browser.focused()


def test_what_is_learned_meanwhile_is_offered_and_does_not_move_what_is_read(
    browser: Browser, served: tuple[Memory, str]
) -> None:
    browser.open("default/facts")
    script = "return performance.getEntriesByType('resource').some((one) => one.name.endsWith('/position'))"
    browser.until(lambda: browser.driver.execute_script(script), "the page to know how far the memory is")
    served[0].run("remember", "My bicycle is red.", "--speaker", "Mara")
    browser.find("button.changed", "The memory has changed")
    assert "bicycle" not in browser.text
    browser.click("button.changed")
    browser.find(".fact-row", "bicycle")


def test_the_state_of_the_work_is_told(browser: Browser) -> None:
    browser.press("6")
    for name in ("Lag", "Due", "Failed", "Held verdicts", "Dead letters", "Cost", "Writer"):
        browser.find(".tile-name", name)
    browser.picture("work")


def test_what_is_not_there_is_said_to_be_not_there(window: Browser) -> None:
    window.open("default/names/Nobody%20of%20this%20name")
    window.find("h1", "Not found")
    window.open("default/nonsense")
    window.find("h1", "There is no such view")
    window.complaints()


def test_with_tokens_the_page_asks_for_one_once(served: tuple[Memory, str], window: Browser) -> None:
    memory = served[0]
    secret = memory.run("token", "add", "mara", "--space", "default", "--scope", "write").stdout
    token = next(word for word in secret.split() if word.startswith("mn_"))
    with (
        memory.start("serve", "--port", "0", "--notice-s", "0") as server,
        browser_at(server.wait_for("Ctrl-C drains and stops").split(" at ")[1].split(";")[0]) as browser,
    ):
        browser.driver.get(f"{browser.base}/#/default")
        browser.find("dialog input[type=password]").send_keys(token, Keys.ENTER)
        browser.sees("What is remembered")
        browser.driver.refresh()
        browser.sees("What is remembered")
        kept = "return [Object.values(sessionStorage).join(), Object.values(localStorage).join(), document.cookie]"
        assert browser.driver.execute_script(kept) == [token, "", ""]
