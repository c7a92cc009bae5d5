"""The README's tour does what it shows, run as a reader would."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.live import Run, running
from tests.docs.markdown import blocks, examples, read, section
from tests.docs.session import substitute
from tests.support.live import ROOT, free_port

README = read("README.md")
TOUR = examples(section(README, "## Five-minute tour"))


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(TOUR, tmp_path_factory.mktemp("tour"), free_port()) as run:
        yield run


@pytest.mark.parametrize("number", range(len(TOUR)), ids=[example.title for example in TOUR])
def test_a_step_of_the_tour_prints_what_is_shown(tour: Run, number: int) -> None:
    assert tour.problems(number) == []


def test_what_is_shown_as_one_id_is_one(tour: Run) -> None:
    assert tour.confusions() == []


def test_nearly_every_step_shows_what_it_prints() -> None:
    assert len(TOUR) > 10
    assert [example.title for example in TOUR if example.answer is None] == [TOUR[-1].title]


def test_the_start_prints_what_is_shown(tour: Run) -> None:
    shown = [b.text for b in blocks(section(README, "## Run it")) if b.language == "text"]
    for text in shown:
        expected = re.escape(substitute(text, tour.addresses).strip("\n"))
        expected = re.sub(r"(data(?:\\ )+).*", r"\1/.+", expected)
        expected = re.sub(r"(password\\ )\S+(?=\\ )", r"\1\\S{20}", expected)
        assert re.search(f"^{expected}$", tour.printed, re.MULTILINE), tour.printed


def test_the_map_names_what_is_there() -> None:
    shown = next(b.text for b in blocks(section(README, "## Where things are")) if b.language == "text")
    names = [line.split()[0] for line in shown.splitlines()]
    folder = ROOT
    missing = []
    for line, name in zip(shown.splitlines(), names, strict=True):
        folder = folder if line.startswith(" ") else ROOT / name
        if not (folder / name if line.startswith(" ") else folder).exists():
            missing.append(name)
    assert missing == []
    rooms = {path.name for path in (ROOT / "gateway").iterdir() if (path / "__init__.py").exists()}
    assert rooms == {name.strip("/") for name in names if (ROOT / "gateway" / name / "__init__.py").exists()}
