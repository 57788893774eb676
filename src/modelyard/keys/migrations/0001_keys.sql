-- Keys that accounts made. material: the key itself, sealed under the server's master key. Keys that AWS manages have no rows.
CREATE TABLE kms_key (
    id {identity},
    key_id {text} NOT NULL UNIQUE,
    account {text} NOT NULL,
    region {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    state {text} NOT NULL,
    deletion_date DOUBLE PRECISION,
    description {text} NOT NULL,
    policy {text} NOT NULL,
    material {blob} NOT NULL
);
CREATE INDEX kms_key_account ON kms_key (account, region, key_id);
CREATE INDEX kms_key_deletion ON kms_key (deletion_date) WHERE deletion_date IS NOT NULL;

CREATE TABLE kms_alias (
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    key_id {text} NOT NULL REFERENCES kms_key (key_id),
    created DOUBLE PRECISION NOT NULL,
    updated DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX kms_alias_key ON kms_alias (key_id, name);

-- Grants. grantee and retiring are principals as they were given; *_kind is AWS or Service. operations and constraints: JSON.
CREATE TABLE kms_grant (
    id {identity},
    grant_id {text} NOT NULL UNIQUE,
    key_id {text} NOT NULL REFERENCES kms_key (key_id),
    name {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    issuing_account {text} NOT NULL,
    grantee_kind {text} NOT NULL,
    grantee {text} NOT NULL,
    retiring_kind {text} NOT NULL,
    retiring {text} NOT NULL,
    operations {text} NOT NULL,
    constraints {text} NOT NULL
);
CREATE INDEX kms_grant_key ON kms_grant (key_id, id);
CREATE INDEX kms_grant_grantee ON kms_grant (key_id, grantee);
CREATE INDEX kms_grant_retiring ON kms_grant (retiring, id);
