"""Tags as access control: what lists show to who may see some of it, and that tags cannot be used to get more."""

import json
from typing import Any

import pytest
from tests.harness import ACCOUNT, Yard, user

from modelyard.access.principal import Principal
from modelyard.aws.errors import AccessDeniedException
from modelyard.dispatch import seeing
from modelyard.registry import search

pytestmark = pytest.mark.ours

ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
GROUP = f"{ARN}:model-package-group"
TAGGED = {"StringEquals": {"aws:ResourceTag/MLProject": "weather"}}


def allowed(*statements: dict[str, Any]) -> Principal:
    """A user with just these statements, on everything."""
    granted = [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]
    return user(ACCOUNT, "somebody", json.dumps({"Version": "2012-10-17", "Statement": granted}))


def tagged(value: str, key: str = "MLProject") -> list[dict[str, str]]:
    """A tag, as requests have it."""
    return [{"Key": key, "Value": value}]


TEAM = allowed(
    {
        "Action": [
            "sagemaker:Describe*",
            "sagemaker:List*",
            "sagemaker:Search",
            "sagemaker:CreateModelPackage",
            "sagemaker:Update*",
        ],
        "Condition": TAGGED,
    },
    {"Action": "sagemaker:CreateModelPackageGroup", "Condition": {"StringEquals": {"aws:RequestTag/MLProject": "weather"}}},
    {
        "Action": "sagemaker:AddTags",
        "Condition": {
            "StringEquals": {"aws:RequestTag/MLProject": "weather", "sagemaker:TaggingAction": "CreateModelPackageGroup"}
        },
    },
    {
        "Action": ["sagemaker:AddTags", "sagemaker:DeleteTags"],
        "Condition": {**TAGGED, "ForAllValues:StringNotEqualsIgnoreCase": {"aws:TagKeys": ["MLProject"]}},
    },
)
"""The team of the how-to page."""
NAMED = allowed({"Action": ["sagemaker:List*", "sagemaker:Search"], "Resource": f"{ARN}:model-package*/Rain*"})
DENIED = user(
    ACCOUNT,
    "somebody",
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {
                    "Effect": "Deny",
                    "Action": "*",
                    "Resource": f"{ARN}:*",
                    "Condition": {"StringNotEquals": {"aws:ResourceTag/MLProject": "weather"}},
                },
            ],
        }
    ),
)
"""One who may do everything, but nothing to what is not tagged so."""


@pytest.fixture
def yard(yard_in_process: Yard) -> Yard:
    """Groups of the weather team, of the fraud team and of nobody, with two versions each, and an unversioned package."""
    for name, tags in (("Rain", "weather"), ("Wind", "weather"), ("Fraud", "fraud"), ("Free", None)):
        given = {} if tags is None else {"Tags": [{"Key": "MLProject", "Value": tags}]}
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name, **given)
        for _ in range(2):
            yard_in_process.call("sagemaker", "CreateModelPackage", ModelPackageGroupName=name)
            yard_in_process.clock.advance(1)
    container = {"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}
    formats = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    for name, tags in (("alone", "weather"), ("alien", "fraud")):
        yard_in_process.call(
            "sagemaker",
            "CreateModelPackage",
            ModelPackageName=name,
            InferenceSpecification={"Containers": [container], **formats},
            Tags=[{"Key": "MLProject", "Value": tags}],
        )
    return yard_in_process


def groups(yard: Yard, caller: Principal, **request: Any) -> list[str]:
    """The groups that a caller lists, over all pages."""
    found: list[str] = []
    while True:
        page = yard.call("sagemaker", "ListModelPackageGroups", caller, **request)
        found += [one["ModelPackageGroupName"] for one in page["ModelPackageGroupSummaryList"]]
        if "NextToken" not in page:
            return found
        request["NextToken"] = page["NextToken"]


def packages(yard: Yard, caller: Principal, **request: Any) -> list[str]:
    """The packages that a caller lists."""
    listed = yard.call("sagemaker", "ListModelPackages", caller, **request)["ModelPackageSummaryList"]
    return [one["ModelPackageArn"].partition("/")[2] for one in listed]


def searched(yard: Yard, caller: Principal, kind: str, **request: Any) -> list[str]:
    """What a caller finds, over all pages."""
    found: list[str] = []
    while True:
        page = yard.call("sagemaker", "Search", caller, Resource=kind, SortOrder="Ascending", **request)
        found += [one[kind][f"{kind}Arn"].partition("/")[2] for one in page["Results"]]
        if "NextToken" not in page:
            return found
        request["NextToken"] = page["NextToken"]


@pytest.mark.parametrize(("caller", "seen"), [(TEAM, ["Rain", "Wind"]), (NAMED, ["Rain"]), (DENIED, ["Rain", "Wind"])])
def test_groups_are_listed_and_found_as_far_as_they_may_be_seen(yard: Yard, caller: Principal, seen: list[str]) -> None:
    """By an allow under a tag, by names, by a deny of everything else: lists and search, whatever the order and the page."""
    for by in ("Name", "CreationTime"):
        assert groups(yard, caller, SortBy=by) == seen
        assert groups(yard, caller, SortBy=by, SortOrder="Descending", MaxResults=1) == seen[::-1]
    assert groups(yard, caller, NameContains="fraud") == []
    assert searched(yard, caller, "ModelPackageGroup") == seen
    assert searched(yard, caller, "ModelPackageGroup", MaxResults=1, SortBy="ModelPackageGroupName") == seen


@pytest.mark.parametrize(
    ("caller", "teams"), [(TEAM, ["rain", "wind"]), (NAMED, ["rain"]), (DENIED, ["rain", "wind"])], ids=["tag", "name", "deny"]
)
def test_versions_are_listed_and_found_under_the_tags_of_their_groups(yard: Yard, caller: Principal, teams: list[str]) -> None:
    """All versions of an account, and those that search finds, also sorted by what the index keeps."""
    seen = [f"{team}/{number}" for team in teams for number in (1, 2)]
    assert packages(yard, caller, ModelPackageType="Versioned") == seen
    assert searched(yard, caller, "ModelPackage", **versioned()) == seen
    assert searched(yard, caller, "ModelPackage", SortBy="ModelPackageVersion", MaxResults=1, **versioned()) == sorted(
        seen, key=lambda name: name[-1]
    )


def versioned() -> dict[str, Any]:
    """Versions alone."""
    return {"SearchExpression": {"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Exists"}]}}


def test_packages_without_a_group_are_seen_by_their_own_tags(yard: Yard) -> None:
    """They have no group whose tags could count."""
    assert packages(yard, TEAM) == ["alone"]
    assert packages(yard, TEAM, ModelPackageType="Both") == ["rain/1", "rain/2", "wind/1", "wind/2", "alone"]


def test_the_tags_of_a_version_do_not_make_its_group_seen(yard: Yard) -> None:
    """A version of another team's group that is tagged like the team's is not listed, nor found."""
    for key in ("MLProject", "mlproject"):
        yard.call("sagemaker", "AddTags", ResourceArn=f"{ARN}:model-package/fraud/1", Tags=[{"Key": key, "Value": "weather"}])
    assert "fraud/1" not in packages(yard, TEAM, ModelPackageType="Both") + searched(yard, TEAM, "ModelPackage")


def test_a_group_is_listed_by_who_may_and_refused_to_others(yard: Yard) -> None:
    """The versions of one group: its tags decide, and what is not there is refused in the same words."""
    assert packages(yard, TEAM, ModelPackageGroupName="Wind") == ["wind/1", "wind/2"]
    texts = []
    for name in ("fraud", "free", "none"):
        with pytest.raises(AccessDeniedException) as refused:
            packages(yard, TEAM, ModelPackageGroupName=name)
        texts.append(str(refused.value).replace(name, "…"))
    assert len(set(texts)) == 1


def test_a_version_that_is_denied_is_left_out_of_its_group(yard: Yard) -> None:
    """A deny of one version holds in the list of its group, too."""
    deny = {"Effect": "Deny", "Action": "sagemaker:ListModelPackages", "Resource": f"{ARN}:model-package/rain/1"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    caller = user(ACCOUNT, "somebody", json.dumps({"Version": "2012-10-17", "Statement": [everything, deny]}))
    assert packages(yard, caller, ModelPackageGroupName="Rain") == ["rain/2"]


def test_who_may_list_nothing_is_refused(yard: Yard) -> None:
    """No statement speaks of any group: that is told, rather than an empty list."""
    for caller in (allowed({"Action": "s3:*"}), allowed({"Action": "sagemaker:*", "Resource": "arn:aws:s3:::*"})):
        for operation, request in (
            ("ListModelPackageGroups", {}),
            ("ListModelPackages", {}),
            ("ListModelCards", {}),
            ("ListArtifacts", {}),
            ("Search", {"Resource": "ModelPackage"}),
        ):
            with pytest.raises(AccessDeniedException):
                yard.call("sagemaker", operation, caller, **request)


def test_suggestions_are_for_who_may_see_everything(yard: Yard) -> None:
    """Names of properties come from all resources of an account."""
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "GetSearchSuggestions", TEAM, Resource="ModelPackageGroup")


def test_tags_are_told_of_what_may_be_seen(yard: Yard) -> None:
    """ListTags is asked of one resource, whose tags decide."""
    assert yard.call("sagemaker", "ListTags", TEAM, ResourceArn=f"{GROUP}/Rain")["Tags"]
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "ListTags", TEAM, ResourceArn=f"{GROUP}/Fraud")


def test_cards_and_lineage_are_listed_by_their_tags(yard: Yard) -> None:
    """Model cards, contexts, actions and artifacts; what was made without tags is not seen."""
    content = json.dumps({"model_overview": {"model_name": "x"}})
    for name, value in (("rain", "weather"), ("fraud", "fraud")):
        tags = [{"Key": "MLProject", "Value": value}]
        yard.call("sagemaker", "CreateModelCard", ModelCardName=name, Content=content, ModelCardStatus="Draft", Tags=tags)
        source = {"SourceUri": f"s3://{name}/data"}
        yard.call("sagemaker", "CreateContext", ContextName=name, ContextType="Experiment", Source=source, Tags=tags)
        yard.call("sagemaker", "CreateArtifact", ArtifactType="DataSet", Source=source, Tags=tags)
    cards = yard.call("sagemaker", "ListModelCards", TEAM)["ModelCardSummaries"]
    assert [card["ModelCardName"] for card in cards] == ["rain"]
    assert searched(yard, TEAM, "ModelCard") == ["rain"]
    contexts = yard.call("sagemaker", "ListContexts", TEAM)["ContextSummaries"]
    assert [one["ContextName"] for one in contexts] == ["rain"]
    artifacts = yard.call("sagemaker", "ListArtifacts", TEAM)["ArtifactSummaries"]
    assert [one["Source"]["SourceUri"] for one in artifacts] == ["s3://rain/data"]
    assert len(yard.call("sagemaker", "ListArtifacts", MaxResults=50)["ArtifactSummaries"]) > 2


def test_a_lineage_query_does_not_walk_through_what_may_not_be_seen(yard: Yard) -> None:
    """From the team's data over another team's action to the team's model: the walk ends at the action."""
    made: dict[str, str] = {}
    for name, value in (("data", "weather"), ("model", "weather")):
        source = {"SourceUri": f"s3://{name}"}
        tags = [{"Key": "MLProject", "Value": value}]
        made[name] = yard.call("sagemaker", "CreateArtifact", ArtifactType="DataSet", Source=source, Tags=tags)["ArtifactArn"]
    source = {"SourceUri": "job"}
    made["action"] = yard.call("sagemaker", "CreateAction", ActionName="job", ActionType="Job", Source=source)["ActionArn"]
    for one, other in (("data", "action"), ("action", "model")):
        yard.call("sagemaker", "AddAssociation", SourceArn=made[one], DestinationArn=made[other])
    caller = allowed({"Action": "sagemaker:QueryLineage", "Condition": TAGGED})
    assert len(yard.call("sagemaker", "QueryLineage", StartArns=[made["data"]])["Vertices"]) == 2
    assert yard.call("sagemaker", "QueryLineage", caller, StartArns=[made["data"]])["Vertices"] == []
    yard.call("sagemaker", "AddTags", ResourceArn=made["action"], Tags=tagged("weather"))
    found = yard.call("sagemaker", "QueryLineage", caller, StartArns=[made["data"]])["Vertices"]
    assert [one["Arn"] for one in found] == [made["action"], made["model"]]


def test_the_team_registers_into_its_own_groups(yard: Yard) -> None:
    """Into groups tagged so, and not into others, nor as a package by itself."""
    assert yard.call("sagemaker", "CreateModelPackage", TEAM, ModelPackageGroupName="Rain")
    for request in ({"ModelPackageGroupName": "Fraud"}, {"ModelPackageGroupName": "Free"}, {"ModelPackageName": "own"}):
        with pytest.raises(AccessDeniedException):
            yard.call("sagemaker", "CreateModelPackage", TEAM, **request)


ESCAPES: list[tuple[str, str, dict[str, Any]]] = [
    ("capture a group", "AddTags", {"ResourceArn": f"{GROUP}/Free", "Tags": tagged("weather")}),
    ("capture another team's", "AddTags", {"ResourceArn": f"{GROUP}/Fraud", "Tags": tagged("weather")}),
    ("capture a version", "AddTags", {"ResourceArn": f"{ARN}:model-package/fraud/1", "Tags": tagged("weather")}),
    ("give a group away", "AddTags", {"ResourceArn": f"{GROUP}/Rain", "Tags": tagged("fraud")}),
    ("among other tags", "AddTags", {"ResourceArn": f"{GROUP}/Rain", "Tags": [*tagged("b", "a"), *tagged("fraud")]}),
    ("hide a group", "AddTags", {"ResourceArn": f"{GROUP}/Rain", "Tags": tagged("fraud", "mlproject")}),
    ("set it to what it is", "AddTags", {"ResourceArn": f"{GROUP}/Rain", "Tags": tagged("weather")}),
    ("let a group go", "DeleteTags", {"ResourceArn": f"{GROUP}/Rain", "TagKeys": ["MLProject"]}),
    ("take another team's tag", "DeleteTags", {"ResourceArn": f"{GROUP}/Fraud", "TagKeys": ["MLProject"]}),
    ("make a group without the tag", "CreateModelPackageGroup", {"ModelPackageGroupName": "new"}),
    ("make a group of another team", "CreateModelPackageGroup", {"ModelPackageGroupName": "new", "Tags": tagged("fraud")}),
]


@pytest.mark.parametrize(("attempt", "operation", "request_"), ESCAPES, ids=[row[0] for row in ESCAPES])
def test_tags_give_nobody_more(yard: Yard, attempt: str, operation: str, request_: dict[str, Any]) -> None:
    """Each row: what the team may not do with the tag that decides what it may do."""
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", operation, TEAM, **request_)


def test_the_team_makes_groups_and_tags_them_otherwise(yard: Yard) -> None:
    """A new group with the tag, further tags on it, and none of that on groups of others."""
    tags = [{"Key": "MLProject", "Value": "weather"}, {"Key": "stage", "Value": "test"}]
    arn = yard.call("sagemaker", "CreateModelPackageGroup", TEAM, ModelPackageGroupName="Snow", Tags=tags)["ModelPackageGroupArn"]
    yard.call("sagemaker", "AddTags", TEAM, ResourceArn=arn, Tags=[{"Key": "owner", "Value": "ann"}])
    yard.call("sagemaker", "DeleteTags", TEAM, ResourceArn=arn, TagKeys=["stage"])
    assert groups(yard, TEAM) == ["Rain", "Wind", "Snow"]
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "AddTags", TEAM, ResourceArn=f"{GROUP}/Free", Tags=[{"Key": "owner", "Value": "ann"}])


def test_what_the_account_did_is_for_who_may_see_all_of_it(yard: Yard) -> None:
    """The account's feed of changes and its audit trail are one thing each, without tags; the feed of a group has the group's."""
    caller = allowed({"Action": ["modelyard:*", "cloudtrail:*"], "Condition": TAGGED})
    for service, operation in (("modelyard", "ListChanges"), ("modelyard", "LookupEvents"), ("cloudtrail", "LookupEvents")):
        with pytest.raises(AccessDeniedException):
            yard.call(service, operation, caller)
    assert yard.call("modelyard", "ListChanges", caller, ModelPackageGroupName="Rain")["Changes"]
    with pytest.raises(AccessDeniedException):
        yard.call("modelyard", "ListChanges", caller, ModelPackageGroupName="Fraud")


def test_a_request_decides_on_so_many_rows_and_goes_on_in_the_next(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the caller sees few of many, a page comes out short and has a token; all pages together have everything, once."""
    monkeypatch.setattr(seeing, "STEP", 2)
    monkeypatch.setattr(seeing, "MOST_LOOKED_AT", 4)
    monkeypatch.setattr(search, "DECIDED_AT_ONCE", 3)
    for number in range(20):
        tags = [{"Key": "MLProject", "Value": "weather" if number % 7 == 0 else "fraud"}]
        yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=f"many-{number:02}", Tags=tags)
        yard.clock.advance(1)
    wanted = ["many-00", "many-07", "many-14"]
    first = yard.call("sagemaker", "ListModelPackageGroups", TEAM, NameContains="many", MaxResults=2)
    assert [one["ModelPackageGroupName"] for one in first["ModelPackageGroupSummaryList"]] == ["many-00"]
    for size in (1, 2, 3, 100):
        assert groups(yard, TEAM, NameContains="many", MaxResults=size) == wanted
        contains = {"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Contains", "Value": "many"}]}
        for by in ("CreationTime", "ModelPackageGroupName", "LastModifiedTime"):
            assert searched(yard, TEAM, "ModelPackageGroup", SearchExpression=contains, SortBy=by, MaxResults=size) == wanted


def test_associations_are_listed_between_what_may_be_seen(yard: Yard) -> None:
    """An association is not listed to who may not see both of its ends, neither in a page nor in the number of pages."""
    made: dict[str, str] = {}
    for name, value in (("data", "weather"), ("model", "weather"), ("secret", "fraud")):
        request = {"ArtifactType": "DataSet", "Source": {"SourceUri": f"s3://{name}"}, "Tags": tagged(value)}
        made[name] = yard.call("sagemaker", "CreateArtifact", **request)["ArtifactArn"]
    for one, other in (("data", "secret"), ("secret", "model"), ("data", "model")):
        yard.call("sagemaker", "AddAssociation", SourceArn=made[one], DestinationArn=made[other])
    caller = allowed({"Action": "sagemaker:ListAssociations", "Condition": TAGGED})
    assert len(yard.call("sagemaker", "ListAssociations")["AssociationSummaries"]) > 3
    answer = yard.call("sagemaker", "ListAssociations", caller, MaxResults=1)
    assert [(one["SourceArn"], one["DestinationArn"]) for one in answer["AssociationSummaries"]] == [
        (made["data"], made["model"])
    ]
    assert "NextToken" not in answer


def test_what_is_refused_in_a_batch_is_in_the_audit_trail(yard: Yard) -> None:
    """BatchDescribeModelPackage goes on after a refusal; the trail has each with the version that it was about."""
    arns = [f"{ARN}:model-package/{name}/1" for name in ("rain", "fraud", "free")]
    caller = allowed({"Action": "sagemaker:BatchDescribeModelPackage", "Condition": TAGGED})
    answer = yard.call("sagemaker", "BatchDescribeModelPackage", caller, ModelPackageArnList=arns)
    refused = {arn for arn, error in answer["BatchDescribeModelPackageErrorMap"].items() if "AccessDenied" in error["ErrorCode"]}
    found = yard.call("modelyard", "LookupEvents", Operation="BatchDescribeModelPackage", Outcome="Refused")["Events"]
    assert refused == set(arns[1:]) == {arn for event in found for arn in event["Resources"]}


def test_models_are_tagged_as_they_are_made(yard: Yard) -> None:
    """Leave to tag what CreateModel makes, told by sagemaker:TaggingAction, is enough; it is none to tag what is there."""
    tagging = {"Action": "sagemaker:AddTags", "Condition": {"StringEquals": {"sagemaker:TaggingAction": "CreateModel"}}}
    caller = allowed({"Action": "sagemaker:CreateModel"}, tagging)
    container = {"Image": "image:1"}
    yard.call("sagemaker", "CreateModel", caller, ModelName="m", PrimaryContainer=container, Tags=tagged("weather"))
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "AddTags", caller, ResourceArn=f"{ARN}:model/m", Tags=tagged("fraud"))
