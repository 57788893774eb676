"""QueryLineage over graphs that somebody made: directions, depth, filters, edges, pages, cycles, limits."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.harness import Yard

from modelyard.aws.errors import ValidationException
from modelyard.lineage.operations import queries

Call = Callable[..., Any]
Make = Callable[..., str]


@pytest.fixture
def query(sagemaker: Call) -> Call:
    """The names of the sources that a query finds, in its order, page by page."""

    def run(start: str, **request: Any) -> list[str]:
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = sagemaker("QueryLineage", StartArns=[start], **request, **token)
            for vertex in page["Vertices"]:
                kind = vertex["LineageType"]
                member = "ArtifactArn" if kind == "Artifact" else f"{kind}Name"
                described = sagemaker(f"Describe{kind}", **{member: vertex["Arn"]})
                assert described[f"{kind}Type"] == vertex["Type"]
                found.append(described["Source"]["SourceUri"])
            if "NextToken" not in page:
                return found
            token = {"NextToken": page["NextToken"]}

    return run


@pytest.fixture
def story(sagemaker: Call, artifact: Make, join: Call, yard_in_process: Yard) -> dict[str, str]:
    """data -> job -> model -> endpoint, an image for the job and the endpoint, and a cycle back from the endpoint."""
    arns = {"data": artifact("data", Properties={"rows": "10", "owner": "a"}), "image": artifact("image", "Image")}
    source = {"SourceUri": "job"}
    arns["job"] = sagemaker("CreateAction", ActionName="job", ActionType="Training", Source=source)["ActionArn"]
    yard_in_process.clock.advance(10)
    arns["model"] = artifact("model", "Model", Properties={"owner": "b"})
    source = {"SourceUri": "endpoint"}
    arns["endpoint"] = sagemaker("CreateContext", ContextName="e", ContextType="Endpoint", Source=source)["ContextArn"]
    join(arns["data"], arns["job"], arns["model"], arns["endpoint"], arns["data"])
    join(arns["image"], arns["job"])
    join(arns["image"], arns["endpoint"])
    return arns


@pytest.mark.documented
def test_directions(story: dict[str, str], query: Call) -> None:
    """Ascendants is what led to the start, Descendants what came of it, nearest first; a cycle ends where it began."""
    assert query(story["model"], Direction="Ascendants") == ["job", "data", "image", "endpoint"]
    assert query(story["model"], Direction="Descendants", MaxDepth=1) == ["endpoint"]
    assert query(story["model"], Direction="Descendants") == ["endpoint", "data", "job"]
    assert sorted(query(story["model"])) == ["data", "endpoint", "image", "job"]


@pytest.mark.documented
def test_both_turns_at_every_entity(artifact: Make, join: Call, query: Call) -> None:
    """With Both, what else came of a shared image is found: the guide's example of two endpoints."""
    image, one, other = artifact("image"), artifact("one"), artifact("other")
    join(image, one)
    join(image, other)
    assert query(one, Direction="Both") == ["image", "other"]
    assert query(one, Direction="Ascendants") == ["image"]


@pytest.mark.documented
def test_depth(story: dict[str, str], query: Call) -> None:
    """MaxDepth counts associations, from 1 to 10."""
    assert query(story["endpoint"], Direction="Ascendants", MaxDepth=1) == ["image", "model"]
    for wrong in (0, -1, 11):
        with pytest.raises(ValidationException):
            query(story["endpoint"], MaxDepth=wrong)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"Types": ["DataSet", "Training"]}, ["data", "job"]),
        ({"LineageTypes": ["Artifact"]}, ["data", "image"]),
        ({"LineageTypes": ["TrialComponent"]}, []),
        ({"LineageTypes": ["Artifact", "Action"], "Types": ["DataSet", "Training"]}, ["data", "job"]),
        ({"Properties": {"rows": "10", "owner": "b"}}, ["data"]),
        ({"Properties": {"rows": "11"}}, []),
        ({"CreatedBefore": 1_700_000_005.0}, ["data", "image", "job"]),
        ({"CreatedAfter": 1_700_000_005.0}, ["endpoint"]),
        ({"ModifiedBefore": 1_700_000_005.0, "ModifiedAfter": 1_600_000_000.0}, ["data", "image", "job"]),
    ],
)
def test_filters(story: dict[str, str], query: Call, filters: dict[str, Any], expected: list[str]) -> None:
    """Filters choose what is answered and not what is walked; of the values of one filter any will do."""
    assert sorted(query(story["model"], Direction="Ascendants", Filters=filters)) == expected


@pytest.mark.documented
def test_edges_show_the_way(story: dict[str, str], sagemaker: Call) -> None:
    """With edges the answer has the start, what is wanted, all that lies between, and the associations of these."""
    filters = {"Types": ["DataSet"]}
    answer = sagemaker(
        "QueryLineage", StartArns=[story["model"]], Direction="Ascendants", IncludeEdges=True, Filters=filters, MaxDepth=2
    )
    assert [vertex["Arn"] for vertex in answer["Vertices"]] == [story["model"], story["job"], story["data"]]
    edges = {(edge["SourceArn"], edge["DestinationArn"]): edge["AssociationType"] for edge in answer["Edges"]}
    assert edges == {
        (story["data"], story["job"]): "ContributedTo",
        (story["job"], story["model"]): "ContributedTo",
    }
    without = sagemaker("QueryLineage", StartArns=[story["model"]], Direction="Ascendants", MaxDepth=2)
    assert without["Edges"] == []


@pytest.mark.ours
@pytest.mark.parametrize("edges", [False, True])
def test_pages_neither_skip_nor_repeat(artifact: Make, join: Call, sagemaker: Call, edges: bool) -> None:
    """All pages together have each entity, and each association, once; a token is for its own query."""
    hub = artifact("hub")
    spokes = [artifact(f"spoke-{number}") for number in range(7)]
    for spoke in spokes:
        join(hub, spoke)
    join(*spokes)
    request = {"StartArns": [hub], "Direction": "Descendants", "IncludeEdges": edges, "MaxResults": 3}
    vertices, pairs, token = [], [], {}
    while True:
        page = sagemaker("QueryLineage", **request, **token)
        assert len(page["Vertices"]) <= 3
        vertices += [vertex["Arn"] for vertex in page["Vertices"]]
        pairs += [(edge["SourceArn"], edge["DestinationArn"]) for edge in page["Edges"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert vertices == ([hub] if edges else []) + spokes
    assert (len(pairs), len(set(pairs))) == ((13, 13) if edges else (0, 0))
    with pytest.raises(ValidationException, match="NextToken"):
        sagemaker("QueryLineage", **{**request, "Direction": "Both"}, **token)


@pytest.mark.ours
def test_large_graphs_are_walked_up_to_a_limit(
    artifact: Make, join: Call, sagemaker: Call, query: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is nearest is answered page by page; where the walk may not go on, the query is refused instead of cut short."""
    monkeypatch.setattr(queries, "MOST_ENTITIES", 6)
    hub = artifact("hub")
    for number in range(9):
        join(hub, artifact(f"spoke-{number}"))
    first = sagemaker("QueryLineage", StartArns=[hub], MaxResults=4)
    assert len(first["Vertices"]) == 4
    for edges in (False, True):
        with pytest.raises(ValidationException, match="narrow it"):
            query(hub, IncludeEdges=edges)


@pytest.mark.ours
def test_a_query_starts_somewhere(sagemaker: Call) -> None:
    """A query without a start is refused."""
    with pytest.raises(ValidationException, match="StartArns"):
        sagemaker("QueryLineage", Direction="Both")
