"""The owner's own code: found, fetched, completed with its requirements, imported."""

import importlib
import importlib.util
import os
import shutil
import site
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType

from .failure import StartFailure

OVERLAY = Path("/opt/overlay")
"""Where the packages that requirements.txt asks for are, when they were installed beforehand."""
USUAL_PROGRAM = "inference.py"
MISSING_BASE = "boto3"


def code_folder(submit_directory: str, beside_model: Path) -> Path | None:
    """The folder of the owner's code: what `submit_directory` names, else `code` beside the model. Raises StartFailure."""
    if submit_directory and submit_directory != str(beside_model):
        return fetch(submit_directory, Path(tempfile.mkdtemp(prefix="code-")))
    return beside_model if beside_model.is_dir() else None


def fetch(address: str, target: Path) -> Path:
    """The folder that an address names: itself, or `target` with the archive unpacked. Raises StartFailure."""
    path = Path(address.removeprefix("file://") if hasattr(str, "removeprefix") else address)
    if address.startswith("s3://"):
        path = target / ".archive"
        _download(address, path)
    if path.is_dir():
        return path
    if not path.is_file():
        raise StartFailure(f"The code at {address} is not there.")
    unpack(path, target)
    if path.parent == target:
        path.unlink()
    return target


def unpack(archive: Path, target: Path) -> None:
    """Unpack the files and folders of a tar archive below `target`. Raises StartFailure for what is none, or leads out of it."""
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                if member.name.startswith("/") or ".." in Path(member.name).parts:
                    raise StartFailure(f"{archive} cannot be unpacked: {member.name} leads out of it.")
                if member.isfile() or member.isdir():
                    opened.extract(member, target, set_attrs=False)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise StartFailure(f"{archive} cannot be unpacked: {error}") from error


def _download(address: str, path: Path) -> None:
    if importlib.util.find_spec(MISSING_BASE) is None:
        raise StartFailure(f"{address} cannot be fetched: boto3 is not in this image.")
    import boto3

    bucket, _, key = address[len("s3://") :].partition("/")
    try:
        boto3.client("s3").download_file(bucket, key, str(path))
    except Exception as error:  # whatever boto3 raises, the owner reads it
        raise StartFailure(f"{address} cannot be fetched: {error}") from error


def use_overlay() -> None:
    """Let what was installed beforehand be imported."""
    if OVERLAY.is_dir():
        site.addsitedir(str(OVERLAY))
        sys.path.remove(str(OVERLAY))
        sys.path.insert(1, str(OVERLAY))


def install_requirements(folder: Path) -> None:
    """Have what requirements.txt asks for. Raises StartFailure with what pip says."""
    asked = folder / "requirements.txt"
    if not asked.is_file() or OVERLAY.is_dir() or _is_there(asked):
        return
    target = Path(tempfile.mkdtemp(prefix="packages-"))
    print(f"Installing {asked}", file=sys.stderr, flush=True)
    done = _pip("install", "--quiet", "--target", str(target), "-r", str(asked))
    if done.returncode:
        shutil.rmtree(target, ignore_errors=True)
        said = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-3:]
        raise StartFailure(f"requirements.txt in the code cannot be installed: {' '.join(said) or 'pip is not in this image.'}")
    site.addsitedir(str(target))
    sys.path.remove(str(target))
    sys.path.insert(1, str(target))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH", "")]))


def _is_there(asked: Path) -> bool:
    """Whether all of it is installed already."""
    return _pip("install", "--quiet", "--dry-run", "--no-index", "--no-deps", "-r", str(asked)).returncode == 0


def _pip(*words: str) -> "subprocess.CompletedProcess[str]":
    options = ["--disable-pip-version-check", "--no-input", "--retries", "0", "--timeout", "10"]
    command = [sys.executable, "-m", "pip", words[0], *options, *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603


def program_in(folder: Path | None, program: str) -> Path | None:
    """The script that is served: what SAGEMAKER_PROGRAM names, else inference.py where it is there. Raises StartFailure."""
    name = program or USUAL_PROGRAM
    found = None if folder is None else folder / name
    if found is not None and found.is_file():
        return found
    if program:
        raise StartFailure(f"SAGEMAKER_PROGRAM is {program}, and there is no such file in {folder or 'the model'}.")
    return None


def import_program(folder: Path, program: Path) -> ModuleType:
    """Import the owner's script under its own name, so that what was pickled with it is found again."""
    sys.path.insert(0, str(folder))
    return importlib.import_module(str(program.relative_to(folder).with_suffix("")).replace(os.sep, "."))


def import_apart(folder: Path, program: Path, name: str) -> ModuleType:
    """Import one script of many that may have the same name, and let go of the names of the modules beside it."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        specification = importlib.util.spec_from_file_location(name, program)
        assert specification is not None and specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
        for added in set(sys.modules) - before:
            file = getattr(sys.modules[added], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[added]
    return module
