-- Accounts, users, roles, access keys and policies.

-- One row, counted up by every change of this schema's tables: what was cached under another number is stale.
CREATE TABLE iam_generation (
    id BIGINT PRIMARY KEY,
    generation BIGINT NOT NULL
);

INSERT INTO iam_generation (id, generation) VALUES (1, 1);

CREATE TABLE iam_accounts (
    account {text} PRIMARY KEY,
    created_at DOUBLE PRECISION NOT NULL
);

-- Users and roles. Names are unique without regard to case, as AWS has it.
CREATE TABLE iam_identities (
    id {text} PRIMARY KEY,
    account {text} NOT NULL REFERENCES iam_accounts (account),
    kind {text} NOT NULL,
    name {text} NOT NULL,
    folded_name {text} NOT NULL,
    path {text} NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    boundary_arn {text},
    tags {text} NOT NULL,
    trust_policy {text},
    description {text},
    max_session_seconds BIGINT,
    UNIQUE (account, kind, folded_name)
);

-- The owner is the id of a user, or the account itself for a key of its root.
CREATE TABLE iam_access_keys (
    id {text} PRIMARY KEY,
    account {text} NOT NULL REFERENCES iam_accounts (account),
    owner {text} NOT NULL,
    sealed_secret {blob} NOT NULL,
    status {text} NOT NULL,
    created_at DOUBLE PRECISION NOT NULL
);

CREATE INDEX iam_access_keys_by_owner ON iam_access_keys (owner, id);

CREATE TABLE iam_inline_policies (
    identity {text} NOT NULL REFERENCES iam_identities (id),
    name {text} NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (identity, name)
);

CREATE TABLE iam_managed_policies (
    arn {text} PRIMARY KEY,
    id {text} NOT NULL,
    account {text} NOT NULL REFERENCES iam_accounts (account),
    name {text} NOT NULL,
    folded_name {text} NOT NULL,
    path {text} NOT NULL,
    description {text},
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    default_version {text} NOT NULL,
    tags {text} NOT NULL,
    UNIQUE (account, folded_name)
);

CREATE TABLE iam_policy_versions (
    arn {text} NOT NULL REFERENCES iam_managed_policies (arn),
    version {text} NOT NULL,
    document {text} NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (arn, version)
);

-- The policy may be one of AWS's own, which have no row.
CREATE TABLE iam_attachments (
    identity {text} NOT NULL REFERENCES iam_identities (id),
    policy_arn {text} NOT NULL,
    policy_name {text} NOT NULL,
    account {text} NOT NULL,
    PRIMARY KEY (identity, policy_arn)
);

CREATE INDEX iam_attachments_by_policy ON iam_attachments (account, policy_arn);
