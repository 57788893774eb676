-- A model card; its content is in its versions. `last_version` is the newest one, and numbers are never given twice.
CREATE TABLE model_card (
    id {identity},
    account {text} NOT NULL,
    region {text} NOT NULL,
    name {text} NOT NULL,
    status {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    last_version BIGINT NOT NULL,
    UNIQUE (account, region, name)
);
CREATE INDEX model_card_by_created ON model_card (account, region, created, id);

-- A version of a card. `document` is what DescribeModelCard answers; edits make a new version, a change of status does not.
CREATE TABLE model_card_version (
    card_id BIGINT NOT NULL REFERENCES model_card (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    status {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL,
    PRIMARY KEY (card_id, version)
);

-- An export of a card as a PDF. `document` is what DescribeModelCardExportJob answers.
CREATE TABLE model_card_export_job (
    id {identity},
    card_id BIGINT NOT NULL REFERENCES model_card (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    version BIGINT NOT NULL,
    status {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL,
    UNIQUE (card_id, name)
);
CREATE INDEX model_card_export_job_by_created ON model_card_export_job (card_id, created, id);
