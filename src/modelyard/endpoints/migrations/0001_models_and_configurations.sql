-- Models of an account and region. `document` is what DescribeModel answers; `containers` what there is to run: the containers with
-- those of packages in their places, and what is known and kept of each of their artifacts. Both JSON.
CREATE TABLE model (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL,
    containers {text} NOT NULL,
    UNIQUE (account, region, folded)
);
CREATE INDEX model_by_time ON model (account, region, created, id);

-- Endpoint configurations, as DescribeEndpointConfig answers them.
CREATE TABLE endpoint_config (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL,
    UNIQUE (account, region, folded)
);
CREATE INDEX endpoint_config_by_time ON endpoint_config (account, region, created, id);
