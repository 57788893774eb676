-- A log group. Times are epoch milliseconds, as in CloudWatch; `retention` is days, absent for ever; `stored` is bytes.
CREATE TABLE log_group (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    created BIGINT NOT NULL,
    retention BIGINT,
    class {text} NOT NULL,
    stored BIGINT NOT NULL,
    UNIQUE (account, region, name)
);

-- A log stream. `first_event` and `last_event` are times of events, 0 before there is one.
CREATE TABLE log_stream (
    id {identity},
    group_id BIGINT NOT NULL,
    name {text} NOT NULL,
    created BIGINT NOT NULL,
    first_event BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    last_ingestion BIGINT NOT NULL,
    UNIQUE (group_id, name)
);
CREATE INDEX log_stream_by_last_event ON log_stream (group_id, last_event, name);

-- A log event. In the order of `time`, and of arrival, which `id` is, where times are the same.
CREATE TABLE log_event (
    id {identity},
    group_id BIGINT NOT NULL,
    stream_id BIGINT NOT NULL,
    time BIGINT NOT NULL,
    ingested BIGINT NOT NULL,
    message {text} NOT NULL
);
CREATE INDEX log_event_of_group ON log_event (group_id, time, id, stream_id);
CREATE INDEX log_event_of_stream ON log_event (stream_id, time, id);

-- A group or a stream that was deleted, and whose rows the worker still has to remove; nobody reaches them any more.
CREATE TABLE log_remains (
    id {identity},
    group_id BIGINT,
    stream_id BIGINT
);
