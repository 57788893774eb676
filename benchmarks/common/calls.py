"""The calls that are measured, as Modelyard and moto understand them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.common import version
from benchmarks.common.client import Prepared, answered, at_least, signed

Check = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Call:
    """One kind of call: requests, each different, and what its answers have to be."""

    requests: Sequence[Prepared]
    check: Check = answered


class SageMaker:
    """Makes requests to a registry of `count` versions that speaks SageMaker; lists have `page` versions."""

    def __init__(self, key: tuple[str, str], count: int, page: int = version.PAGE) -> None:
        self._key = key
        self._count = count
        self._page = page

    def sign(self, operation: str, content: Mapping[str, Any]) -> Prepared:
        """One signed request."""
        return signed(self._key, version.REGION, operation, content)

    def describe(self, numbers: Sequence[int]) -> Call:
        """DescribeModelPackage of versions."""
        return Call([self.sign("DescribeModelPackage", {"ModelPackageName": version.arn(number)}) for number in numbers])

    def create(self, numbers: Sequence[int], *, metrics: bool = True) -> Call:
        """CreateModelPackage of new versions."""
        return Call([self.sign("CreateModelPackage", version.request(number, metrics=metrics)) for number in numbers])

    def newest_approved(self, numbers: Sequence[int]) -> Call:
        """ListModelPackages: the newest approved versions of one group."""
        wanted = {"ModelApprovalStatus": "Approved", "SortBy": "CreationTime", "SortOrder": "Descending"}
        return Call(
            [
                self.sign(
                    "ListModelPackages",
                    {"ModelPackageGroupName": version.place(number)[0], "MaxResults": self._page, **wanted},
                )
                for number in numbers
            ],
            at_least("ModelPackageSummaryList", self._page),
        )

    def search_metric(self, numbers: Sequence[int]) -> Call:
        """Search for the versions with the best accuracy."""
        return self._search(numbers, lambda number: ("Metrics.accuracy", "GreaterThan", version.best_accuracy(self._count)), 5)

    def search_metadata(self, numbers: Sequence[int]) -> Call:
        """Search for the two versions of a ticket."""
        return self._search(numbers, lambda number: ("CustomerMetadataProperties.ticket", "Equals", version.ticket(number)), 2)

    def search_description(self, numbers: Sequence[int]) -> Call:
        """Search for one version by its description, which moto can do."""
        return self._search(numbers, lambda number: ("ModelPackageDescription", "Equals", version.description(number)), 1)

    def approve(self, numbers: Sequence[int]) -> Call:
        """UpdateModelPackage: approve versions."""
        verdict = {"ModelApprovalStatus": "Approved", "ApprovalDescription": "Better than the one in production"}
        return Call([self.sign("UpdateModelPackage", {"ModelPackageArn": version.arn(number), **verdict}) for number in numbers])

    def _search(self, numbers: Sequence[int], condition: Callable[[int], tuple[str, str, str]], least: int) -> Call:
        requests = []
        for number in numbers:
            name, operator, value = condition(number)
            expression = {"Filters": [{"Name": name, "Operator": operator, "Value": value}]}
            requests.append(self.sign("Search", {"Resource": "ModelPackage", "SearchExpression": expression, "MaxResults": 10}))
        return Call(requests, at_least("Results", least))
