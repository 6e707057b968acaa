-- What was read: tokenizers, corpora, their documents and topics, and every token in order.

-- A tokenizer, known by the digest of its file.
CREATE TABLE tokenizer (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    vocabulary INTEGER NOT NULL -- 1 + the largest token id
) STRICT;

-- The bytes each token id stands for; `text` is the same with what is not UTF-8 replaced, for reading.
CREATE TABLE token (
    tokenizer_id INTEGER NOT NULL REFERENCES tokenizer (id),
    token INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tokenizer_id, token)
) STRICT, WITHOUT ROWID;

-- One stream of tokens: the documents of some files, tokenised one by one and laid end to end.
-- A position is a token's place in that stream, from 0. Nothing is inserted between documents.
CREATE TABLE corpus (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL, -- sha256 over the files' digests and the settings that decide what is read
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    tokenizer_id INTEGER NOT NULL REFERENCES tokenizer (id),
    tokens INTEGER NOT NULL DEFAULT 0,
    documents INTEGER NOT NULL DEFAULT 0,
    empty_documents INTEGER NOT NULL DEFAULT 0,
    malformed_lines INTEGER NOT NULL DEFAULT 0,
    is_complete INTEGER NOT NULL DEFAULT 0,
    UNIQUE (fingerprint, tokenizer_id)
) STRICT;

-- A file that documents came from.
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    path TEXT NOT NULL,
    UNIQUE (corpus_id, path)
) STRICT;

CREATE TABLE topic (
    id INTEGER PRIMARY KEY,
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    name TEXT NOT NULL,
    documents INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    UNIQUE (corpus_id, name)
) STRICT;

-- A position belongs to the document with the greatest first_position that does not exceed it.
CREATE TABLE document (
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    first_position INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, -- from 0, in reading order, documents without tokens not counted
    topic_id INTEGER NOT NULL REFERENCES topic (id),
    source_id INTEGER NOT NULL REFERENCES source (id),
    line INTEGER, -- of a JSONL source, from 1
    PRIMARY KEY (corpus_id, first_position)
) STRICT, WITHOUT ROWID;

-- The token ids themselves, little-endian: 16 bits each where the vocabulary has at most 65,536 ids, else 32.
CREATE TABLE token_block (
    id INTEGER PRIMARY KEY,
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    first_position INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    token_ids BLOB NOT NULL,
    sha256 TEXT NOT NULL, -- of token_ids
    UNIQUE (corpus_id, first_position)
) STRICT;
