-- The audit trail: one chain for the whole yard. `document` is the record as canonical JSON, exactly the bytes whose SHA-256 is
-- `hash`; it holds the hash of the record before it. `seal` is a MAC over the hash, under a key of the key ring.
CREATE TABLE audit_record (
    sequence {identity},
    time DOUBLE PRECISION NOT NULL,
    hash {blob} NOT NULL,
    seal {blob} NOT NULL,
    document {text} NOT NULL
);

-- Which records speak of an account, a principal or a resource; `subject` is 8 bytes of a digest of it, so records are looked at again.
CREATE TABLE audit_mention (
    subject BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (subject, sequence)
) {clustered};

-- Signed statements of how far the chain had come. `document` is canonical JSON, `signature` an Ed25519 signature of its bytes.
CREATE TABLE audit_checkpoint (
    sequence BIGINT PRIMARY KEY,
    document {text} NOT NULL,
    signature {blob} NOT NULL
) {clustered};

-- The chain tells what was changed; these rules keep it from being changed by whoever only means to tidy up.
{sqlite} CREATE TRIGGER audit_record_stays BEFORE UPDATE ON audit_record BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
{sqlite} CREATE TRIGGER audit_record_remains BEFORE DELETE ON audit_record BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
{sqlite} CREATE TRIGGER audit_mention_stays BEFORE UPDATE ON audit_mention BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
{sqlite} CREATE TRIGGER audit_mention_remains BEFORE DELETE ON audit_mention BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
{sqlite} CREATE TRIGGER audit_checkpoint_stays BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
{sqlite} CREATE TRIGGER audit_checkpoint_remains BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;
{postgresql} CREATE FUNCTION audit_trail_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit trail cannot be changed' USING ERRCODE = 'restrict_violation'; END $$;
{postgresql} CREATE TRIGGER audit_record_stays BEFORE UPDATE OR DELETE ON audit_record FOR EACH ROW EXECUTE FUNCTION audit_trail_stays();
{postgresql} CREATE TRIGGER audit_record_remains BEFORE TRUNCATE ON audit_record EXECUTE FUNCTION audit_trail_stays();
{postgresql} CREATE TRIGGER audit_mention_stays BEFORE UPDATE OR DELETE ON audit_mention FOR EACH ROW EXECUTE FUNCTION audit_trail_stays();
{postgresql} CREATE TRIGGER audit_mention_remains BEFORE TRUNCATE ON audit_mention EXECUTE FUNCTION audit_trail_stays();
{postgresql} CREATE TRIGGER audit_checkpoint_stays BEFORE UPDATE OR DELETE ON audit_checkpoint FOR EACH ROW EXECUTE FUNCTION audit_trail_stays();
{postgresql} CREATE TRIGGER audit_checkpoint_remains BEFORE TRUNCATE ON audit_checkpoint EXECUTE FUNCTION audit_trail_stays();

-- The outbox: events in the order in which their changes were committed. `resources` is a JSON list of ARNs, `detail` a JSON object.
CREATE TABLE event (
    place {identity},
    time DOUBLE PRECISION NOT NULL,
    account {text} NOT NULL,
    region {text} NOT NULL,
    group_key {text} NOT NULL,
    source {text} NOT NULL,
    detail_type {text} NOT NULL,
    resources {text} NOT NULL,
    detail {text} NOT NULL
);
CREATE INDEX event_by_group ON event (group_key, place);

-- How far each reader of the outbox has come; what a reader still needs is not trimmed. The name '' says how far it was trimmed.
CREATE TABLE event_reader (
    name {text} PRIMARY KEY,
    place BIGINT NOT NULL
) {clustered};

-- What the numbered members of a group were like since a time, until the next row of the same number; null when they were gone.
CREATE TABLE past_state (
    group_key {text} NOT NULL,
    number BIGINT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    state {text},
    PRIMARY KEY (group_key, number, since)
) {clustered};
