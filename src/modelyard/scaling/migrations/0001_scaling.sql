-- What is scaled, and between which bounds. `document` has what DescribeScalableTargets shows, `revision` counts the times that its
-- capacity was set, so that two servers do not both do it. `enforce` is 1 while the capacity still has to be put within the bounds;
-- before `not_before` nothing is tried.
CREATE TABLE scalable_target (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    resource {text} NOT NULL,
    dimension {text} NOT NULL,
    arn {text} NOT NULL UNIQUE,
    document {text} NOT NULL,
    revision BIGINT NOT NULL,
    enforce BIGINT NOT NULL,
    not_before DOUBLE PRECISION NOT NULL,
    UNIQUE (account, region, resource, dimension)
);

-- A policy. `document` has what DescribeScalingPolicies shows, `memory` what it did last: cool-downs are counted from that.
CREATE TABLE scaling_policy (
    id {identity},
    target_id BIGINT NOT NULL,
    name {text} NOT NULL,
    document {text} NOT NULL,
    memory {text} NOT NULL,
    UNIQUE (target_id, name)
);

-- A scheduled action; `due` is when it is next to be taken, in epoch seconds.
CREATE TABLE scheduled_action (
    id {identity},
    target_id BIGINT NOT NULL,
    name {text} NOT NULL,
    document {text} NOT NULL,
    due DOUBLE PRECISION,
    UNIQUE (target_id, name)
);
CREATE INDEX scheduled_action_by_due ON scheduled_action (due);

-- What was done. It outlives its target. `wanted` is the capacity that is waited for, empty once it is there or will not be.
CREATE TABLE scaling_activity (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    resource {text} NOT NULL,
    dimension {text} NOT NULL,
    started DOUBLE PRECISION NOT NULL,
    wanted BIGINT,
    document {text} NOT NULL
);
CREATE INDEX scaling_activity_of_place ON scaling_activity (account, region, resource, dimension, id);
CREATE INDEX scaling_activity_under_way ON scaling_activity (wanted);
CREATE INDEX scaling_activity_by_age ON scaling_activity (started);
