-- Tags: predicates over the tokens of a corpus ("in base64", "Arabic"), evaluated once over the stored text and kept as bits.

CREATE TABLE tag (
    id INTEGER PRIMARY KEY,
    corpus_id INTEGER NOT NULL REFERENCES corpus (id), -- wholly read, so that it does not change any more
    name TEXT NOT NULL, -- of no other tag and of no topic of the corpus, in any case of letters
    kind TEXT NOT NULL CHECK (kind IN ('regex', 'range')),
    definition TEXT NOT NULL, -- the pattern, or Unicode's blocks and ranges of code points: `Arabic, U+0750-U+077F`
    tokens INTEGER NOT NULL, -- that satisfy it
    documents INTEGER NOT NULL, -- that hold such a token
    engine TEXT NOT NULL, -- the version of monoseme that evaluated it
    created_at TEXT NOT NULL,
    UNIQUE (corpus_id, name)
) STRICT;

-- 65,536 tokens: token first_position + i satisfies the tag if bit i % 8 of byte i / 8 is set. Eight bytes for every 64 tokens
-- that the corpus has here, the last ones begun included. Where no token does, there is no row.
CREATE TABLE tag_block (
    id INTEGER PRIMARY KEY,
    tag_id INTEGER NOT NULL REFERENCES tag (id),
    first_position INTEGER NOT NULL, -- a multiple of 65,536
    bits BLOB NOT NULL,
    checksum INTEGER NOT NULL, -- of the bits
    UNIQUE (tag_id, first_position)
) STRICT;

-- The public view: one row a tag.
CREATE VIEW predicate AS
SELECT
    c.name AS corpus,
    t.name,
    t.kind,
    t.definition,
    t.tokens,
    CAST(t.tokens AS REAL) / nullif(c.tokens, 0) AS share, -- of the corpus's tokens
    t.documents,
    t.engine,
    t.created_at,
    t.corpus_id,
    t.id AS tag_id
FROM tag AS t
JOIN corpus AS c ON c.id = t.corpus_id;
