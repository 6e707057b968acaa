-- The ledger of labels, whole: who said it, how, by what prompt and at what price, on which evidence; and what was decided about it since.
-- Nothing in it is changed or removed: a decision is a row of its own, and whether a label is stale follows from the evidence it stands on.

-- What a label or a score was made from: a dictionary's weights, and the corpus it was run over.
CREATE TABLE label_basis (
    id INTEGER PRIMARY KEY,
    dictionary_id INTEGER NOT NULL REFERENCES dictionary (id),
    weights_sha256 TEXT NOT NULL, -- '' where the weights were not there, as with features imported as text
    corpus_fingerprint TEXT NOT NULL, -- '' where the dictionary had not been run
    UNIQUE (dictionary_id, weights_sha256, corpus_fingerprint)
) STRICT;

-- Prompts by their text, with the places to be filled in left open.
CREATE TABLE prompt (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL, -- with its version: explain-1
    text TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE -- of the text
) STRICT;

DROP TRIGGER label_is_never_changed;
DROP TRIGGER label_is_never_removed;

ALTER TABLE label ADD COLUMN author_kind TEXT NOT NULL DEFAULT 'person' CHECK (author_kind IN ('person', 'model', 'program'));
ALTER TABLE label ADD COLUMN method TEXT NOT NULL DEFAULT 'hand' CHECK (length(trim(method)) > 0); -- hand, suggest, rule, explain, or what an import calls it
ALTER TABLE label ADD COLUMN status TEXT NOT NULL DEFAULT 'accepted' CHECK (status IN ('draft', 'accepted')); -- as it was entered
ALTER TABLE label ADD COLUMN is_unknown INTEGER NOT NULL DEFAULT 0 CHECK (is_unknown IN (0, 1)); -- 1: the author says that they do not know
ALTER TABLE label ADD COLUMN rule TEXT; -- what it claims, as a predicate over tokens: regex:…, tokens:…, topic:…; see LabelRule.swift
ALTER TABLE label ADD COLUMN prompt_id INTEGER REFERENCES prompt (id);
ALTER TABLE label ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(parameters)); -- temperature, seed and the like
ALTER TABLE label ADD COLUMN prompt_tokens INTEGER; -- as the endpoint metered them; NULL: nothing was sent
ALTER TABLE label ADD COLUMN completion_tokens INTEGER;
ALTER TABLE label ADD COLUMN cost REAL; -- US dollars
ALTER TABLE label ADD COLUMN basis_id INTEGER REFERENCES label_basis (id);

INSERT INTO label_basis (dictionary_id, weights_sha256, corpus_fingerprint)
SELECT d.id, d.weights_sha256, coalesce(c.fingerprint, '')
FROM dictionary AS d LEFT JOIN run AS r ON r.dictionary_id = d.id LEFT JOIN corpus AS c ON c.id = r.corpus_id
WHERE EXISTS (SELECT 1 FROM label AS l WHERE l.feature_id >> 32 = d.id);
UPDATE label SET basis_id = (SELECT b.id FROM label_basis AS b WHERE b.dictionary_id = label.feature_id >> 32);

CREATE TRIGGER label_is_never_changed BEFORE UPDATE ON label BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: add a new one instead of changing an old one');
END;
CREATE TRIGGER label_is_never_removed BEFORE DELETE ON label BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: nothing is removed');
END;

-- INSERT OR REPLACE removes without a trigger of DELETE.
CREATE TRIGGER label_is_never_replaced BEFORE INSERT ON label WHEN EXISTS (SELECT 1 FROM label WHERE id = NEW.id) BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: add a new one instead of changing an old one');
END;
CREATE TRIGGER prompt_is_never_changed BEFORE UPDATE ON prompt BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: their prompts stay as they were');
END;
CREATE TRIGGER prompt_is_never_removed BEFORE DELETE ON prompt BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: nothing is removed');
END;
CREATE TRIGGER label_basis_is_never_changed BEFORE UPDATE ON label_basis BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: what they were made from stays as it was');
END;
CREATE TRIGGER label_basis_is_never_removed BEFORE DELETE ON label_basis BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: nothing is removed');
END;

-- Decisions about labels, the latest of which counts.
CREATE TABLE label_event (
    id INTEGER PRIMARY KEY,
    label_id INTEGER NOT NULL REFERENCES label (id),
    status TEXT NOT NULL CHECK (status IN ('accepted', 'rejected')),
    author TEXT NOT NULL CHECK (length(trim(author)) > 0),
    created_at TEXT NOT NULL,
    reason TEXT
) STRICT;
CREATE INDEX label_event_label ON label_event (label_id, id);

CREATE TRIGGER label_event_is_never_changed BEFORE UPDATE ON label_event BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: decide anew instead of changing a decision');
END;
CREATE TRIGGER label_event_is_never_replaced BEFORE INSERT ON label_event WHEN EXISTS (SELECT 1 FROM label_event WHERE id = NEW.id) BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: decide anew instead of changing a decision');
END;
CREATE TRIGGER label_event_is_never_removed BEFORE DELETE ON label_event BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: nothing is removed');
END;

-- Windows of the corpus that an explanation was made from (train) or that it is scored on (test). A window is one or the other, never both:
-- the key says so for equal windows, the trigger for those that overlap.
CREATE TABLE label_example (
    label_id INTEGER NOT NULL REFERENCES label (id),
    first_position INTEGER NOT NULL, -- of the window
    tokens INTEGER NOT NULL CHECK (tokens > 0),
    role TEXT NOT NULL CHECK (role IN ('train', 'test')),
    kind TEXT NOT NULL, -- how it was chosen: top, interval, random, contrast
    activation REAL NOT NULL, -- the greatest in the window; 0: the feature is silent
    PRIMARY KEY (label_id, first_position),
    UNIQUE (label_id, first_position, role)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER label_example_roles_are_disjoint BEFORE INSERT ON label_example
WHEN EXISTS (SELECT 1 FROM label_example AS e WHERE e.label_id = NEW.label_id AND e.role <> NEW.role
    AND e.first_position < NEW.first_position + NEW.tokens AND NEW.first_position < e.first_position + e.tokens) BEGIN
    SELECT RAISE (ABORT, 'examples that a label was made from cannot score it');
END;
CREATE TRIGGER label_example_is_never_changed BEFORE UPDATE ON label_example BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: their examples stay as they were');
END;
CREATE TRIGGER label_example_is_never_removed BEFORE DELETE ON label_example BEGIN
    SELECT RAISE (ABORT, 'labels are a ledger: nothing is removed');
END;

-- The label that a feature goes by, kept by the triggers below: the newest accepted one, or else the newest draft. Rejected ones and
-- those that say "I don't know" are none.
CREATE TABLE feature_label (
    feature_id INTEGER PRIMARY KEY REFERENCES feature (id),
    label_id INTEGER NOT NULL REFERENCES label (id),
    status TEXT NOT NULL CHECK (status IN ('draft', 'accepted'))
) STRICT;

-- Every label with what was last decided about it.
CREATE VIEW label_decision AS
SELECT l.id AS label_id, l.feature_id, l.is_unknown,
    coalesce((SELECT e.status FROM label_event AS e WHERE e.label_id = l.id ORDER BY e.id DESC LIMIT 1), l.status) AS status
FROM label AS l;

-- A row of feature_label is changed rather than replaced, so that what hangs on it (the text that is searched) is written once.
CREATE TRIGGER label_becomes_current AFTER INSERT ON label WHEN NOT NEW.is_unknown BEGIN
    INSERT INTO feature_label (feature_id, label_id, status) VALUES (NEW.feature_id, NEW.id, NEW.status)
    ON CONFLICT (feature_id) DO UPDATE SET label_id = excluded.label_id, status = excluded.status WHERE excluded.status = 'accepted' OR feature_label.status = 'draft';
END;
CREATE TRIGGER label_event_changes_current AFTER INSERT ON label_event BEGIN
    INSERT INTO feature_label (feature_id, label_id, status)
    SELECT feature_id, label_id, status FROM label_decision
    WHERE feature_id = (SELECT feature_id FROM label WHERE id = NEW.label_id) AND status <> 'rejected' AND NOT is_unknown
    ORDER BY status = 'accepted' DESC, label_id DESC LIMIT 1
    ON CONFLICT (feature_id) DO UPDATE SET label_id = excluded.label_id, status = excluded.status;
    DELETE FROM feature_label WHERE feature_id = (SELECT feature_id FROM label WHERE id = NEW.label_id) AND NOT EXISTS (
        SELECT 1 FROM label_decision WHERE feature_id = (SELECT feature_id FROM label WHERE id = NEW.label_id) AND status <> 'rejected' AND NOT is_unknown);
END;

INSERT INTO feature_label (feature_id, label_id, status) SELECT feature_id, max(id), 'accepted' FROM label GROUP BY feature_id;

DROP VIEW label_suggestion;
DROP VIEW label_current;
DROP VIEW label_history;

-- The bases that stand: their dictionary has these weights and this corpus still. Labels and scores on another are stale.
CREATE VIEW label_basis_current AS
SELECT b.id AS basis_id
FROM label_basis AS b
JOIN dictionary AS d ON d.id = b.dictionary_id
LEFT JOIN run AS r ON r.dictionary_id = d.id
LEFT JOIN corpus AS c ON c.id = r.corpus_id
WHERE b.weights_sha256 IN ('', d.weights_sha256) AND b.corpus_fingerprint IN ('', c.fingerprint);

-- All labels that were ever given. status: draft, accepted, rejected, or stale, if it would be one of the first two but its dictionary version
-- has been ingested anew since, from other weights or over another corpus.
CREATE VIEW label_history AS
SELECT
    l.id AS label_id,
    l.feature_id,
    d.name || '/' || (l.feature_id & 4294967295) AS feature,
    l.text AS label,
    l.author,
    l.created_at,
    l.supersedes,
    EXISTS (SELECT 1 FROM feature_label WHERE feature_id = l.feature_id AND label_id = l.id) AS is_current,
    CASE
        WHEN n.status <> 'rejected' AND l.basis_id IS NOT NULL AND l.basis_id NOT IN (SELECT basis_id FROM label_basis_current) THEN 'stale'
        ELSE n.status
    END AS status,
    l.author_kind,
    l.method,
    l.is_unknown,
    l.rule,
    p.name AS prompt,
    l.parameters,
    l.prompt_tokens,
    l.completion_tokens,
    l.cost, -- US dollars
    d.name AS dictionary
FROM label AS l
JOIN label_decision AS n ON n.label_id = l.id
JOIN dictionary AS d ON d.id = l.feature_id >> 32
LEFT JOIN prompt AS p ON p.id = l.prompt_id;

-- The label that each feature goes by.
CREATE VIEW label_current AS
SELECT
    l.id AS label_id,
    l.feature_id,
    d.name || '/' || (l.feature_id & 4294967295) AS feature,
    l.text AS label,
    l.author,
    l.created_at,
    iif(l.basis_id IS NOT NULL AND l.basis_id NOT IN (SELECT basis_id FROM label_basis_current), 'stale', c.status) AS status,
    l.author_kind,
    l.method,
    l.rule,
    d.name AS dictionary
FROM feature_label AS c
JOIN label AS l ON l.id = c.label_id
JOIN dictionary AS d ON d.id = l.feature_id >> 32;

-- Labels of kin, as suggestions for features that have none of their own: one row for each feature and labelled source. A label goes down
-- every edge above candidate, for the parent's meaning holds the child's, or up such edges of kind same; over several versions with confidences
-- multiplied, and not up and down again, which would hand it to siblings. Drafts neither start nor stop it. It ends at features that have a label: what a nearer one says goes before.
-- kind: same where all edges on the way are, else that of the last one that is not; tier: the weakest. The surest way counts.
CREATE VIEW label_suggestion AS
WITH RECURSIVE way (feature_id, source_id, is_down, kind, tier, confidence, steps) AS (
    SELECT feature_id, feature_id, NULL, 'same', 'asserted', 1.0, 0 FROM feature_label WHERE status = 'accepted'
    UNION ALL
    SELECT e.child_id, w.source_id, 1, iif(e.kind = 'same', w.kind, e.kind), iif(e.tier = 'asserted', w.tier, e.tier), w.confidence * min(1.0, max(0.0, e.confidence)), w.steps + 1
    FROM way AS w
    CROSS JOIN lineage_edge AS e ON e.parent_id = w.feature_id
    WHERE w.steps < 8 AND w.is_down IS NOT 0 AND e.tier <> 'candidate' AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = e.child_id AND status = 'accepted')
    UNION ALL
    SELECT e.parent_id, w.source_id, 0, w.kind, iif(e.tier = 'asserted', w.tier, e.tier), w.confidence * min(1.0, max(0.0, e.confidence)), w.steps + 1
    FROM way AS w
    CROSS JOIN lineage_build AS b
    CROSS JOIN lineage_edge AS e ON e.build_id = b.id AND e.child_id = w.feature_id
    WHERE w.steps < 8 AND w.is_down IS NOT 1 AND e.kind = 'same' AND e.tier <> 'candidate' AND NOT EXISTS (SELECT 1 FROM feature_label WHERE feature_id = e.parent_id AND status = 'accepted')
    -- The surest first; versions are few, so that only a damaged file comes to the limits.
    ORDER BY 6 DESC
    LIMIT 1000000
)
SELECT
    d.name || '/' || (w.feature_id & 4294967295) AS feature,
    l.label,
    w.kind,
    w.tier,
    w.confidence,
    l.feature AS source,
    w.steps,
    d.name AS dictionary,
    w.feature_id,
    w.source_id
FROM (SELECT *, row_number() OVER (PARTITION BY feature_id, source_id ORDER BY confidence DESC, steps, kind, tier) AS place FROM way WHERE steps > 0) AS w
JOIN label_current AS l ON l.feature_id = w.source_id
JOIN dictionary AS d ON d.id = w.feature_id >> 32
WHERE w.place = 1;
