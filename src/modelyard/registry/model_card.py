"""A model card: where it is, and what Describe and the lists answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


class NotACard(Exception):
    """The text names something else; the message is for the client."""


@dataclass(frozen=True, slots=True)
class CardName:
    """Where a card is, from a name or an ARN as a client wrote it."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """`arn:aws:sagemaker:REGION:ACCOUNT:model-card/NAME`."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:model-card/{self.name}"

    def export_job_arn(self, job: str) -> str:
        """`…:model-card/NAME/export-job/JOB`."""
        return f"{self.arn}/export-job/{job}"


def card_name(text: str, account: str, region: str) -> CardName:
    """The card that a name or an ARN stands for. Raises NotACard for the ARN of another kind of resource or region."""
    if not text.startswith("arn:"):
        return CardName(account, region, text)
    parts = text.split(":", 5)
    kind, _, name = parts[-1].partition("/")
    if len(parts) != 6 or kind != "model-card" or not name or "/" in name:
        raise NotACard(f"The ARN {text} is not the ARN of a model card.")
    return CardName(parts[4], _region_of(text, parts[3], region), name)


def export_job_name(text: str, region: str) -> tuple[CardName, str]:
    """The card and the name of an export job, from its ARN. Raises NotACard for another kind of resource or region."""
    parts = text.split(":", 5)
    path = parts[-1].split("/")
    if len(parts) != 6 or len(path) != 4 or path[0] != "model-card" or path[2] != "export-job":
        raise NotACard(f"The ARN {text} is not the ARN of a model card export job.")
    return CardName(parts[4], _region_of(text, parts[3], region), path[1]), path[3]


def _region_of(arn: str, named: str, region: str) -> str:
    """The region of an ARN, which has to be that of the request."""
    if named != region:
        raise NotACard(f"The ARN {arn} is not in {region}, the region of this request.")
    return region


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it is stored: its newest version."""

    id: int
    at: CardName
    created: float
    version: int
    document: Document
    """What DescribeModelCard answers."""

    @property
    def archived(self) -> bool:
        """Whether its content is closed for good."""
        return bool(self.document["ModelCardStatus"] == "Archived")


def new_document(at: CardName, request: Mapping[str, Any], created_by: Document, now: float) -> Document:
    """What DescribeModelCard will answer for a card made by `request`."""
    document: Document = {
        "ModelCardArn": at.arn,
        "ModelCardName": at.name,
        "ModelCardVersion": 1,
        "Content": request["Content"],
        "ModelCardStatus": request["ModelCardStatus"],
        "CreationTime": now,
        "CreatedBy": created_by,
        "LastModifiedTime": now,
        "LastModifiedBy": created_by,
    }
    if request.get("SecurityConfig"):
        document["SecurityConfig"] = request["SecurityConfig"]
    return document


def edited(document: Document, content: str, by: Document, now: float) -> Document:
    """The next version of a card, with this content."""
    return {
        **document,
        "ModelCardVersion": document["ModelCardVersion"] + 1,
        "Content": content,
        "LastModifiedTime": now,
        "LastModifiedBy": by,
    }


def with_status(document: Document, status: str, by: Document, now: float) -> Document:
    """The same version with another status."""
    return {**document, "ModelCardStatus": status, "LastModifiedTime": now, "LastModifiedBy": by}


_SUMMARY = ("ModelCardName", "ModelCardArn", "ModelCardStatus", "CreationTime", "LastModifiedTime")
_JOB_SUMMARY = (
    "ModelCardExportJobName",
    "ModelCardExportJobArn",
    "Status",
    "ModelCardName",
    "ModelCardVersion",
    "CreatedAt",
    "LastModifiedAt",
)


def summary(document: Mapping[str, Any]) -> Document:
    """The entry of ListModelCards."""
    return {member: document[member] for member in _SUMMARY if member in document}


def version_summary(document: Mapping[str, Any], created: float) -> Document:
    """The entry of ListModelCardVersions; `created` is when this version was made."""
    return {**summary(document), "ModelCardVersion": document["ModelCardVersion"], "CreationTime": created}


def export_job_summary(document: Mapping[str, Any]) -> Document:
    """The entry of ListModelCardExportJobs."""
    return {member: document[member] for member in _JOB_SUMMARY if member in document}
