"""`train`: runs the script of a training job with what the job says, or XGBoost's built-in algorithm where there is none."""

import os
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from types import FrameType

from . import code
from .failure import StartFailure
from .settings import ML
from .training_environment import Training

CODE = "code"
LONGEST_REASON = 1024
KEPT_LINES = 20


class ScriptFailure(Exception):
    """The script ended with an exit code other than 0."""

    def __init__(self, exit_code: int, text: str) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def run(root: Path = ML) -> None:
    """Train. Raises StartFailure, ScriptFailure, or what the algorithm raises."""
    training = Training.read(root)
    for folder in training.folders().values():
        folder.mkdir(parents=True, exist_ok=True)
    if training.program:
        _run_script(training)
    elif os.environ.get("SAGEMAKER_FRAMEWORK") == "xgboost":
        from .xgboost_training import train

        train(training)
    else:
        raise StartFailure("The job names no script: sagemaker_program among the hyperparameters, or SAGEMAKER_PROGRAM.")


def _run_script(training: Training) -> None:
    folder = training.root / CODE
    folder.mkdir(parents=True, exist_ok=True)
    if training.submit_directory:
        found = code.fetch(training.submit_directory, folder)
        if found != folder:
            shutil.copytree(found, folder, dirs_exist_ok=True)
    program = folder / training.program
    if not program.is_file():
        raise StartFailure(f"sagemaker_program is {training.program}, and there is no such file in the code.")
    code.use_overlay()
    code.install_requirements(folder)
    _execute(_command(training, program), training, folder)


def _command(training: Training, program: Path) -> "list[str]":
    if program.suffix == ".py":
        return [sys.executable, training.program, *training.arguments()]
    program.chmod(program.stat().st_mode | 0o100)
    return ["/bin/sh", "-c", 'exec "./$0" "$@"', training.program, *training.arguments()]


def _execute(command: "list[str]", training: Training, folder: Path) -> None:
    """Run the script; what it says goes out as it comes, and its last lines into the reason when it fails."""
    paths = [str(folder), *([str(code.OVERLAY)] if code.OVERLAY.is_dir() else [])]
    variables = {**os.environ, **training.variables(folder)}
    variables["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH", "")])])
    print(f"Running {' '.join(command)}", flush=True)
    with subprocess.Popen(command, env=variables, cwd=folder, stderr=subprocess.PIPE) as process:  # noqa: S603

        def pass_on(number: int, _frame: FrameType | None) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, pass_on)
        said: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
            said = [*said[-KEPT_LINES:], line.decode("utf-8", "replace").rstrip()]
    if process.returncode:
        what = f'ExitCode {process.returncode}\nErrorMessage "{_message(said)}"\nCommand "{" ".join(command)}"'
        text = f"ExecuteUserScriptError:\n{what}"
        raise ScriptFailure(process.returncode if process.returncode > 0 else 128 - process.returncode, text)


def _message(said: "list[str]") -> str:
    """The end of what the script said: from the last line that begins an exception, else all that was kept."""
    for number in range(len(said) - 1, -1, -1):
        if said[number] and not said[number].startswith((" ", "Traceback")):
            return "\n".join(said[number:])
    return "\n".join(said)


def main() -> None:
    """Train, and end with the exit code; why it failed is left in /opt/ml/output/failure."""
    try:
        run()
    except ScriptFailure as error:
        _fail(str(error), error.exit_code)
    except StartFailure as error:
        _fail(f"ClientError: {error}", 1)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        _fail(f"AlgorithmError: {type(error).__name__}: {error}", 1)


def _fail(reason: str, exit_code: int) -> None:
    print(reason, file=sys.stderr, flush=True)
    output = ML / "output"
    output.mkdir(parents=True, exist_ok=True)
    (output / "failure").write_text(reason[:LONGEST_REASON], encoding="utf-8")
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
