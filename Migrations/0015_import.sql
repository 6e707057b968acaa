-- What came from elsewhere: exports, dashboards and caches of others.

-- What the postings of a run are. firings: every firing, or the strongest of each feature (keep_top). examples: only those within the example windows
-- that the source had; what is between them is not known, and the corpus is nothing but these windows laid end to end.
ALTER TABLE run ADD COLUMN evidence TEXT NOT NULL DEFAULT 'firings' CHECK (evidence IN ('firings', 'examples'));
-- The share of tokens on which the feature fires, as the source states it; NULL: firings / run.tokens.
ALTER TABLE statistic ADD COLUMN density REAL;

-- What there is of a corpus. whole: every token. windows: the tokens of some windows, each where it stands in the corpus; what lies between them
-- is known by its number only.
ALTER TABLE corpus ADD COLUMN coverage TEXT NOT NULL DEFAULT 'whole' CHECK (coverage IN ('whole', 'windows'));
-- d_in as the source states it, of a dictionary whose vectors did not come (width 0); NULL: width.
ALTER TABLE dictionary ADD COLUMN stated_width INTEGER;

-- A feature's firings in groups by strength, and one firing of each group, of a run whose other firings did not come: what show and an export
-- say of groups is read here, since it cannot be counted.
CREATE TABLE feature_group (
    run_id INTEGER NOT NULL REFERENCES run (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    kind TEXT NOT NULL CHECK (kind IN ('interval', 'quantile')),
    ordinal INTEGER NOT NULL, -- from 0, the weakest first
    low REAL NOT NULL, -- interval: its centre; quantile: the least activation
    high REAL NOT NULL, -- interval: its centre; quantile: the greatest activation
    firings INTEGER NOT NULL,
    position INTEGER, -- of the one that stands for them; NULL: there is none
    PRIMARY KEY (run_id, feature_id, kind, ordinal)
) STRICT, WITHOUT ROWID;
