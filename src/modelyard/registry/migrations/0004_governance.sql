-- What a group asks of its versions. `kind` is `approval` (rules of approval) or `contract` (a schema for what a registration
-- brings); `document` is what the extras service answers, as JSON. `governed` counts them, so that registering looks here only then.
CREATE TABLE group_rule (
    group_id BIGINT NOT NULL REFERENCES model_package_group (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (group_id, kind)
);
ALTER TABLE model_package_group ADD COLUMN governed BIGINT NOT NULL DEFAULT 0;

-- Decisions on a version: approvals, rejections, moves through its life cycle, changes of what it deploys. They stay when the
-- version goes. `actor` is the principal without its session, so that one who asks twice is known; `counts` is 1 for an
-- approval that waits for others; `required` is how many were needed then.
CREATE TABLE version_decision (
    id {identity},
    package_id BIGINT NOT NULL,
    arn {text} NOT NULL,
    decided DOUBLE PRECISION NOT NULL,
    subject {text} NOT NULL,
    principal {text} NOT NULL,
    actor {text} NOT NULL,
    state_before {text},
    state_after {text},
    reason {text},
    effective BIGINT NOT NULL,
    counts BIGINT NOT NULL DEFAULT 0,
    approvals BIGINT,
    required BIGINT
);
CREATE INDEX version_decision_by_package ON version_decision (package_id, id);
CREATE INDEX version_decision_by_arn ON version_decision (arn, id);

-- Any JSON document that a version carries, each revision of it. `searchable` is what Search sees of the newest one.
CREATE TABLE version_metadata (
    package_id BIGINT NOT NULL REFERENCES model_package (id) ON DELETE CASCADE,
    revision BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    author {text} NOT NULL,
    document {text} NOT NULL,
    searchable {text},
    PRIMARY KEY (package_id, revision)
);
ALTER TABLE model_package ADD COLUMN metadata_revision BIGINT NOT NULL DEFAULT 0;

-- What was found of a version's artifacts and images when it was registered, as JSON. unhashed: some of it was too large to
-- be hashed at once, which is made up for later.
CREATE TABLE version_integrity (
    package_id BIGINT PRIMARY KEY REFERENCES model_package (id) ON DELETE CASCADE,
    unhashed BIGINT NOT NULL DEFAULT 0,
    document {text} NOT NULL
);
CREATE INDEX version_integrity_unhashed ON version_integrity (package_id) WHERE unhashed = 1;
