-- Rules of the default bus. `document` is what DescribeRule answers besides name and state; `due` is when a scheduled rule is due next.
CREATE TABLE event_rule (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    enabled BIGINT NOT NULL,
    pattern {text},
    due DOUBLE PRECISION,
    origin DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL
);
CREATE UNIQUE INDEX event_rule_by_name ON event_rule (account, region, name);
CREATE INDEX event_rule_by_due ON event_rule (due);

-- Targets of rules; `document` is as PutTargets took it.
CREATE TABLE event_target (
    rule BIGINT NOT NULL,
    name {text} NOT NULL,
    arn {text} NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (rule, name)
) {clustered};
CREATE INDEX event_target_by_arn ON event_target (arn);

-- Schedules of the default group; `document` is what GetSchedule answers. `due` is null when a schedule is over or disabled.
CREATE TABLE event_schedule (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    due DOUBLE PRECISION,
    document {text} NOT NULL
);
CREATE UNIQUE INDEX event_schedule_by_name ON event_schedule (account, region, name);
CREATE INDEX event_schedule_by_due ON event_schedule (due);

-- How API destinations authorise; `secrets` is sealed under the key ring, `document` has none of them.
CREATE TABLE event_connection (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    arn {text} NOT NULL,
    document {text} NOT NULL,
    secrets {blob} NOT NULL
);
CREATE UNIQUE INDEX event_connection_by_name ON event_connection (account, region, name);
CREATE UNIQUE INDEX event_connection_by_arn ON event_connection (arn);

CREATE TABLE event_destination (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    arn {text} NOT NULL,
    connection {text} NOT NULL,
    document {text} NOT NULL
);
CREATE UNIQUE INDEX event_destination_by_name ON event_destination (account, region, name);
CREATE UNIQUE INDEX event_destination_by_arn ON event_destination (arn);
CREATE INDEX event_destination_by_connection ON event_destination (connection);

-- Deliveries that wait for one target in one order: `source` is the ARN of the rule or schedule. A line is there while something
-- waits in it, and nothing of it is tried before `due`. `target` is the target as it is to be delivered to.
CREATE TABLE event_line (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    source {text} NOT NULL,
    target_name {text} NOT NULL,
    group_key {text} NOT NULL,
    due DOUBLE PRECISION NOT NULL,
    arn {text} NOT NULL,
    target {text} NOT NULL
);
CREATE UNIQUE INDEX event_line_by_group ON event_line (source, target_name, group_key);
CREATE INDEX event_line_by_due ON event_line (due, id);

-- One event on its way to one target of one rule, or of one schedule; gone once it is delivered, dead-lettered or given up.
CREATE TABLE event_delivery (
    id {identity},
    line BIGINT NOT NULL,
    event_id {text} NOT NULL,
    event {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    attempts BIGINT NOT NULL,
    last_error {text} NOT NULL
);
CREATE INDEX event_delivery_by_line ON event_delivery (line, id);
