"""Rules of approval, as operations keep them, on every database."""

import pytest
from tests.contract.registry.governed import ALICE, BOB, CAROL, Governed, refused, specification
from tests.harness import START, user

pytestmark = pytest.mark.ours

PENDING = "PendingManualApproval"
DENIED, INVALID, MISSING = "AccessDeniedException", "ValidationException", "ResourceNotFound"


def test_rules_are_kept_until_they_are_deleted(registry: Governed) -> None:
    """Rules come back as they were put, with who put them; without rules there is nothing to get or delete."""
    named = {"ModelPackageGroupName": registry.group}
    with refused(MISSING, "no approval rules"):
        registry.call("modelyard", "GetApprovalRules", **named)
    registry.rules(RequiredApprovers=2, MetricGates=["accuracy >= 0.9"])
    found = registry.call("modelyard", "GetApprovalRules", **named)
    assert found["Rules"] == {"RequiredApprovers": 2, "MetricGates": ["accuracy >= 0.9"]}
    assert found["LastModifiedBy"] == user().arn
    registry.call("modelyard", "DeleteApprovalRules", **named)
    with refused(MISSING, "no approval rules"):
        registry.call("modelyard", "DeleteApprovalRules", **named)
    assert registry.approve(registry.register()) == "Approved"


def test_malformed_rules_are_refused(registry: Governed) -> None:
    """A gate that is none, and rules that say nothing, are refused."""
    with refused(INVALID, "metric gate"):
        registry.rules(MetricGates=["accuracy is high"])
    with refused(INVALID, "at least one rule"):
        registry.rules()
    with refused(INVALID, "requiredApprovers|RequiredApprovers"):
        registry.rules(RequiredApprovers=0)


def test_putting_rules_needs_a_permission_of_its_own(registry: Governed) -> None:
    """Who may do everything in SageMaker may not change the rules, and who may change the rules can be named by group."""
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:*","Resource":"*"}]}'
    with refused(DENIED, "modelyard:PutApprovalRules"):
        registry.call(
            "modelyard",
            "PutApprovalRules",
            user(ALICE.account, "dev", everything),
            ModelPackageGroupName=registry.group,
            Rules={},
        )


def test_the_registrant_does_not_approve(registry: Governed) -> None:
    """The one who registered is refused by the rule's name, another one approves; a registration as approved is refused too."""
    registry.rules(ApproverIsNotRegistrant=True)
    arn = registry.register()
    with refused(DENIED, f"ApproverIsNotRegistrant of the model package group {registry.group}.*user/admin registered"):
        registry.approve(arn)
    assert registry.approve(arn, ALICE) == "Approved"
    with refused(DENIED, "ApproverIsNotRegistrant"):
        registry.register(ModelApprovalStatus="Approved")
    assert registry.register().endswith("/2"), "a refused registration takes no number"


def test_who_changed_what_is_deployed_does_not_approve(registry: Governed) -> None:
    """Changing the specification makes one an author too."""
    registry.rules(ApproverIsNotRegistrant=True)
    arn = registry.register()
    registry.update(arn, ALICE, InferenceSpecification=specification({}))
    with refused(DENIED, "ApproverIsNotRegistrant.*changed what this version deploys"):
        registry.approve(arn, ALICE)
    assert registry.approve(arn, BOB) == "Approved"


def test_several_approvers(registry: Governed) -> None:
    """Approvals are kept until there are enough of different principals; the status changes with the last one."""
    registry.rules(RequiredApprovers=3)
    arn = registry.register()
    assert registry.approve(arn, ALICE, "good figures") == PENDING
    assert registry.described(arn)["ApprovalDescription"] == f"Approval 1 of 3, by {ALICE.arn}: good figures"
    with refused(DENIED, "RequiredApprovers.*has approved this version already; 2 more of 3"):
        registry.approve(arn, ALICE)
    assert registry.approve(arn, BOB) == PENDING
    assert registry.approve(arn, CAROL) == "Approved"
    assert registry.described(arn)["ApprovalDescription"] == f"Approved by {ALICE.arn}, {BOB.arn}, {CAROL.arn}."
    made = registry.decisions(arn)
    assert [(one["PrincipalArn"], one["Effective"], one["Approvals"]) for one in made] == [
        (ALICE.arn, False, 1),
        (BOB.arn, False, 2),
        (CAROL.arn, True, 3),
    ]


def test_registering_as_approved_is_the_first_approval(registry: Governed) -> None:
    """Where the registrant may approve, a registration as approved counts as one approval and is pending."""
    registry.rules(RequiredApprovers=2)
    arn = registry.register(ModelApprovalStatus="Approved")
    described = registry.described(arn)
    assert described["ModelApprovalStatus"] == PENDING and described["ApprovalDescription"].startswith("Approval 1 of 2")
    assert registry.approve(arn, ALICE) == "Approved"


def test_a_rejection_takes_approvals_away(registry: Governed) -> None:
    """After a rejection, or a change of what is deployed, all have to approve again."""
    registry.rules(RequiredApprovers=2)
    arn = registry.register()
    registry.approve(arn, ALICE)
    registry.update(arn, BOB, ModelApprovalStatus="Rejected", ApprovalDescription="biased")
    assert registry.approve(arn, ALICE) == "Rejected"
    registry.update(arn, BOB, InferenceSpecification=specification({}))
    assert registry.approve(arn, CAROL) == "Rejected"
    assert registry.approve(arn, ALICE) == "Approved"


def test_rules_count_approvals_that_wait(registry: Governed) -> None:
    """With fewer approvers required the next approval is enough."""
    registry.rules(RequiredApprovers=5)
    arn = registry.register()
    registry.approve(arn, ALICE)
    registry.rules(RequiredApprovers=2)
    assert registry.approve(arn, BOB) == "Approved"


def test_fewer_approvers_may_be_had_already(registry: Governed) -> None:
    """When no more approvers are required than have approved, one of these can say so again."""
    registry.rules(RequiredApprovers=2)
    arn = registry.register()
    registry.approve(arn, ALICE)
    registry.rules(RequiredApprovers=1)
    assert registry.approve(arn, ALICE) == "Approved"
    assert [one.get("Approvals") for one in registry.decisions(arn)] == [1, 1]


def test_new_rules_judge_approvals_that_wait(registry: Governed) -> None:
    """An approval that waits counts only when the rules as they are now let it be given."""
    registry.rules(RequiredApprovers=2)
    arn = registry.register(ModelApprovalStatus="Approved")
    registry.rules(RequiredApprovers=2, ApproverIsNotRegistrant=True)
    assert registry.approve(arn, ALICE) == PENDING, "the registrant's approval counts no more"
    registry.rules(RequiredApprovers=2, ApproverIsNotRegistrant=True, Approvers=[BOB.arn, CAROL.arn])
    assert registry.approve(arn, BOB) == PENDING, "Alice is none of the approvers"
    assert registry.approve(arn, CAROL) == "Approved"
    assert [one["Approvals"] for one in registry.decisions(arn)] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"SourceUri": "s3://models/another"}, "changed what the version deploys"),
        ({"ModelApprovalStatus": "Rejected"}, "set the version to Rejected"),
    ],
)
def test_description_counts_no_approvals_that_are_taken_away(registry: Governed, change: dict[str, str], why: str) -> None:
    """Who takes approvals away without a word is named where their number was."""
    registry.rules(RequiredApprovers=2)
    arn = registry.register()
    registry.approve(arn, ALICE)
    registry.update(arn, BOB, **change)
    assert registry.described(arn)["ApprovalDescription"] == f"No approval counts any more: {BOB.arn} {why}."


def test_a_reason_is_required(registry: Governed) -> None:
    """Approving and rejecting without a reason are refused."""
    registry.rules(ReasonRequired=True)
    arn = registry.register()
    for status in ("Approved", "Rejected"):
        with refused(INVALID, "ReasonRequired.*ApprovalDescription"):
            registry.update(arn, ALICE, ModelApprovalStatus=status)
    assert registry.approve(arn, ALICE, "reviewed") == "Approved"


def test_figures_have_to_pass_their_gates(registry: Governed) -> None:
    """The figures of the registered metric file decide, at registration as at approval."""
    registry.rules(MetricGates=["accuracy >= 0.9", "rmse < 2"])
    good = registry.register(**registry.measured({"accuracy": 0.95, "rmse": 1}))
    assert registry.approve(good, ALICE) == "Approved"
    assert registry.described(
        registry.register(**registry.measured({"accuracy": 0.95, "rmse": 1}), ModelApprovalStatus="Approved")
    )
    bad = registry.register(**registry.measured({"accuracy": 0.85}))
    with refused(INVALID, r"MetricGates.*accuracy >= 0.9 \(it is 0.85\); rmse < 2 \(the version was registered without"):
        registry.approve(bad, ALICE)
    with refused(INVALID, "MetricGates"):
        registry.register(**registry.measured({"accuracy": 0.85}), ModelApprovalStatus="Approved")


def test_only_approvers_approve_and_reject(registry: Governed) -> None:
    """Who is none of the approvers is refused, whatever policies allow."""
    registry.rules(Approvers=["arn:aws:iam::*:user/alice", "arn:aws:iam::*:role/Reviewer"])
    arn = registry.register()
    for status in ("Approved", "Rejected"):
        with refused(DENIED, "rule Approvers"):
            registry.update(arn, BOB, ModelApprovalStatus=status)
    assert registry.approve(arn, ALICE) == "Approved"


def test_an_approved_version_deploys_what_was_approved(registry: Governed) -> None:
    """What an approved version deploys is changed neither afterwards nor with the approval, until the approval is taken back."""
    registry.rules(RequiredApprovers=1)
    arn = registry.register()
    with refused(INVALID, "UnchangedOnceApproved"):
        registry.update(arn, ALICE, ModelApprovalStatus="Approved", InferenceSpecification=specification({}))
    registry.approve(arn, ALICE)
    for change in ({"InferenceSpecification": specification({})}, {"SourceUri": "elsewhere"}):
        with refused(INVALID, "UnchangedOnceApproved"):
            registry.update(arn, ALICE, **change)
    registry.update(arn, ALICE, CustomerMetadataProperties={"seen": "yes"})
    registry.update(arn, ALICE, ModelApprovalStatus=PENDING)
    registry.update(arn, ALICE, InferenceSpecification=specification({}))


def test_moves_through_the_life_cycle(registry: Governed) -> None:
    """Only the moves that are allowed, by those who may, from the registration on."""
    registry.rules(
        StageMoves=[
            {"To": "Development"},
            {"From": "Development", "To": "Staging"},
            {"From": "Staging", "To": "Production", "Principals": ["arn:aws:iam::*:user/carol"]},
        ]
    )

    def stage(name: str) -> dict[str, dict[str, str]]:
        return {"ModelLifeCycle": {"Stage": name, "StageStatus": "Open", "StageDescription": f"to {name}"}}

    with refused(INVALID, "StageMoves.*to Production/Open at first"):
        registry.register(**stage("Production"))
    arn = registry.register(**stage("Development"))
    with refused(INVALID, "StageMoves.*from Development/Open to Production/Open"):
        registry.update(arn, CAROL, **stage("Production"))
    registry.update(arn, ALICE, **stage("Staging"))
    with refused(DENIED, "StageMoves.*not for .*user/alice"):
        registry.update(arn, ALICE, **stage("Production"))
    registry.update(arn, CAROL, **stage("Production"))
    assert [(one.get("From"), one["To"], one["Reason"]) for one in registry.decisions(arn)] == [
        (None, "Development/Open", "to Development"),
        ("Development/Open", "Staging/Open", "to Staging"),
        ("Staging/Open", "Production/Open", "to Production"),
    ]


def test_every_decision_is_kept(registry: Governed) -> None:
    """Who, when, why, from and to, with or without rules; page by page, both ways, and when the version is gone."""
    arn = registry.register(ModelApprovalStatus="Approved")
    registry.yard.clock.advance(60)
    registry.update(arn, ALICE, ModelApprovalStatus="Rejected", ApprovalDescription="drifts")
    registry.update(arn, ALICE, ApprovalDescription="drifts a lot")
    first, second = registry.decisions(arn)
    assert first == {
        "Time": second["Time"] - 60,
        "PrincipalArn": user().arn,
        "Subject": "ModelApprovalStatus",
        "To": "Approved",
        "Effective": True,
    }
    assert second["Time"] >= START and second["Reason"] == "drifts"
    assert (second["From"], second["To"], second["PrincipalArn"]) == ("Approved", "Rejected", ALICE.arn)
    page = registry.call("modelyard", "ListApprovalDecisions", ModelPackageArn=arn, MaxResults=1, SortOrder="Descending")
    assert page["Decisions"] == [second]
    rest = {"MaxResults": 1, "SortOrder": "Descending", "NextToken": page["NextToken"]}
    assert registry.decisions(arn, **rest) == [first]
    registry.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn)
    assert registry.decisions(arn) == [first, second]
    with refused(MISSING, "does not exist"):
        registry.decisions(arn[:-1] + "9")


def test_nothing_is_decided_by_a_registration_that_waits(registry: Governed) -> None:
    """A registration that is to be approved later has no decision yet."""
    assert registry.decisions(registry.register()) == []


def test_rules_go_with_their_group(registry: Governed) -> None:
    """A group that is made anew has no rules of the one before."""
    registry.rules(ReasonRequired=True)
    registry.call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName=registry.group)
    registry.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=registry.group)
    assert registry.approve(registry.register()) == "Approved"
