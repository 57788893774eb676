"""Building: whole or not at all, once, under a digest that registrations record."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.harness import Yard, house, user
from tests.workloads.inside import Inside, archive

from modelyard.aws.errors import AccessDeniedException, ResourceNotFound
from modelyard.runtime.environments.build import Builder, CannotBuild, is_outdated
from modelyard.runtime.environments.built import (
    BuiltEnvironment,
    NotBuilt,
    built_environments,
    current_digest,
    environment_of,
)
from modelyard.runtime.environments.overlay import CannotComplete, overlay_of
from modelyard.runtime.environments.pruning import prune
from modelyard.runtime.environments.recipes import Recipes
from modelyard.runtime.process import Runtime

pytestmark = [pytest.mark.slow, pytest.mark.ours]

SMALL = """
name = "small"
answers = ["small-server:*"]
requirements = ["six==1.17.0"]
serve = ["python", "/opt/program/server.py"]
files = ["server.py"]
[environment]
GREETING = "hello"
"""
SERVER = """
import os, http.server, six
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["GREETING"].encode())
    def log_message(self, *_): pass
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/small-server:1"
BUILD = """
import sys
from pathlib import Path
from modelyard.runtime.environments.build import Builder
from modelyard.runtime.environments.recipes import Recipes
data = Path(sys.argv[1])
print(Builder(data, lambda sentence, *_: print(sentence, flush=True)).build(Recipes(data).named("small")).digest)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the recipe `small`."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL)
    (folder / "server.py").write_text(SERVER)
    Recipes(tmp_path / "data").add(folder / "small.toml")
    tmp_path.chmod(0o755)
    return tmp_path / "data"


def built(data: Path, **options: Any) -> BuiltEnvironment:
    return Builder(data).build(Recipes(data).named("small"), **options)


def test_an_environment_stands_for_an_image(data: Path, runtime: Runtime, tmp_path: Path) -> None:
    """Before it is built the image says what to do; then its own server runs with its files, packages and variables."""
    missing = environment_of(URI, data)
    assert isinstance(missing, NotBuilt) and "modelyard images build small" in missing.reason and missing.recipe == "small"
    one = built(data)
    found = environment_of(URI, data)
    assert isinstance(found, BuiltEnvironment) and found.digest == one.digest
    assert one.manifest["packages"] == ["six==1.17.0"]
    by_digest = environment_of(f"{URI.rpartition(':')[0]}@{one.digest}", data)
    assert isinstance(by_digest, BuiltEnvironment) and by_digest.digest == one.digest
    other = environment_of(f"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1@{one.digest}", data)
    assert isinstance(other, NotBuilt)
    program = Inside(runtime, one, tmp_path).run("serve")
    program.wait()
    assert program.call("GET", "/anything") == (200, b"hello")
    program.sandbox.stop(0)


def test_the_digest_is_of_what_is_in_it(data: Path, tmp_path: Path) -> None:
    """The same makes the same digest, wherever it is built; another file, variable or package makes another one."""
    first = built(data).digest
    assert built(data, renew=True).digest == first
    elsewhere = tmp_path / "elsewhere"
    Recipes(elsewhere).add(tmp_path / "recipe" / "small.toml")
    assert built(elsewhere).digest == first
    seen = {first}
    for name, text in (
        ("server.py", SERVER + "#"),
        ("small.toml", SMALL.replace("hello", "hi")),
        ("small.toml", SMALL.replace("1.17", "1.16")),
    ):
        (tmp_path / "recipe" / name).write_text(text)
        recipe = Recipes(data).add(tmp_path / "recipe" / "small.toml")
        assert is_outdated(built_before := environment_of(URI, data), recipe), built_before
        one = built(data)
        assert not is_outdated(one, recipe)
        seen.add(one.digest)
    assert len(seen) == 4
    assert len(built_environments(data)) == 4


def test_it_is_built_once_for_all_who_ask(data: Path) -> None:
    """Several processes that build it at once end with the same environment, made by one of them."""
    processes = [subprocess.Popen([sys.executable, "-c", BUILD, str(data)], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert len({lines[-1] for lines in said}) == 1
    assert sum("small: compiling" in lines for lines in said) == 1


def test_a_build_that_is_killed_leaves_nothing_half(data: Path) -> None:
    """Killed in any step, there is no environment; the next build makes it and clears away what was left."""
    for step in ("resolving", "downloading and installing", "compiling", "keeping"):
        process = subprocess.Popen([sys.executable, "-c", BUILD, str(data)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        while step not in (line := process.stdout.readline()):
            assert line, f"it ended before {step}"
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = built_environments(data)
        assert all((one.folder / "bin" / "serve").is_file() and (one.folder / "lib").is_dir() for one in found)
    built(data)
    assert isinstance(environment_of(URI, data), BuiltEnvironment)
    assert not list((data / "images" / "built").glob(".making-*"))


def test_what_cannot_be_had_is_told(data: Path, tmp_path: Path) -> None:
    """A package that is not there, and a Python that is not there, are the sentence that the build fails with."""
    for change, sentence in (
        ('requirements = ["no-such-package-anywhere==1"]', "no-such-package-anywhere"),
        ('requirements = []\npython = ">=3.99"', "needs Python >=3.99, and here is"),
    ):
        (tmp_path / "recipe" / "small.toml").write_text(SMALL.replace('requirements = ["six==1.17.0"]', change))
        Recipes(data).add(tmp_path / "recipe" / "small.toml")
        with pytest.raises(CannotBuild, match=sentence):
            built(data)
    assert not built_environments(data)


def test_prune_keeps_what_is_needed(data: Path, tmp_path: Path) -> None:
    """What is current, recorded or in use stays; everything else goes."""
    digests = []
    for greeting in ("one", "two", "three", "four"):
        (tmp_path / "recipe" / "small.toml").write_text(SMALL.replace("hello", greeting))
        Recipes(data).add(tmp_path / "recipe" / "small.toml")
        digests.append(built(data).digest)
    recorded, used, _, current = digests
    (holder,) = [one for one in built_environments(data) if one.digest == used]
    with holder.in_use():
        assert [one.digest for one in prune(data, {recorded}, dry=True).environments] == [digests[2]]
        assert [one.digest for one in prune(data, {recorded}).environments] == [digests[2]]
    assert {one.digest for one in built_environments(data)} == {recorded, used, current}
    assert [one.digest for one in prune(data, {recorded}).environments] == [used]
    assert current_digest("small", data) == current


def test_requirements_of_code_become_an_overlay(data: Path, runtime: Runtime, tmp_path: Path) -> None:
    """What requirements.txt asks for is installed beside the environment, once, and can be imported inside."""
    recipe = Recipes(data).named("python")
    one = Builder(data).build(recipe)
    mounts = overlay_of(one, "# mine\nsix==1.16.0\nnumpy\n", data)
    assert overlay_of(one, "six==1.16.0\nnumpy", data) == mounts
    assert overlay_of(one, "# nothing\n\n", data) == ()
    assert not list(mounts[0].source.glob("numpy*")), "it is in the environment already"
    inside = Inside(runtime, one, tmp_path)
    script = "import six\ndef model_fn(d): return None\ndef transform_fn(m, b, c, a): return six.__version__"
    model = inside.unpacked(archive(code__inference_DOT_py=script, code__requirements_DOT_txt="six==1.16.0"))
    program = inside.run("serve", mounts=(model, *mounts))
    program.wait()
    assert program.invoke(b"x") == (200, b"1.16.0"), program.log
    program.stop()


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "--index-url http://here",
        "x @ file:///etc",
        "git+https://here/x",
        "./x",
        "/x",
        "-e .",
        "x; y @ z",
        "http://x/y.whl",
    ],
)
def test_requirements_of_code_name_packages_alone(data: Path, line: str) -> None:
    """Nothing that names a file, an address or an option is installed outside the sandbox."""
    with pytest.raises(CannotComplete, match="neither addresses, files nor options"):
        overlay_of(BuiltEnvironment("small", "sha256:0", data, {}), f"six\n{line}\n", data)


def test_registrations_record_the_digest(data: Path) -> None:
    """A version whose image the catalogue answers for says before the build why it is not verified, and then its digest."""
    with house(data) as yard:
        before = register(yard)
        image = integrity(yard, before)
        assert image["Status"] == "Unverified" and "modelyard images build small" in image["Reason"]
        assert yard.call("modelyard", "ResolveImage", ImageUri=URI)["RecipeName"] == "small"
        assert yard.call("modelyard", "BuildImage", RecipeName="small")["Status"] == "Building"
        described = wait(yard)
        assert (
            described["Status"] == "Built" and described["Packages"] == ["six==1.17.0"] and "small: keeping" in described["Log"]
        )
        resolved = yard.call("modelyard", "ResolveImage", ImageUri=URI)
        assert resolved == {"ImageUri": URI, "Built": True, "RecipeName": "small", "ImageDigest": described["ImageDigest"]}
        after = register(yard)
        container = yard.call("sagemaker", "DescribeModelPackage", ModelPackageName=after)["InferenceSpecification"][
            "Containers"
        ][0]
        assert container["ImageDigest"] == described["ImageDigest"]
        image = integrity(yard, after)
        assert (image["Status"], image["ImageDigest"]) == ("Verified", described["ImageDigest"])
        listed = {one["RecipeName"]: one["Status"] for one in yard.call("modelyard", "ListImageRecipes")["Recipes"]}
        assert listed["small"] == "Built" and listed["python"] == "NotBuilt"


def test_who_may_build(data: Path) -> None:
    """Building and looking are permissions on the recipe's ARN; a recipe that is not there is not found."""
    statement = {"Effect": "Allow", "Action": "modelyard:Describe*", "Resource": "arn:aws:modelyard:*:*:image-recipe/small"}
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with house(data) as yard:
        reader = user("111122223333", "reader", allowed)
        assert yard.call("modelyard", "DescribeImageRecipe", reader, RecipeName="small")["Status"] == "NotBuilt"
        for operation, request in (
            ("BuildImage", {"RecipeName": "small"}),
            ("DescribeImageRecipe", {"RecipeName": "python"}),
            ("ListImageRecipes", {}),
            ("ResolveImage", {"ImageUri": URI}),
        ):
            with pytest.raises(AccessDeniedException):
                yard.call("modelyard", operation, reader, **request)
        with pytest.raises(ResourceNotFound):
            yard.call("modelyard", "BuildImage", RecipeName="nothing")


def test_a_server_that_ends_gives_up_its_build(data: Path, tmp_path: Path) -> None:
    """Closing a server in the middle of a build returns soon, and the building is told as failed."""
    with house(data) as yard:
        yard.call("modelyard", "BuildImage", RecipeName="autogluon-1.3.0")
        time.sleep(0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    with house(data) as yard:
        described = yard.call("modelyard", "DescribeImageRecipe", RecipeName="autogluon-1.3.0")
        assert described["Status"] in ("Failed", "Interrupted", "NotBuilt")


def register(yard: Yard) -> str:
    specification = {
        "Containers": [{"Image": URI}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    name = f"p-{time.monotonic_ns()}"
    answer = yard.call("sagemaker", "CreateModelPackage", ModelPackageName=name, InferenceSpecification=specification)
    return str(answer["ModelPackageArn"])


def integrity(yard: Yard, arn: str) -> dict[str, Any]:
    (artifact,) = yard.call("modelyard", "DescribeIntegrity", ModelPackageArn=arn)["Containers"][0]["Artifacts"]
    return dict(artifact)


def wait(yard: Yard) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (found := yard.call("modelyard", "DescribeImageRecipe", RecipeName="small"))["Status"] == "Building":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return dict(found)
