"""Runs the shell and Python of a documentation page, in order, as a reader would.

```bash``` and ```python``` blocks are run; what ```text``` follows one is what it has to print, `…` standing for anything. A
block marked `bash background` goes on in a shell of its own until the page ends. Other languages (`sh`, `py`, `toml`) are
shown, not run.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Block:
    """A block that is run."""

    language: str
    background: bool
    code: str
    expected: str | None
    line: int


def blocks_of(text: str) -> list[Block]:
    """The blocks of a page that are run."""
    found: list[Block] = []
    fences = list(_FENCE.finditer(text))
    for fence, following in zip_longest(fences, fences[1:]):
        language, info, code = fence[1], fence[2].strip(), fence[3]
        if language not in ("bash", "python"):
            continue
        answers = following is not None and following[1] == "text" and not text[fence.end() : following.start()].strip()
        expected = following[3] if following is not None and answers else None
        found.append(Block(language, info == "background", code, expected, text.count("\n", 0, fence.start()) + 1))
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether what was printed is what the page says, line by line."""
    pattern = "\n".join(
        ".*".join(re.escape(piece) for piece in line.rstrip().split("…")) for line in expected.strip().splitlines()
    )
    actual = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(pattern, actual) is not None


class Reader:
    """Someone who types a page into a shell, in `folder`."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.variables = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            **variables,
        }

    def run(self, block: Block) -> str:
        """What a block prints. What it exports is there for the next ones. Raises AssertionError when it fails."""
        code = block.code if block.language == "bash" else f"python - <<'END_OF_PYTHON'\n{block.code}\nEND_OF_PYTHON"
        state = self.folder / ".exported"
        script = f"set -eu\n[ -e {state} ] && . {state}\n{code}\nexport -p > {state}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            check=False,
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, f"line {block.line} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def in_background(self, code: str) -> Iterator[str]:
        """Run code while the block runs; the first line that it prints. It has to end cleanly on SIGTERM."""
        log = self.folder / "background.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {code}"],
                cwd=self.folder,
                env=self.variables,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
            )
        with process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline()
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_SECONDS)
        assert process.returncode == 0, log.read_text()


def read_page(page: Path, reader: Reader) -> int:
    """Run a page; how many blocks it has. Raises AssertionError at the first that does not do what the page says."""
    blocks = blocks_of(page.read_text(encoding="utf-8"))
    with ExitStack() as stack:
        for block in blocks:
            printed = stack.enter_context(reader.in_background(block.code.strip())) if block.background else reader.run(block)
            if block.expected is not None:
                said = f"{page.name} line {block.line} should print:\n{block.expected}\nbut prints:\n{printed}"
                assert matches(block.expected, printed), said
    return len(blocks)
