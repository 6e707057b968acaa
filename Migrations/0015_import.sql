-- What came from elsewhere: exports, dashboards and caches of others.

-- What the postings of a run are. firings: every firing, or the strongest of each feature (keep_top). examples: only those within the example windows
-- that the source had; what is between them is not known, and the corpus is nothing but these windows laid end to end.
ALTER TABLE run ADD COLUMN evidence TEXT NOT NULL DEFAULT 'firings' CHECK (evidence IN ('firings', 'examples'));
-- The share of tokens on which the feature fires, as the source states it; NULL: firings / run.tokens.
ALTER TABLE statistic ADD COLUMN density REAL;
