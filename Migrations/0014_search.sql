-- The words of features, for full-text search: see Sources/FeatureCatalogue/Search/FeatureText.swift for what stands in them.

-- 1: feature_text holds the words of what this run found out; 0: it is unfinished, or an older version finished it.
ALTER TABLE run ADD COLUMN has_text INTEGER NOT NULL DEFAULT 0;

-- One row a feature that has any words; rowid is its feature_id. A word is a run of letters and digits of any script, without case and
-- accents; what stands between is not found, and therefore tokens without a letter or digit are spelled out in columns of their own:
-- `{` as u007b, `==` as u003du003d.
CREATE VIRTUAL TABLE feature_text USING fts5 (
    label, -- that it goes by
    tokens, -- that hold most of its activation, the first first
    logits, -- the tokens whose logits it raises most
    topics, -- on which it fires more than elsewhere, the surest first, with semicolons between
    token_symbols,
    logit_symbols,
    tokenize = 'unicode61 remove_diacritics 2',
    prefix = '1 2 3'
);
-- The weights of these columns in `rank`.
INSERT INTO feature_text (feature_text, rank) VALUES ('rank', 'bm25(10.0, 3.0, 2.0, 4.0, 3.0, 2.0)');

-- Labels are in it from now on; what runs found out is added to these rows when it is found out.
INSERT INTO feature_text (rowid, label, tokens, logits, topics, token_symbols, logit_symbols)
SELECT c.feature_id, l.text, '', '', '', '', '' FROM feature_label AS c JOIN label AS l ON l.id = c.label_id ORDER BY c.feature_id;

-- Each change of a feature's label is one change of its row. (Not INSERT OR REPLACE: in a trigger the conflict clause of the statement that set it off holds.)
CREATE TRIGGER feature_text_gets_label AFTER INSERT ON feature_label BEGIN
    UPDATE feature_text SET label = (SELECT text FROM label WHERE id = NEW.label_id) WHERE rowid = NEW.feature_id;
    INSERT INTO feature_text (rowid, label, tokens, logits, topics, token_symbols, logit_symbols)
    SELECT NEW.feature_id, text, '', '', '', '', '' FROM label WHERE id = NEW.label_id AND NOT EXISTS (SELECT 1 FROM feature_text WHERE rowid = NEW.feature_id);
END;
CREATE TRIGGER feature_text_changes_label AFTER UPDATE ON feature_label WHEN NEW.label_id <> OLD.label_id BEGIN
    UPDATE feature_text SET label = (SELECT text FROM label WHERE id = NEW.label_id) WHERE rowid = NEW.feature_id;
END;
CREATE TRIGGER feature_text_loses_label AFTER DELETE ON feature_label BEGIN
    UPDATE feature_text SET label = '' WHERE rowid = OLD.feature_id;
END;

-- The newest score of each label by each method.
CREATE INDEX label_score_newest ON label_score (label_id, method, id) WHERE baseline IS NULL;
