"""The documentation, run as it stands."""

import socket
from pathlib import Path

import pytest
from tests.clients.documentation import Block, Reader, blocks_of, matches, read_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
HOW_TO = sorted((DOCS / "how-to").glob("*.md"))

pytestmark = [pytest.mark.slow, pytest.mark.ours]


def reader_in(folder: Path) -> Reader:
    """A reader whose server takes a free port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return Reader(folder, {"MODELYARD_PORT": str(taken.getsockname()[1])})


def test_the_quickstart_does_what_it_says(tmp_path: Path) -> None:
    """Every block of the quickstart runs and prints what the page shows."""
    assert read_page(DOCS / "quickstart.md", reader_in(tmp_path)) > 8


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_the_how_to_does_what_it_says(page: Path, tmp_path: Path) -> None:
    """Every block of a how-to page runs next to a server on `yard`, as the quickstart leaves it."""
    reader = reader_in(tmp_path)
    reader.run(Block("bash", False, "modelyard init --data yard", None, 0))
    with reader.in_background("modelyard serve --data yard") as ready:
        assert ready.startswith("ready http://127.0.0.1:")
        read_page(page, reader)


def test_a_page_that_lies_is_found_out(tmp_path: Path) -> None:
    """A block that prints something else, or fails, does not pass."""
    page = tmp_path / "page.md"
    page.write_text("```bash\necho one two\n```\n```text\none …\n```\n")
    assert read_page(page, Reader(tmp_path, {})) == 1
    page.write_text("```bash\necho one\n```\n```text\ntwo\n```\n")
    with pytest.raises(AssertionError, match="should print"):
        read_page(page, Reader(tmp_path, {}))
    page.write_text("```python\nraise SystemExit(3)\n```\n")
    with pytest.raises(AssertionError, match="ended with 3"):
        read_page(page, Reader(tmp_path, {}))


def test_only_what_directly_follows_is_expected() -> None:
    """Text further down the page is not taken for a block's answer, and other languages are not run."""
    text = "```bash\nmake\n```\nSome words.\n```text\nnot this\n```\n```sh\nnever run\n```\n"
    assert blocks_of(text) == [Block("bash", False, "make\n", None, 1)]
    assert matches("a…c\n", "abbc \n") and not matches("a…c", "ab") and not matches("a", "a\nb")
