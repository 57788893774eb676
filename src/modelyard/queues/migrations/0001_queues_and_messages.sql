-- Where the messages of a queue are. A queue that is emptied gets a new space and abandons the old one, which costs the same however
-- much is in it; what lies in abandoned spaces is removed little by little.
CREATE TABLE queue_space (
    id {identity},
    abandoned BIGINT NOT NULL
);
CREATE INDEX queue_space_abandoned ON queue_space (id) WHERE abandoned = 1;

-- A queue. `attributes` holds those that were set, as a JSON object of texts; `purged` is when PurgeQueue last emptied it.
CREATE TABLE queue (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    space BIGINT NOT NULL UNIQUE REFERENCES queue_space (id),
    created DOUBLE PRECISION NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    purged DOUBLE PRECISION,
    attributes {text} NOT NULL,
    UNIQUE (account, region, name)
);

-- A message. It is delayed or in flight until `visible_at`. `received` counts receives in all queues, `received_before` those of them
-- in queues it was in before; so a message was received from this queue when the first is larger. `attributes` are the sender's,
-- `system` what ReceiveMessage calls Attributes and does not count itself, both as JSON. `group_id` is that of FIFO queues alone.
CREATE TABLE queue_message (
    id {identity},
    space BIGINT NOT NULL,
    visible_at DOUBLE PRECISION NOT NULL,
    sent DOUBLE PRECISION NOT NULL,
    message_id {text} NOT NULL,
    body {text} NOT NULL,
    attributes {text},
    system {text} NOT NULL,
    group_id {text},
    received BIGINT NOT NULL,
    received_before BIGINT NOT NULL,
    first_received DOUBLE PRECISION
);
CREATE INDEX queue_message_by_visible_at ON queue_message (space, visible_at, id);
CREATE INDEX queue_message_in_order ON queue_message (space, id);
CREATE INDEX queue_message_in_group ON queue_message (space, group_id, id) WHERE group_id IS NOT NULL;

-- What a FIFO queue took in the last five minutes, also when it was received and deleted since. `scope` is a message group, or empty.
CREATE TABLE queue_deduplication (
    id {identity},
    space BIGINT NOT NULL,
    scope {text} NOT NULL,
    deduplication_id {text} NOT NULL,
    sent DOUBLE PRECISION NOT NULL,
    message_id {text} NOT NULL,
    sequence BIGINT NOT NULL,
    UNIQUE (space, scope, deduplication_id)
);
