-- Neighbour graphs: for every feature of one dictionary version its k nearest in another, or in its own.

-- A graph cannot go stale: a dictionary's name is bound to its weights, and its decoder rows are never written again.
CREATE TABLE neighbour_graph (
    id INTEGER PRIMARY KEY,
    dictionary_id INTEGER NOT NULL REFERENCES dictionary (id),
    target_id INTEGER NOT NULL REFERENCES dictionary (id), -- whose features are found; of the same model and hook point
    k INTEGER NOT NULL CHECK (k > 0),
    neighbours INTEGER NOT NULL, -- of each feature: k, or all there are where that is fewer; a decoder row of zeros has and is none
    features_done INTEGER NOT NULL DEFAULT 0, -- those before this index have their neighbours
    is_complete INTEGER NOT NULL DEFAULT 0,
    engine TEXT NOT NULL, -- the version of monoseme that made it
    started_at TEXT NOT NULL,
    finished_at TEXT,
    UNIQUE (dictionary_id, target_id, k) -- one, but for the time in which a larger one is being made
) STRICT;

-- Rank 1 is the nearest. Two million rows are usual: they refer to features and graphs without REFERENCES, which would look
-- each of them up three times; `monoseme check` does.
CREATE TABLE feature_neighbour (
    feature_id INTEGER NOT NULL,
    graph_id INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    neighbour_id INTEGER NOT NULL, -- of feature
    cosine REAL NOT NULL, -- of the unit decoder rows: summed in double precision, rounded to single
    PRIMARY KEY (feature_id, graph_id, rank)
) STRICT, WITHOUT ROWID;

-- What an unfinished graph of a dictionary in itself has seen of features whose turn has not come: see NeighbourCarry.swift
-- for its bytes. Gone when the graph is complete.
CREATE TABLE neighbour_carry (
    graph_id INTEGER NOT NULL REFERENCES neighbour_graph (id),
    first_index INTEGER NOT NULL,
    candidates BLOB NOT NULL,
    checksum INTEGER NOT NULL, -- of candidates
    PRIMARY KEY (graph_id, first_index)
) STRICT;

-- A feature's nearest in each dictionary that a graph was made for; of the larger one where two are complete, of a complete one
-- while a larger one is being made.
CREATE VIEW neighbour AS
SELECT
    n.feature_id,
    d.name || '/' || f.feature_index AS feature,
    d.name AS dictionary,
    n.rank,
    t.name || '/' || g.feature_index AS neighbour,
    t.name AS neighbour_dictionary,
    n.cosine,
    n.neighbour_id
FROM feature_neighbour AS n
JOIN neighbour_graph AS h ON h.id = n.graph_id
JOIN feature AS f ON f.id = n.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id
JOIN feature AS g ON g.id = n.neighbour_id
JOIN dictionary AS t ON t.id = g.dictionary_id
WHERE NOT EXISTS (
    SELECT 1 FROM neighbour_graph AS other
    WHERE other.dictionary_id = h.dictionary_id AND other.target_id = h.target_id AND (other.is_complete, other.k) > (h.is_complete, h.k)
);
