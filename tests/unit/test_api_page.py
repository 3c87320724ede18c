"""docs/api.md is what the docstrings say today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mnemolog.gateway.memory
import mnemolog.producers

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("make_api", ROOT / "docs/make_api.py")
assert _SPEC is not None
assert _SPEC.loader is not None
make_api = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(make_api)


def test_the_page_is_current() -> None:
    assert make_api.PAGE.read_text(encoding="utf-8") == make_api.page(), "run: python docs/make_api.py"


def test_all_that_is_meant_to_be_imported_has_a_chapter() -> None:
    told = {name for _, _, classes in make_api.CHAPTERS for name, _ in classes}
    assert told == {*mnemolog.producers.__all__, *mnemolog.gateway.memory.__all__}


def test_every_method_says_what_it_does() -> None:
    page = make_api.page()
    assert "#### recall" in page
    assert "#### publish_many" in page
    assert "\n```\n\n\n" not in page
