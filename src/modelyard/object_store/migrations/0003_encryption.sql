-- How a version is encrypted, as JSON: its data key as KMS encrypted it, and under which context; none when it is not.
ALTER TABLE object_version ADD COLUMN sealed {text};
