"""Names as clients write them: a bare name is the caller's own, an ARN may be another account's."""

from modelyard.registry.group import GroupName
from modelyard.registry.model_package import PackageName


class NotAName(Exception):
    """The text names something else; the message is for the client."""


def group_name(text: str, account: str, region: str) -> GroupName:
    """The group that a name or an ARN stands for. Raises NotAName for the ARN of another kind of resource."""
    if not text.startswith("arn:"):
        return GroupName(account, region, text)
    arn_account, arn_region, kind, name = _split(text)
    if kind != "model-package-group":
        raise NotAName(f"The ARN {text} is not the ARN of a model package group.")
    return GroupName(arn_account, arn_region, name)


def package_name(text: str, account: str, region: str) -> PackageName:
    """The package that `name`, `group/version` or an ARN stands for. Raises NotAName for another kind of resource."""
    name = text
    if text.startswith("arn:"):
        account, region, kind, name = _split(text)
        if kind != "model-package":
            raise NotAName(f"The ARN {text} is not the ARN of a model package.")
    group, slash, version = name.partition("/")
    if slash and not (version.isascii() and version.isdigit() and 1 <= len(version) <= 9 and int(version)):
        raise NotAName(f"{text} does not name a version of a model package group.")
    return PackageName(account, region, group, int(version) if slash else 0)


def _split(arn: str) -> tuple[str, str, str, str]:
    parts = arn.split(":", 5)
    if len(parts) != 6 or "/" not in parts[5]:
        raise NotAName(f"{arn} is not the ARN of a model package or group.")
    kind, _, name = parts[5].partition("/")
    return parts[4], parts[3], kind, name
