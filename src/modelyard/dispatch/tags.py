"""Tags of resources: written by the tagging operations, read by every access decision that looks at them."""

from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from functools import partial

from modelyard.aws.errors import ValidationException
from modelyard.storage.interface import Transaction

MOST_TAGS = 50


def tags_of(tx: Transaction, arn: str) -> dict[str, str]:
    """The tags of one resource, by key."""
    rows = tx.all("SELECT tag_key, tag_value FROM resource_tag WHERE arn = :arn ORDER BY tag_key", {"arn": arn})
    return dict(rows)


def put_tags(tx: Transaction, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags, overwriting those with the same key. Raises ValidationException past 50 tags or for a reserved key."""
    for key in tags:
        if key.lower().startswith("aws:"):
            raise ValidationException(f"Tag keys starting with 'aws:' are reserved for system use: {key}")
    if len(tags_of(tx, arn).keys() | tags.keys()) > MOST_TAGS:
        raise ValidationException(f"The number of tags for {arn} exceeds the limit of {MOST_TAGS}.")
    for key, value in tags.items():
        tx.execute(
            "INSERT INTO resource_tag (arn, tag_key, tag_value) VALUES (:arn, :key, :value)"
            " ON CONFLICT (arn, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
            {"arn": arn, "key": key, "value": value},
        )


def remove_tags(tx: Transaction, arn: str, keys: Iterable[str]) -> None:
    """Remove tags; keys that are not there are ignored."""
    for key in keys:
        tx.execute("DELETE FROM resource_tag WHERE arn = :arn AND tag_key = :key", {"arn": arn, "key": key})


def forget_tags(tx: Transaction, arn: str) -> None:
    """Remove every tag of a resource that is going away."""
    tx.execute("DELETE FROM resource_tag WHERE arn = :arn", {"arn": arn})


def from_list(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """AWS's list of Key and Value as a mapping. Raises ValidationException when a key comes twice."""
    mapping: dict[str, str] = {}
    for tag in tags:
        if tag["Key"] in mapping:
            raise ValidationException(f"Duplicate tag key found in the request: {tag['Key']}")
        mapping[tag["Key"]] = tag["Value"]
    return mapping


def to_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A mapping as AWS's list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class TagsOnDemand(Mapping[str, str]):
    """The tags of several resources as one mapping, read from the database only when a condition looks at them.

    Of a tag that several have, that of the resource named last counts.
    """

    __slots__ = ("_arns", "_loaded", "_read")

    def __init__(self, source: Transaction | Callable[[str], Mapping[str, str]], *arns: str) -> None:
        self._read: Callable[[str], Mapping[str, str]] = source if callable(source) else partial(tags_of, source)
        self._arns = arns
        self._loaded: dict[str, str] | None = None

    def _tags(self) -> dict[str, str]:
        if self._loaded is None:
            self._loaded = {key: value for arn in self._arns for key, value in self._read(arn).items()}
        return self._loaded

    def __getitem__(self, key: str) -> str:
        return self._tags()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tags())

    def __len__(self) -> int:
        return len(self._tags())

    def items(self) -> ItemsView[str, str]:
        """As of a dictionary, which is quicker than key by key."""
        return self._tags().items()


class TagsTogether:
    """The tags of many resources, read together, once a condition looks at those of one of them."""

    CHUNK = 250
    """Resources in one statement."""

    def __init__(self, tx: Transaction, arns: Iterable[str]) -> None:
        self._tx = tx
        self._arns = list(dict.fromkeys(arns))
        self._loaded: dict[str, dict[str, str]] | None = None

    def of(self, *arns: str) -> Mapping[str, str]:
        """The tags of some of the resources as one mapping. Of a tag that several have, that of the one named last counts."""
        return TagsOnDemand(self.read, *arns)

    def read(self, arn: str) -> Mapping[str, str]:
        """The tags of one of the resources."""
        if self._loaded is None:
            self._loaded = {arn: {} for arn in self._arns}
            for start in range(0, len(self._arns), self.CHUNK):
                self._load(self._arns[start : start + self.CHUNK])
        return self._loaded[arn]

    def _load(self, arns: list[str]) -> None:
        assert self._loaded is not None
        parameters = {f"a{position}": arn for position, arn in enumerate(arns)}
        listed = ", ".join(f":{name}" for name in parameters)
        sql = f"SELECT arn, tag_key, tag_value FROM resource_tag WHERE arn IN ({listed})"  # noqa: S608  names of parameters
        for arn, key, value in self._tx.all(sql, parameters):
            self._loaded[arn][key] = value
