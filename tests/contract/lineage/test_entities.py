"""Artifacts, actions, contexts and their associations, as SageMaker's operations make, show and remove them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, AwsError, ResourceNotFound, ValidationException

Call = Callable[..., Any]
Make = Callable[..., str]
HERE = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
CREATE = {
    "Action": {"ActionName": "Build-1", "ActionType": "ModelBuild", "Source": {"SourceUri": "git://code", "SourceType": "Git"}},
    "Context": {"ContextName": "Run_1", "ContextType": "Endpoint", "Source": {"SourceUri": "here", "SourceId": "7"}},
}
NAMED = sorted(CREATE)


@pytest.mark.documented
def test_an_artifact_is_described_as_it_was_made(sagemaker: Call) -> None:
    """DescribeArtifact answers source, type, properties, metadata, times, maker and the account's lineage group."""
    source = {"SourceUri": "s3://b/train.csv", "SourceTypes": [{"SourceIdType": "S3Version", "Value": "v1"}]}
    metadata = {"CommitId": "abc", "Repository": "git://code"}
    arn = sagemaker(
        "CreateArtifact",
        ArtifactName="train",
        Source=source,
        ArtifactType="DataSet",
        Properties={"rows": "10"},
        MetadataProperties=metadata,
        Tags=[{"Key": "team", "Value": "fraud"}],
    )["ArtifactArn"]
    assert re.fullmatch(rf"{HERE}:artifact/[0-9a-f]{{32}}", arn)
    described = sagemaker("DescribeArtifact", ArtifactArn=arn)
    expected = {"ArtifactName": "train", "ArtifactArn": arn, "ArtifactType": "DataSet", "Source": source}
    assert expected.items() <= described.items()
    assert (described["Properties"], described["MetadataProperties"]) == ({"rows": "10"}, metadata)
    assert described["CreationTime"] == described["LastModifiedTime"]
    assert described["CreatedBy"]["IamIdentity"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert described["LineageGroupArn"] == f"{HERE}:lineage-group/sagemaker-default-lineage-group"
    assert sagemaker("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "fraud"}]


@pytest.mark.documented
@pytest.mark.parametrize("kind", NAMED)
def test_actions_and_contexts_are_found_by_name_and_arn(sagemaker: Call, kind: str) -> None:
    """Describe takes the name, in any case, and the ARN; it answers the name as it was given."""
    name = CREATE[kind][f"{kind}Name"]
    arn = sagemaker(f"Create{kind}", **CREATE[kind], Description="why", Properties={"a": "b"})[f"{kind}Arn"]
    assert arn == f"{HERE}:{kind.lower()}/{name.lower()}"
    by_arn = sagemaker(f"Describe{kind}", **{f"{kind}Name": arn})
    assert by_arn == sagemaker(f"Describe{kind}", **{f"{kind}Name": name.upper()})
    assert CREATE[kind].items() <= by_arn.items()
    assert (by_arn["Description"], by_arn["Properties"]) == ("why", {"a": "b"})


@pytest.mark.ours
@pytest.mark.parametrize("kind", NAMED)
def test_a_name_is_taken_once(sagemaker: Call, kind: str) -> None:
    """A second action or context of a name is refused with words that clients look for, also in another case."""
    sagemaker(f"Create{kind}", **CREATE[kind])
    again = {**CREATE[kind], f"{kind}Name": CREATE[kind][f"{kind}Name"].lower()}
    with pytest.raises(ValidationException, match="already exists"):
        sagemaker(f"Create{kind}", **again)
    assert sagemaker(f"Create{kind}", region="eu-west-1", **again)[f"{kind}Arn"].split(":")[3] == "eu-west-1"


@pytest.mark.documented
def test_a_source_has_one_artifact(artifact: Make) -> None:
    """There can be only one artifact with a unique SourceUri, whatever its type; names may be the same."""
    artifact("s3://b/train.csv", ArtifactName="same")
    artifact("s3://b/test.csv", ArtifactName="same")
    with pytest.raises(ValidationException, match=r"SourceUri \(s3://b/train.csv\) already exists"):
        artifact("s3://b/train.csv", "Model")


MISSING = {
    "DescribeArtifact": {"ArtifactArn": f"{HERE}:artifact/{'0' * 32}"},
    "UpdateArtifact": {"ArtifactArn": f"{HERE}:artifact/{'0' * 32}"},
    "DeleteArtifact": {"Source": {"SourceUri": "s3://nowhere"}},
    "DescribeAction": {"ActionName": "nobody"},
    "UpdateAction": {"ActionName": "nobody"},
    "DeleteAction": {"ActionName": "nobody"},
    "DescribeContext": {"ContextName": "nobody"},
    "UpdateContext": {"ContextName": "nobody"},
    "DeleteContext": {"ContextName": "nobody"},
    "DescribeLineageGroup": {"LineageGroupName": "nobody"},
    "GetLineageGroupPolicy": {"LineageGroupName": "sagemaker-default-lineage-group"},
    "ListAssociations": {"SourceArn": f"{HERE}:action/nobody"},
    "QueryLineage": {"StartArns": [f"{HERE}:context/nobody"]},
    "AddAssociation": {"SourceArn": f"{HERE}:action/nobody", "DestinationArn": f"{HERE}:experiment-trial-component/x"},
    "DeleteAssociation": {"SourceArn": f"{HERE}:action/nobody", "DestinationArn": f"{HERE}:context/nobody"},
}


@pytest.mark.documented
@pytest.mark.parametrize("operation", sorted(MISSING))
def test_what_is_missing_is_not_found(sagemaker: Call, operation: str) -> None:
    """Lineage operations declare ResourceNotFound, and answer it."""
    with pytest.raises(ResourceNotFound):
        sagemaker(operation, **MISSING[operation])


@pytest.mark.documented
def test_updates_overwrite_properties_and_remove_some(sagemaker: Call, artifact: Make, yard_in_process: Yard) -> None:
    """New properties take the place of all before; keys to remove go; what is not said stays; the time of change moves on."""
    arn = artifact("s3://b/x", ArtifactName="x", Properties={"k1": "v1", "k2": "v2"})
    yard_in_process.clock.advance(5)
    sagemaker("UpdateArtifact", ArtifactArn=arn, PropertiesToRemove=["k1"])
    described = sagemaker("DescribeArtifact", ArtifactArn=arn)
    assert (described["Properties"], described["ArtifactName"]) == ({"k2": "v2"}, "x")
    assert described["LastModifiedTime"] == described["CreationTime"] + 5
    sagemaker("UpdateArtifact", ArtifactArn=arn, ArtifactName="y", Properties={"k3": "v3"})
    described = sagemaker("DescribeArtifact", ArtifactArn=arn)
    assert (described["Properties"], described["ArtifactName"]) == ({"k3": "v3"}, "y")


@pytest.mark.documented
def test_an_action_changes_its_status(sagemaker: Call) -> None:
    """UpdateAction sets status and description; ListActions shows the status."""
    sagemaker("CreateAction", **CREATE["Action"], Status="InProgress")
    sagemaker("UpdateAction", ActionName="Build-1", Status="Completed", Description="done")
    assert sagemaker("DescribeAction", ActionName="Build-1")["Description"] == "done"
    assert [one["Status"] for one in sagemaker("ListActions")["ActionSummaries"]] == ["Completed"]


@pytest.mark.documented
def test_too_many_properties_are_refused(sagemaker: Call, artifact: Make) -> None:
    """An artifact has at most 30 properties, whose values have at most 4096 characters."""
    with pytest.raises(ValidationException, match="length less than or equal to 30"):
        artifact("s3://b/x", Properties={str(number): "" for number in range(31)})
    with pytest.raises(ValidationException, match="length less than or equal to 4096"):
        artifact("s3://b/x", Properties={"a": "b" * 4097})


@pytest.mark.documented
def test_an_artifact_is_deleted_by_its_arn_or_its_source(sagemaker: Call, artifact: Make) -> None:
    """DeleteArtifact takes one of the two; tags go with it, and the source may have an artifact again."""
    arn = artifact("s3://b/x", Tags=[{"Key": "a", "Value": "b"}])
    with pytest.raises(ValidationException, match="Either ArtifactArn or Source"):
        sagemaker("DeleteArtifact")
    assert sagemaker("DeleteArtifact", Source={"SourceUri": "s3://b/x"}) == {"ArtifactArn": arn}
    assert artifact("s3://b/x") == arn
    assert sagemaker("ListTags", ResourceArn=arn)["Tags"] == []
    assert sagemaker("DeleteArtifact", ArtifactArn=arn) == {"ArtifactArn": arn}
    with pytest.raises(ResourceNotFound):
        sagemaker("DescribeArtifact", ArtifactArn=arn)


@pytest.mark.ours
def test_what_is_associated_stays(sagemaker: Call, artifact: Make, join: Call) -> None:
    """An entity is deleted after its associations, as the SDK's `delete(disassociate=True)` does it."""
    source, destination = artifact("s3://b/x"), artifact("s3://b/y")
    join(source, destination)
    for arn in (source, destination):
        with pytest.raises(ValidationException, match="has associations"):
            sagemaker("DeleteArtifact", ArtifactArn=arn)
    sagemaker("DeleteAssociation", SourceArn=source, DestinationArn=destination)
    for arn in (source, destination):
        sagemaker("DeleteArtifact", ArtifactArn=arn)


@pytest.mark.documented
def test_lists_filter_sort_and_page(sagemaker: Call, yard_in_process: Yard) -> None:
    """Lists answer 10, newest first; they go by type, source, time and name, and pages neither skip nor repeat."""
    start = yard_in_process.clock.now()
    for number in range(12):
        yard_in_process.clock.advance(1)
        kind, source = f"Type{number % 2}", {"SourceUri": f"git://{number % 3}"}
        sagemaker("CreateAction", ActionName=f"a-{11 - number:02}", ActionType=kind, Source=source)

    def names(**request: Any) -> list[str]:
        return [one["ActionName"] for one in sagemaker("ListActions", **request)["ActionSummaries"]]

    newest_first = [f"a-{number:02}" for number in range(12)]
    assert names() == newest_first[:10]
    assert names(SortOrder="Ascending", MaxResults=3) == ["a-11", "a-10", "a-09"]
    assert names(SortBy="Name", MaxResults=2) == ["a-11", "a-10"]
    assert names(ActionType="Type1") == newest_first[::2]
    assert names(SourceUri="git://0", ActionType="Type0") == ["a-05", "a-11"]
    assert names(CreatedAfter=start + 3, CreatedBefore=start + 4) == ["a-08", "a-09"]
    for request in ({}, {"SortBy": "Name", "SortOrder": "Ascending"}):
        seen, token = [], {}
        while True:
            page = sagemaker("ListActions", MaxResults=5, **request, **token)
            seen += [one["ActionName"] for one in page["ActionSummaries"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert seen == newest_first
    with pytest.raises(ValidationException, match="NextToken"):
        sagemaker("ListActions", ActionType="Type1", NextToken=sagemaker("ListActions", MaxResults=1)["NextToken"])


@pytest.mark.documented
def test_associations_are_listed_with_their_ends(sagemaker: Call, artifact: Make) -> None:
    """ListAssociations shows ARNs, types and names of both ends; it goes by ends, types and time."""
    data, model = artifact("s3://b/data", ArtifactName="data"), artifact("s3://b/model", "Model")
    job = sagemaker("CreateAction", ActionName="Job", ActionType="Training", Source={"SourceUri": "x"})["ActionArn"]
    sagemaker("AddAssociation", SourceArn=data, DestinationArn=job, AssociationType="ContributedTo")
    sagemaker("AddAssociation", SourceArn=job, DestinationArn=model, AssociationType="Produced")
    sagemaker("AddAssociation", SourceArn=data, DestinationArn=model)
    (found,) = sagemaker("ListAssociations", DestinationArn=job)["AssociationSummaries"]
    named = {"SourceName": "data", "DestinationName": "Job", "AssociationType": "ContributedTo"}
    ends = {"SourceArn": data, "SourceType": "DataSet", "DestinationArn": job, "DestinationType": "Training"}
    assert {**named, **ends}.items() <= found.items()

    def pairs(**request: Any) -> list[tuple[str, str]]:
        listed = sagemaker("ListAssociations", **request)["AssociationSummaries"]
        return [(one["SourceArn"], one["DestinationArn"]) for one in listed]

    assert pairs(SourceArn=data) == [(data, model), (data, job)]
    assert pairs(DestinationArn=model, SourceType="DataSet") == [(data, model)]
    assert pairs(AssociationType="Produced") == [(job, model)]
    for sort in ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "CreationTime"):
        one_by_one, token = [], {}
        while True:
            page = sagemaker("ListAssociations", SortBy=sort, SortOrder="Ascending", MaxResults=1, **token)
            one_by_one += [(one["SourceArn"], one["DestinationArn"]) for one in page["AssociationSummaries"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert one_by_one == pairs(SortBy=sort, SortOrder="Ascending")
        assert one_by_one[::-1] == pairs(SortBy=sort)


@pytest.mark.documented
def test_associations_that_make_no_sense_are_refused(sagemaker: Call, artifact: Make, join: Call) -> None:
    """An association is made once, between two different things, of which one at most belongs to experiments."""
    one, other = artifact("s3://b/x"), artifact("s3://b/y")
    join(one, other)
    with pytest.raises(ValidationException, match="already exists"):
        join(one, other, kind="DerivedFrom")
    with pytest.raises(ValidationException, match="different"):
        join(one, one)
    component = f"{HERE}:experiment-trial-component/x"
    with pytest.raises(ValidationException, match="two experiment entities"):
        join(component, component)
    with pytest.raises(ResourceNotFound):
        sagemaker("DeleteAssociation", SourceArn=other, DestinationArn=one)


@pytest.mark.documented
def test_the_account_has_its_own_lineage_group(sagemaker: Call) -> None:
    """ListLineageGroups shows the default group, which is described and has no policy."""
    (group,) = sagemaker("ListLineageGroups")["LineageGroupSummaries"]
    assert group["LineageGroupArn"] == f"{HERE}:lineage-group/sagemaker-default-lineage-group"
    assert group.items() <= sagemaker("DescribeLineageGroup", LineageGroupName=group["LineageGroupName"]).items()
    assert sagemaker("ListLineageGroups", CreatedAfter=9e9)["LineageGroupSummaries"] == []


@pytest.mark.ours
def test_policies_decide(sagemaker: Call, artifact: Make) -> None:
    """Tags and ARNs of entities count as of any resource; other accounts are refused before they learn what there is."""
    tags = [{"Key": "team", "Value": "fraud"}]
    fraud, other = artifact("s3://b/x", Tags=tags), artifact("s3://b/y")
    tagged = '"Condition": {"StringEquals": {"aws:ResourceTag/team": "fraud"}}'
    policy = f'{{"Statement": [{{"Effect": "Allow", "Action": "sagemaker:DescribeArtifact", "Resource": "*", {tagged}}}]}}'
    somebody = user(ACCOUNT, "somebody", policy)
    assert sagemaker("DescribeArtifact", by=somebody, ArtifactArn=fraud)["ArtifactArn"] == fraud
    for arn in (other, f"{HERE}:artifact/{'0' * 32}"):
        with pytest.raises(AccessDeniedException):
            sagemaker("DescribeArtifact", by=somebody, ArtifactArn=arn)
    create = '{"Statement": [{"Effect": "Allow", "Action": "sagemaker:CreateArtifact", "Resource": "*"}]}'
    maker = user(ACCOUNT, "maker", create)
    request = {"Source": {"SourceUri": "s3://b/z"}, "ArtifactType": "x"}
    with pytest.raises(AccessDeniedException, match="sagemaker:AddTags"):
        sagemaker("CreateArtifact", by=maker, **request, Tags=tags)
    sagemaker("CreateArtifact", by=maker, **request)
    stranger = user(OTHER_ACCOUNT, "stranger")
    for operation, member in (("DescribeArtifact", fraud), ("QueryLineage", [fraud])):
        with pytest.raises(AccessDeniedException):
            sagemaker(operation, by=stranger, **{"StartArns" if operation == "QueryLineage" else "ArtifactArn": member})
    with pytest.raises(AwsError):
        sagemaker("AddAssociation", by=stranger, SourceArn=fraud, DestinationArn=other)
