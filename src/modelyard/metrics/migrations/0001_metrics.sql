-- A metric. `dimensions` is a JSON list of names and values, in order of names; `seen` is when it last got a datapoint, to five
-- minutes, in epoch seconds.
CREATE TABLE metric (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    namespace {text} NOT NULL,
    name {text} NOT NULL,
    dimensions {text} NOT NULL,
    seen BIGINT NOT NULL,
    UNIQUE (account, region, namespace, name, dimensions)
);
CREATE INDEX metric_by_seen ON metric (seen);

-- What is kept of the values of one period: from `start` on (epoch seconds), `resolution` seconds long. What ages is moved to
-- coarser rows, so no value is in two rows of a minute or more; those of a second are kept beside. `sketch` counts the values
-- (metrics/sketch.py), absent where percentiles cannot be had.
CREATE TABLE metric_value (
    metric_id BIGINT NOT NULL,
    resolution BIGINT NOT NULL,
    start BIGINT NOT NULL,
    unit {text} NOT NULL,
    samples DOUBLE PRECISION NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    minimum DOUBLE PRECISION NOT NULL,
    maximum DOUBLE PRECISION NOT NULL,
    sketch {blob},
    PRIMARY KEY (metric_id, resolution, start, unit)
) {clustered};
CREATE INDEX metric_value_by_age ON metric_value (resolution, start);

-- An alarm. `settings` is what PutMetricAlarm was given, `state` what it is in and why, both JSON as DescribeAlarms shows them.
-- `revision` counts changes of the settings or the state, so that two servers do not both act on one change.
CREATE TABLE alarm (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    kind {text} NOT NULL,
    state_value {text} NOT NULL,
    settings {text} NOT NULL,
    state {text} NOT NULL,
    revision BIGINT NOT NULL,
    UNIQUE (account, region, name)
);

-- Which alarms look at a metric.
CREATE TABLE alarm_metric (
    alarm_id BIGINT NOT NULL,
    account {text} NOT NULL,
    region {text} NOT NULL,
    namespace {text} NOT NULL,
    name {text} NOT NULL,
    dimensions {text} NOT NULL,
    PRIMARY KEY (account, region, namespace, name, dimensions, alarm_id)
);
CREATE INDEX alarm_metric_of_alarm ON alarm_metric (alarm_id);

-- What became of alarms; it outlives them. Times are epoch milliseconds.
CREATE TABLE alarm_history (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    kind {text} NOT NULL,
    time BIGINT NOT NULL,
    type {text} NOT NULL,
    summary {text} NOT NULL,
    data {text} NOT NULL
);
CREATE INDEX alarm_history_of_place ON alarm_history (account, region, time, id);
CREATE INDEX alarm_history_of_alarm ON alarm_history (account, region, name, time, id);
CREATE INDEX alarm_history_by_age ON alarm_history (time);

-- An action that an alarm still has to take, with the notice (JSON) that it takes along.
CREATE TABLE alarm_action (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    target {text} NOT NULL,
    notice {text} NOT NULL,
    attempts BIGINT NOT NULL,
    due DOUBLE PRECISION NOT NULL
);
CREATE INDEX alarm_action_by_due ON alarm_action (due, id);
