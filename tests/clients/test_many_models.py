"""Many models on one endpoint, through boto3: fetched, loaded and unloaded as they are asked for."""

import json
import subprocess
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, Deployer
from tests.running import RunningYard
from tests.workloads.inside import archive

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
SAYS = """
    def model_fn(folder):
        return WORD

    def input_fn(body, content_type):
        return body

    def predict_fn(data, model):
        return model

    def output_fn(said, accept):
        return said, "text/plain"
"""
WHO = """
def transform_fn(model, body, content_type, accept):
    return model, "text/plain"
"""
TWO_AT_MOST = """
    import builtins, weakref

    alive = builtins.__dict__.setdefault("alive", weakref.WeakSet())

    class Loaded:
        pass

    def model_fn(folder):
        if len(alive) >= 2:
            raise MemoryError
        loaded = Loaded()
        alive.add(loaded)
        return loaded

    def transform_fn(model, body, content_type, accept):
        return str(len(alive)), "text/plain"
"""


def saying(word: str) -> bytes:
    """A model that answers with a word."""
    return archive(code__inference_DOT_py=f"WORD = {word!r}\n" + SAYS.replace("\n    ", "\n"))


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"m{zlib.crc32(request.node.name.encode()):x}")


def put(deployer: Deployer, key: str, content: bytes) -> None:
    deployer.s3.put_object(Bucket=deployer.bucket, Key=f"models/{key}", Body=content)


def deploy(deployer: Deployer, name: str, count: int = 1, **container: Any) -> str:
    """An endpoint of the models below `models/` in the bucket."""
    role = deployer.role(name, "s3:GetObject", "s3:ListBucket", "logs:*")
    many = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": f"s3://{deployer.bucket}/models", **container}
    deployer.sagemaker.create_model(ModelName=deployer.named(name), PrimaryContainer=many, ExecutionRoleArn=role)
    made = deployer.config(name, {"InitialInstanceCount": count})
    deployer.sagemaker.create_endpoint(EndpointName=made, EndpointConfigName=made)
    deployer.settled(made)
    return made


def refused(deployer: Deployer, endpoint: str, **more: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as error:
        deployer.invoke(endpoint, **more)
    found: dict[str, str] = error.value.response["Error"]
    return found


@pytest.mark.documented
def test_models_are_there_as_soon_as_they_are_below_the_prefix(deployer: Deployer):
    """Each request names its model; one that comes later is served at once, one that is replaced only after it was unloaded, and
    one that is taken away still as long as it is loaded."""
    put(deployer, "one.tar.gz", saying("one"))
    put(deployer, "deep/two.tar.gz", saying("two"))
    name = deploy(deployer, "m")
    assert deployer.invoke(name, TargetModel="one.tar.gz") == b"one"
    assert deployer.invoke(name, TargetModel="/deep/two.tar.gz") == b"two"
    put(deployer, "three.tar.gz", saying("three"))
    assert deployer.invoke(name, TargetModel="three.tar.gz") == b"three"
    put(deployer, "one.tar.gz", saying("another"))
    deployer.s3.delete_object(Bucket=deployer.bucket, Key="models/deep/two.tar.gz")
    assert deployer.invoke(name, TargetModel="one.tar.gz") == b"one"
    assert deployer.invoke(name, TargetModel="/deep/two.tar.gz") == b"two"


@pytest.mark.seen
def test_what_is_refused(deployer: Deployer):
    """In AWS's words: no model named, none of that name, one where there are not many; and what cannot be unpacked or loaded."""
    put(deployer, "broken.tar.gz", archive(code__inference_DOT_py="raise ValueError('never')"))
    put(deployer, "no-archive.tar.gz", b"nonsense")
    put(deployer, "../escapes.tar.gz", saying("escaped"))
    name = deploy(deployer, "m")
    assert refused(deployer, name)["Message"].startswith("The request is missing a target model header")
    gone = refused(deployer, name, TargetModel="gone.tar.gz")
    assert gone["Code"] == "ValidationError"
    assert gone["Message"].startswith(f"Failed to download model data(bucket: {deployer.bucket}, key: models/gone.tar.gz).")
    assert "is a valid tar.gz archive" in refused(deployer, name, TargetModel="no-archive.tar.gz")["Message"]
    broken = refused(deployer, name, TargetModel="broken.tar.gz")
    assert (broken["Code"], "never" in broken["Message"]) == ("ModelError", True)
    put(deployer, "broken.tar.gz", saying("mended"))
    assert deployer.invoke(name, TargetModel="broken.tar.gz") == b"mended"
    assert deployer.invoke(name, TargetModel="../escapes.tar.gz") == b"escaped"
    single = deployer.deploy("single")
    assert refused(deployer, single, TargetModel="one.tar.gz") == {
        "Code": "ValidationError",
        "Message": f"Endpoint {single} is not a multi-model endpoint and does not support target model header.",
    }


@pytest.mark.documented
def test_the_role_decides_what_is_fetched(deployer: Deployer):
    """Models are downloaded as the execution role: what it may not read is not served, whoever asks."""
    put(deployer, "one.tar.gz", saying("one"))
    name = deploy(deployer, "m")
    iam = deployer.yard.client("iam")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=deployer.named("m"), PolicyName="does", PolicyDocument=json.dumps(policy))
    assert "Failed to download model data" in refused(deployer, name, TargetModel="one.tar.gz")["Message"]


@pytest.mark.documented
def test_what_was_asked_for_longest_ago_makes_room(deployer: Deployer):
    """A container that answers 507 has the model unloaded that was asked for longest ago; meanwhile nobody is refused."""
    for number in range(5):
        put(deployer, f"{number}.tar.gz", archive(code__inference_DOT_py=TWO_AT_MOST))
    name = deploy(deployer, "m")
    answers: list[bytes] = []

    def ask(number: int) -> None:
        answers.append(deployer.invoke(name, TargetModel=f"{number % 5}.tar.gz"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20 and set(answers) <= {b"1", b"2"}


@pytest.mark.ours
def test_models_share_the_memory_of_their_container(deployer: Deployer):
    """More models than fit into memory are served by turns: the shipped images answer 507 before their container has to end."""
    code = TWO_AT_MOST.replace("if len(alive) >= 2:", "if len(alive) >= 9:")
    code = code.replace("loaded = Loaded()", "loaded = Loaded()\n        loaded.weights = open(folder + '/weights', 'rb').read()")
    for number in range(5):
        put(deployer, f"{number}.tar.gz", archive(code__inference_DOT_py=code, weights=bytes(40 << 20)))
    name = deploy(deployer, "m", Environment={"MODELYARD_MEMORY_BYTES": str(200 << 20)})
    answers = [int(deployer.invoke(name, TargetModel=f"{number % 5}.tar.gz")) for number in range(10)]
    assert 1 < max(answers) < 5, answers


@pytest.mark.documented
def test_models_that_are_not_cached(deployer: Deployer):
    """With the cache setting Disabled a model is read anew each time."""
    put(deployer, "one.tar.gz", saying("one"))
    name = deploy(deployer, "m", MultiModelConfig={"ModelCacheSetting": "Disabled"})
    assert deployer.invoke(name, TargetModel="one.tar.gz") == b"one"
    put(deployer, "one.tar.gz", saying("another"))
    assert deployer.invoke(name, TargetModel="one.tar.gz") == b"another"


@pytest.mark.documented
def test_requests_go_where_their_model_is(deployer: Deployer):
    """Of several instances that one is asked which has the model already."""
    where = "import os\ndef model_fn(folder): return os.urandom(8).hex()\n"
    for number in range(3):
        put(deployer, f"{number}.tar.gz", archive(code__inference_DOT_py=where + WHO))
    name = deploy(deployer, "m", 2)
    for number in range(3):
        assert len({deployer.invoke(name, TargetModel=f"{number}.tar.gz") for _ in range(6)}) == 1


@pytest.mark.seen
def test_the_sdk_deploys_many_models(deployer: Deployer):
    """MultiDataModel, unmodified: deploy, add models, list them, predict with each."""
    put(deployer, "one.tar.gz", saying("one"))
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_many_models.py", deployer.bucket, deployer.named("sdk")]
    environment = deployer.yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, input=saying("two"), capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "models": ["copied.tar.gz", "one.tar.gz", "sub/two.tar.gz"],
        "answers": ["one", "two", "one"],
    }
