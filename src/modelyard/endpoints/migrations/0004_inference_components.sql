-- Inference components, also those that were deleted. What they run are deployments on their endpoint, of `component`; `serving`,
-- `pending`, `state` and `revision` are as those of endpoints. The server that runs the endpoint runs its components.
CREATE TABLE inference_component (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    name {text} NOT NULL,
    endpoint BIGINT NOT NULL REFERENCES endpoint (id),
    variant {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    deleted DOUBLE PRECISION,
    status {text} NOT NULL,
    failure {text},
    serving BIGINT,
    pending BIGINT,
    state {text} NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX inference_component_by_name ON inference_component (account, region, folded) WHERE deleted IS NULL;
CREATE INDEX inference_component_by_time ON inference_component (account, region, created, id) WHERE deleted IS NULL;
CREATE INDEX inference_component_by_endpoint ON inference_component (endpoint, id) WHERE deleted IS NULL;

ALTER TABLE endpoint_deployment ADD COLUMN component BIGINT;
CREATE INDEX endpoint_deployment_by_component ON endpoint_deployment (component, id) WHERE component IS NOT NULL;
