-- Signatures of a version. They are added and never changed; they go with the version. `id` is the SHA-256 of the bundle, so one
-- is kept once. `certificate` is the subject of the certificate in the bundle, where it has one.
CREATE TABLE version_signature (
    number {identity},
    package_id BIGINT NOT NULL REFERENCES model_package (id) ON DELETE CASCADE,
    id {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    author {text} NOT NULL,
    fingerprint {text} NOT NULL,
    public_key {text} NOT NULL,
    certificate {text},
    files {text} NOT NULL,
    bundle {blob} NOT NULL
);
CREATE UNIQUE INDEX version_signature_of_package ON version_signature (package_id, id);
