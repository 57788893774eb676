-- Topics. `attributes` are those that were set, JSON.
CREATE TABLE topic (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    attributes {text} NOT NULL,
    UNIQUE (account, region, name)
);

-- The queues that get what is published to a topic; `raw` when they get the message alone, with nothing around it.
CREATE TABLE topic_subscription (
    id {identity},
    topic BIGINT NOT NULL REFERENCES topic (id),
    arn {text} NOT NULL UNIQUE,
    endpoint {text} NOT NULL,
    raw BIGINT NOT NULL,
    UNIQUE (topic, endpoint)
);
