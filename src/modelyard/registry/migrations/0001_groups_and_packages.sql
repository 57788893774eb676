-- A group; `folded` is its name in lower case, by which it is looked up, since the ARNs of its versions are lower-cased.
CREATE TABLE model_package_group (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    name {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    next_version BIGINT NOT NULL,
    last_created DOUBLE PRECISION NOT NULL,
    policy {text},
    document {text} NOT NULL,
    UNIQUE (account, region, folded)
);
CREATE INDEX model_package_group_by_created ON model_package_group (account, region, created, id);

-- A version of a group, or (version 0, no group) an unversioned package. `document` is what DescribeModelPackage answers.
-- `created` never goes back within a group, so that the order of time and the order of versions are one.
CREATE TABLE model_package (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    folded {text} NOT NULL,
    version BIGINT NOT NULL,
    group_id BIGINT REFERENCES model_package_group (id),
    approval {text},
    created DOUBLE PRECISION NOT NULL,
    modified DOUBLE PRECISION NOT NULL,
    metrics {text},
    document {text} NOT NULL,
    UNIQUE (account, region, folded, version)
);
CREATE INDEX model_package_by_group ON model_package (group_id, created, version);
CREATE INDEX model_package_by_approval ON model_package (group_id, approval, created, version);
CREATE INDEX model_package_by_created ON model_package (account, region, created, id);
CREATE INDEX model_package_unversioned ON model_package (account, region, created, id) WHERE version = 0;
