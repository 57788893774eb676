"""Names of functions in all their forms: `name`, `name:version`, `account:function:name`, ARNs."""

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?:arn:aws:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class FunctionName:
    """Which function, and which version of it."""

    account: str
    region: str
    name: str
    qualifier: str = ""
    """Empty for the function as a whole, which is what `$LATEST` runs."""

    @property
    def arn(self) -> str:
        """The ARN of the function as a whole."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def qualified_arn(self) -> str:
        """The ARN with the version, when one is meant."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn


def named(text: str, qualifier: str | None, account: str, region: str) -> FunctionName | None:
    """The function of a name, in the caller's account and region unless it says others; None for what is no name.

    None too when the name has another version than `qualifier`, or is in another region.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    within = match["qualifier"] or ""
    if qualifier and within and qualifier != within:
        return None
    if match["region"] not in (None, region):
        return None
    return FunctionName(match["account"] or account, region, match["name"], qualifier or within)
