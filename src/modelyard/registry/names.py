"""Names as clients write them: a bare name is the caller's own, an ARN may be another account's, but never another region's.

A request signed for one region does nothing in another: conditions on `aws:RequestedRegion` count on it.
"""

from modelyard.registry.group import GroupName
from modelyard.registry.model_package import PackageName


class NotAName(Exception):
    """The text names something else; the message is for the client."""


def group_name(text: str, account: str, region: str) -> GroupName:
    """The group that a name or an ARN stands for. Raises NotAName for the ARN of another kind of resource or region."""
    if not text.startswith("arn:"):
        return GroupName(account, region, text)
    arn_account, kind, name = _split(text, region)
    if kind != "model-package-group":
        raise NotAName(f"The ARN {text} is not the ARN of a model package group.")
    return GroupName(arn_account, region, name)


def package_name(text: str, account: str, region: str) -> PackageName:
    """The package that `name`, `group/version` or an ARN stands for. Raises NotAName for another kind of resource or region."""
    name = text
    if text.startswith("arn:"):
        account, kind, name = _split(text, region)
        if kind != "model-package":
            raise NotAName(f"The ARN {text} is not the ARN of a model package.")
    group, slash, version = name.partition("/")
    if slash and not (version.isascii() and version.isdigit() and 1 <= len(version) <= 9 and int(version)):
        raise NotAName(f"{text} does not name a version of a model package group.")
    return PackageName(account, region, group, int(version) if slash else 0)


def _split(arn: str, region: str) -> tuple[str, str, str]:
    """Account, kind and name of an ARN in `region`."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or "/" not in parts[5]:
        raise NotAName(f"{arn} is not the ARN of a model package or group.")
    if parts[3] != region:
        raise NotAName(f"The ARN {arn} is not in {region}, the region of this request.")
    kind, _, name = parts[5].partition("/")
    return parts[4], kind, name
