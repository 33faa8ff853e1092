"""Every option says what it is, and in what, where its name does not."""

import re

import pytest
import tyro

from cerebellum_trainer.commands import RUNNERS

# A name that ends so has its unit in it, and its help repeats it.
UNITS = {"px": "px", "rad": "rad", "deg": "deg", "hz": "Hz", "ms": "ms", "s": "s", "m": "m"}
ADDED = re.compile(r"\((?:default|required|optional|repeatable)")


def said_of(command: type) -> dict[str, str]:
    """Help by option, without what tyro adds about defaults."""
    with pytest.warns(DeprecationWarning, match="get_parser"):
        parser = tyro.extras.get_parser(command)
    options = [action for action in parser._actions if action.option_strings and action.nargs != 0]
    return {action.option_strings[0]: ADDED.split(action.help or "")[0].strip() for action in options}


@pytest.mark.parametrize("command", RUNNERS, ids=lambda command: command.__name__)
def test_every_option_is_explained_with_its_unit(command: type) -> None:
    said = said_of(command)
    assert [name for name, text in said.items() if not text] == []
    without = [
        name
        for name, text in said.items()
        if (unit := UNITS.get(name.split("-")[-1])) and not re.search(rf"\[{unit}\b", text)
    ]
    assert without == []


@pytest.mark.parametrize("command", RUNNERS, ids=lambda command: command.__name__)
def test_no_two_options_have_one_explanation(command: type) -> None:
    """A comment above a group of settings is taken for the help of each of them."""
    texts = [(name.rpartition(".")[0], text) for name, text in said_of(command).items()]
    assert sorted({said for said in texts if texts.count(said) > 1}) == []
