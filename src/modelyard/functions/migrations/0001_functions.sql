-- A function. `next_version` is the number that PublishVersion gives next; numbers are never given twice. `policy_revision` changes
-- with its permissions.
CREATE TABLE lambda_function (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    next_version BIGINT NOT NULL,
    policy_revision {text} NOT NULL,
    UNIQUE (account, region, name)
);

-- What runs under one version: `$LATEST`, or a number once published. `digest` names its code's zip among the blobs; `document` is
-- its FunctionConfiguration as JSON. `place` orders the versions: 0 for `$LATEST`.
CREATE TABLE lambda_version (
    id {identity},
    function_id BIGINT NOT NULL REFERENCES lambda_function (id),
    version {text} NOT NULL,
    place BIGINT NOT NULL,
    digest {text} NOT NULL,
    document {text} NOT NULL,
    UNIQUE (function_id, version)
);
CREATE INDEX lambda_version_by_digest ON lambda_version (digest);

-- A statement of a function's resource policy; `qualifier` is empty for the policy of the function as a whole.
CREATE TABLE lambda_permission (
    id {identity},
    function_id BIGINT NOT NULL REFERENCES lambda_function (id),
    qualifier {text} NOT NULL,
    statement_id {text} NOT NULL,
    statement {text} NOT NULL,
    UNIQUE (function_id, qualifier, statement_id)
);

-- An asynchronous invocation that was accepted and is not over. Until `due` it is left alone: it waits for its next attempt, or a
-- server, `owner`, is at it and moves `due` on while it lives. `attempts` counts those that the function itself failed, `tries` all.
CREATE TABLE lambda_event (
    id {identity},
    function_id BIGINT NOT NULL REFERENCES lambda_function (id),
    qualifier {text} NOT NULL,
    request_id {text} NOT NULL,
    payload {blob} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    due DOUBLE PRECISION NOT NULL,
    owner {text} NOT NULL,
    attempts BIGINT NOT NULL,
    tries BIGINT NOT NULL
);
CREATE INDEX lambda_event_by_due ON lambda_event (due, id);
CREATE INDEX lambda_event_by_function ON lambda_event (function_id);

-- What is done with asynchronous invocations of a version, or of the function as a whole when `qualifier` is empty, as JSON.
CREATE TABLE lambda_invoke_config (
    id {identity},
    function_id BIGINT NOT NULL REFERENCES lambda_function (id),
    qualifier {text} NOT NULL,
    document {text} NOT NULL,
    UNIQUE (function_id, qualifier)
);

-- A queue whose messages a function is invoked with. `document` is its EventSourceMappingConfiguration as JSON.
CREATE TABLE lambda_mapping (
    id {identity},
    uuid {text} NOT NULL UNIQUE,
    account {text} NOT NULL,
    region {text} NOT NULL,
    function_id BIGINT NOT NULL REFERENCES lambda_function (id),
    qualifier {text} NOT NULL,
    source {text} NOT NULL,
    enabled BIGINT NOT NULL,
    document {text} NOT NULL,
    UNIQUE (function_id, qualifier, source)
);
CREATE INDEX lambda_mapping_by_account ON lambda_mapping (account, region, id);
