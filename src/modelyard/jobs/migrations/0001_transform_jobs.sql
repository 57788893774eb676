-- Transform jobs. `document` is what DescribeTransformJob answers besides what stands in columns; `plan` what there is to run, whole,
-- whatever becomes of the model; both JSON. `owner` is the server that runs the job, until `leased_until`, which it moves on while
-- it lives; `attempts` counts the servers that began and did not end it.
CREATE TABLE transform_job (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    name {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    started DOUBLE PRECISION,
    ended DOUBLE PRECISION,
    status {text} NOT NULL,
    failure {text},
    document {text} NOT NULL,
    plan {text} NOT NULL,
    owner {text},
    leased_until DOUBLE PRECISION,
    attempts BIGINT NOT NULL,
    UNIQUE (account, region, folded)
);
CREATE INDEX transform_job_by_time ON transform_job (account, region, created, id);
CREATE INDEX transform_job_under_way ON transform_job (id) WHERE ended IS NULL;

-- The inputs of a job that is under way whose outputs are written: whoever goes on with it leaves them out.
CREATE TABLE transform_output (
    job BIGINT NOT NULL REFERENCES transform_job (id),
    input {text} NOT NULL,
    PRIMARY KEY (job, input)
) {clustered};
