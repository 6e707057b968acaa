-- The activation index: every firing of every feature of one dictionary version over one corpus, and what is counted from it.

-- A dictionary version run over a corpus, and the rules by which contexts were cut.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    dictionary_id INTEGER NOT NULL REFERENCES dictionary (id),
    corpus_id INTEGER NOT NULL REFERENCES corpus (id),
    context_length INTEGER NOT NULL, -- longest context, the BOS token included; a document's last context may be shorter
    prepend_bos INTEGER NOT NULL, -- 1: a BOS token begins each context; its own activations are masked, it has no position
    keep_top INTEGER, -- NULL: every firing is kept; N: the N strongest of each feature
    input_scale REAL, -- what activations were multiplied by for an autoencoder that says so without saying by what; else NULL
    tokens INTEGER NOT NULL DEFAULT 0,
    firings INTEGER NOT NULL DEFAULT 0,
    is_complete INTEGER NOT NULL DEFAULT 0,
    engine TEXT NOT NULL, -- the version of monoseme that made it
    started_at TEXT NOT NULL,
    finished_at TEXT,
    UNIQUE (dictionary_id)
) STRICT;

-- The ledger: one row for each transaction of an ingest. What is here is done.
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES run (id),
    ordinal INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    firings INTEGER NOT NULL, -- before keep_top left any out
    checksum INTEGER NOT NULL, -- of the posting lists, in feature order
    finished_at TEXT NOT NULL,
    UNIQUE (run_id, ordinal)
) STRICT;

-- The posting list of one feature in one segment: see PostingList.swift for its bytes.
CREATE TABLE posting (
    id INTEGER PRIMARY KEY, -- segment_id · 2²⁴ + feature_index
    list BLOB NOT NULL
) STRICT;

-- Counts and moments of a feature's activations over the run's tokens. Densities are firings / run.tokens.
CREATE TABLE statistic (
    run_id INTEGER NOT NULL REFERENCES run (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    firings INTEGER NOT NULL DEFAULT 0,
    documents INTEGER NOT NULL DEFAULT 0, -- with at least one firing
    sum REAL NOT NULL DEFAULT 0,
    sum_of_squares REAL NOT NULL DEFAULT 0,
    maximum REAL NOT NULL DEFAULT 0,
    maximum_position INTEGER, -- the first that reaches it
    last_position INTEGER, -- of the last firing
    histogram BLOB NOT NULL DEFAULT x'', -- quarter-octave bins: see ActivationStatistics.swift
    PRIMARY KEY (run_id, feature_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE feature_topic (
    run_id INTEGER NOT NULL REFERENCES run (id),
    topic_id INTEGER NOT NULL REFERENCES topic (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    firings INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    sum REAL NOT NULL,
    maximum REAL NOT NULL,
    -- "Some firing in the document is at least this strong" as a detector of the topic's documents, at the threshold of
    -- the greatest F1 (the highest such); NULL until the run is complete.
    threshold REAL,
    precision REAL,
    recall REAL,
    f1 REAL,
    PRIMARY KEY (run_id, topic_id, feature_id)
) STRICT, WITHOUT ROWID;

-- The strongest firings, near-identical windows and crowds from one document left out: rank 1 is the strongest.
CREATE TABLE feature_example (
    run_id INTEGER NOT NULL REFERENCES run (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    rank INTEGER NOT NULL,
    position INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (run_id, feature_id, rank)
) STRICT, WITHOUT ROWID;

-- The tokens that hold most of a feature's activation mass.
CREATE TABLE feature_token (
    run_id INTEGER NOT NULL REFERENCES run (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    rank INTEGER NOT NULL,
    token INTEGER NOT NULL,
    firings INTEGER NOT NULL,
    sum REAL NOT NULL,
    PRIMARY KEY (run_id, feature_id, rank)
) STRICT, WITHOUT ROWID;

-- For a hook whose axes are neurons: those a feature aligns with, by decoder weight and by correlation of activations.
CREATE TABLE feature_neuron (
    run_id INTEGER NOT NULL REFERENCES run (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    basis TEXT NOT NULL CHECK (basis IN ('weight', 'correlation')),
    rank INTEGER NOT NULL,
    neuron INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (run_id, feature_id, basis, rank)
) STRICT, WITHOUT ROWID;

-- How well the dictionary stands for the activations, on evenly spaced contexts of the corpus.
CREATE TABLE evaluation (
    run_id INTEGER PRIMARY KEY REFERENCES run (id),
    contexts INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    l0 REAL NOT NULL, -- mean firings a token, on the sample
    mean_squared_error REAL NOT NULL, -- mean over tokens of ‖x − x̂‖²
    explained_variance REAL NOT NULL, -- 1 − Σ‖x − x̂‖² / Σ‖x − mean x‖²
    loss_original REAL NOT NULL, -- nats a predicted token, here and below
    loss_spliced REAL NOT NULL,
    loss_zero_ablated REAL NOT NULL,
    loss_mean_ablated REAL NOT NULL,
    neuron_tokens INTEGER -- the sample behind the neuron correlations; NULL where the hook has no neurons
) STRICT;
