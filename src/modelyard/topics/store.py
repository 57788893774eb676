"""All the SQL of topics."""

from collections.abc import Mapping

import orjson

from modelyard.storage.interface import Transaction
from modelyard.topics.topic import Subscription, Topic, TopicName


def topic(tx: Transaction, at: TopicName) -> Topic | None:
    """The topic of a name."""
    row = tx.one(
        "SELECT id, attributes FROM topic WHERE account = :account AND region = :region AND name = :name",
        {"account": at.account, "region": at.region, "name": at.name},
    )
    return None if row is None else Topic(row[0], at, orjson.loads(row[1]))


def count(tx: Transaction, account: str, region: str) -> int:
    """How many topics an account has in a region."""
    given = {"account": account, "region": region}
    row = tx.one("SELECT COUNT(*) FROM topic WHERE account = :account AND region = :region", given)
    return 0 if row is None else int(row[0])


def add(tx: Transaction, at: TopicName, attributes: Mapping[str, str]) -> None:
    """A new topic."""
    tx.execute(
        "INSERT INTO topic (account, region, name, attributes) VALUES (:account, :region, :name, :attributes)",
        {"account": at.account, "region": at.region, "name": at.name, "attributes": orjson.dumps(attributes).decode()},
    )


def remove(tx: Transaction, found: Topic) -> None:
    """Remove a topic and its subscriptions."""
    tx.execute("DELETE FROM topic_subscription WHERE topic = :id", {"id": found.id})
    tx.execute("DELETE FROM topic WHERE id = :id", {"id": found.id})


def subscriptions(tx: Transaction, found: Topic) -> list[Subscription]:
    """Those of a topic, in the order in which they came."""
    rows = tx.all("SELECT arn, endpoint, raw FROM topic_subscription WHERE topic = :id ORDER BY id", {"id": found.id})
    return [Subscription(arn, endpoint, bool(raw)) for arn, endpoint, raw in rows]


def subscribe(tx: Transaction, found: Topic, subscription: Subscription) -> None:
    """A new subscription."""
    tx.execute(
        "INSERT INTO topic_subscription (topic, arn, endpoint, raw) VALUES (:topic, :arn, :endpoint, :raw)",
        {"topic": found.id, "arn": subscription.arn, "endpoint": subscription.endpoint, "raw": int(subscription.raw)},
    )
