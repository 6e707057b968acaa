-- Labels: an append-only ledger. A newer label supersedes an older one; none is changed or removed.
CREATE TABLE label (
    id INTEGER PRIMARY KEY,
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    text TEXT NOT NULL CHECK (length(trim(text)) > 0),
    author TEXT NOT NULL,
    created_at TEXT NOT NULL,
    supersedes INTEGER REFERENCES label (id)
) STRICT;
CREATE INDEX label_feature ON label (feature_id, id);

CREATE TRIGGER label_is_never_changed BEFORE UPDATE ON label BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: add a new one instead of changing an old one');
END;
CREATE TRIGGER label_is_never_removed BEFORE DELETE ON label BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: nothing is removed');
END;
