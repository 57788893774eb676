-- Endpoints, also those that were deleted: they stay as history. `serving` and `pending` are deployments; `state` is what the
-- reconciler last saw and what DescribeEndpoint shows of it, JSON. `owner` is the server that runs the fleets; `revision` counts
-- the changes of the row, so that nobody writes over what they have not seen.
CREATE TABLE endpoint (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    name {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    deleted DOUBLE PRECISION,
    status {text} NOT NULL,
    config_name {text} NOT NULL,
    failure {text},
    serving BIGINT,
    pending BIGINT,
    state {text} NOT NULL,
    owner {text},
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX endpoint_by_name ON endpoint (account, region, folded) WHERE deleted IS NULL;
CREATE INDEX endpoint_of_name ON endpoint (account, region, folded, id);
CREATE INDEX endpoint_by_time ON endpoint (account, region, created, id) WHERE deleted IS NULL;
CREATE INDEX endpoint_by_owner ON endpoint (owner, id) WHERE deleted IS NULL;

-- Deployments: what an endpoint was to run from some time on, with everything that takes, by whom, and what came of it. `plan` is
-- the deployment whose fleet it runs on: its own, or an earlier one's when only weights and counts changed. They are never removed.
CREATE TABLE endpoint_deployment (
    id {identity},
    endpoint BIGINT NOT NULL REFERENCES endpoint (id),
    number BIGINT NOT NULL,
    kind {text} NOT NULL,
    plan BIGINT,
    config_name {text} NOT NULL,
    started DOUBLE PRECISION NOT NULL,
    started_by {text} NOT NULL,
    ended DOUBLE PRECISION,
    result {text} NOT NULL,
    reason {text},
    document {text} NOT NULL,
    UNIQUE (endpoint, number)
);

-- The model packages that a deployment runs, for whoever asks where a version is deployed.
CREATE TABLE deployed_package (
    deployment BIGINT NOT NULL REFERENCES endpoint_deployment (id),
    package_arn {text} NOT NULL,
    variant {text} NOT NULL,
    PRIMARY KEY (package_arn, deployment, variant)
) {clustered};

-- Servers that run fleets, and until when their word counts.
CREATE TABLE fleet_server (
    name {text} PRIMARY KEY,
    place {text} NOT NULL,
    address {text} NOT NULL,
    alive_until DOUBLE PRECISION NOT NULL
);
