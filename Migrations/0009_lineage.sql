-- Feature-splitting lineage: which features of a larger dictionary version came of which of a smaller one. Thresholds and kinds
-- are those of Sources/FeatureCatalogue/Lineage/LineageRule.swift.

-- One pair of versions, the smaller first: lineage runs from coarse to fine and so has no cycles.
CREATE TABLE lineage_build (
    id INTEGER PRIMARY KEY,
    coarse_id INTEGER NOT NULL REFERENCES dictionary (id),
    fine_id INTEGER NOT NULL REFERENCES dictionary (id),
    corpus_id INTEGER REFERENCES corpus (id), -- whose tokens are the evidence of activations; NULL: there is none
    has_decoder_evidence INTEGER NOT NULL, -- 0: the decoder vectors stand in different spaces
    rules INTEGER NOT NULL, -- the version of thresholds and confidence
    features_done INTEGER NOT NULL DEFAULT 0, -- fine features before this index have been judged
    families_done INTEGER NOT NULL DEFAULT 0, -- coarse features before this index have had their families measured
    is_complete INTEGER NOT NULL DEFAULT 0,
    engine TEXT NOT NULL, -- the version of monoseme that made it
    started_at TEXT NOT NULL,
    finished_at TEXT,
    UNIQUE (coarse_id, fine_id)
) STRICT;

-- Two features that belong together, and the evidence: every pair that at least the weakest tier's rule names. As many rows as
-- there are: they refer to features without REFERENCES, as feature_neighbour does.
CREATE TABLE lineage_edge (
    build_id INTEGER NOT NULL REFERENCES lineage_build (id),
    child_id INTEGER NOT NULL, -- of feature, in the fine version
    parent_id INTEGER NOT NULL, -- in the coarse
    kind TEXT NOT NULL CHECK (kind IN ('same', 'split', 'absorbed', 'merge-and', 'merge-or', 'overlap')),
    tier TEXT NOT NULL CHECK (tier IN ('asserted', 'likely', 'candidate')),
    confidence REAL NOT NULL, -- the probability that the parent's meaning holds the child's
    parent_firings INTEGER NOT NULL,
    child_firings INTEGER NOT NULL,
    firings_together INTEGER, -- tokens on which both fire; NULL, with what follows from it, without evidence of activations
    coverage_low REAL, -- the lower end of Wilson's 95 % interval of firings_together / child_firings
    mass_coverage REAL, -- of the child's summed activation, the part on tokens where the parent fires
    mass_coverage_low REAL, -- the lower end of its interval, at (Σ f)² / Σ f² firings
    mass_keep REAL, -- of the parent's summed activation, the part on tokens where the child fires
    masked_cosine REAL, -- Towards Monosemanticity's
    activation_correlation REAL, -- Pearson's, over all tokens
    decoder_cosine REAL, -- NULL across models or hook points
    containment REAL, -- ρ: decoder_cosine · the child's mean when active / the parent's
    weight REAL, -- of the child in the least squares of its family; NULL for candidates
    share REAL, -- of the parent's summed squared activation, what the fit loses without this child
    PRIMARY KEY (build_id, child_id, parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_edge_parent ON lineage_edge (parent_id, build_id);

-- What is said of a feature by itself, of both versions.
CREATE TABLE lineage_feature (
    build_id INTEGER NOT NULL REFERENCES lineage_build (id),
    feature_id INTEGER NOT NULL, -- of feature
    -- novel: a fine feature that no coarse one explains. vanished: a coarse one that no fine one carries on. noise: fires too rarely to be judged.
    kind TEXT CHECK (kind IN ('novel', 'vanished', 'noise')),
    best_coverage REAL, -- of a fine feature: the greatest (mass_coverage − P(p)) / (1 − P(p)) of all coarse ones
    best_cosine REAL, -- and the greatest decoder cosine
    children INTEGER, -- of a coarse feature: its edges above candidate
    union_coverage REAL, -- of its firings, those on which a child fires
    explained REAL, -- of its summed squared activation, what non-negative least squares on its children's activations explain
    PRIMARY KEY (build_id, feature_id)
) STRICT, WITHOUT ROWID;

-- The public view: one row an edge. `coverage`: P(parent fires | child fires). `keep`: P(child fires | parent fires).
CREATE VIEW lineage AS
SELECT
    p.name || '/' || (e.parent_id & 4294967295) AS parent,
    c.name || '/' || (e.child_id & 4294967295) AS child,
    e.kind,
    e.tier,
    e.confidence,
    CAST(e.firings_together AS REAL) / nullif(e.child_firings, 0) AS coverage,
    e.coverage_low,
    CAST(e.firings_together AS REAL) / nullif(e.parent_firings, 0) AS keep,
    e.mass_coverage,
    e.mass_coverage_low,
    e.mass_keep,
    e.masked_cosine,
    e.activation_correlation,
    e.decoder_cosine,
    e.containment,
    e.weight,
    e.share,
    e.parent_firings,
    e.child_firings,
    e.firings_together,
    p.name AS parent_dictionary,
    c.name AS child_dictionary,
    e.parent_id,
    e.child_id,
    e.build_id
FROM lineage_edge AS e
JOIN lineage_build AS b ON b.id = e.build_id
JOIN dictionary AS p ON p.id = b.coarse_id
JOIN dictionary AS c ON c.id = b.fine_id;

-- One row for each feature and pair of versions.
CREATE VIEW lineage_node AS
SELECT
    d.name || '/' || (n.feature_id & 4294967295) AS feature,
    n.kind,
    n.children,
    n.union_coverage,
    n.explained,
    n.best_coverage,
    n.best_cosine,
    p.name AS parent_dictionary,
    c.name AS child_dictionary,
    n.feature_id,
    n.build_id
FROM lineage_feature AS n
JOIN lineage_build AS b ON b.id = n.build_id
JOIN dictionary AS p ON p.id = b.coarse_id
JOIN dictionary AS c ON c.id = b.fine_id
JOIN dictionary AS d ON d.id = n.feature_id >> 32;

-- Labels of kin, as suggestions for features that have none of their own: one row for each feature and labelled source. A label goes down
-- every edge above candidate, for the parent's meaning holds the child's, or up such edges of kind same; over several versions with confidences
-- multiplied, and not up and down again, which would hand it to siblings. It ends at features that have a label: what a nearer one says goes before.
-- kind: same where all edges on the way are, else that of the last one that is not; tier: the weakest. The surest way counts.
CREATE VIEW label_suggestion AS
WITH RECURSIVE way (feature_id, source_id, is_down, kind, tier, confidence, steps) AS (
    SELECT DISTINCT feature_id, feature_id, NULL, 'same', 'asserted', 1.0, 0 FROM label
    UNION ALL
    SELECT e.child_id, w.source_id, 1, iif(e.kind = 'same', w.kind, e.kind), iif(e.tier = 'asserted', w.tier, e.tier), w.confidence * min(1.0, max(0.0, e.confidence)), w.steps + 1
    FROM way AS w
    CROSS JOIN lineage_edge AS e ON e.parent_id = w.feature_id
    WHERE w.steps < 8 AND w.is_down IS NOT 0 AND e.tier <> 'candidate' AND NOT EXISTS (SELECT 1 FROM label WHERE feature_id = e.child_id)
    UNION ALL
    SELECT e.parent_id, w.source_id, 0, w.kind, iif(e.tier = 'asserted', w.tier, e.tier), w.confidence * min(1.0, max(0.0, e.confidence)), w.steps + 1
    FROM way AS w
    CROSS JOIN lineage_build AS b
    CROSS JOIN lineage_edge AS e ON e.build_id = b.id AND e.child_id = w.feature_id
    WHERE w.steps < 8 AND w.is_down IS NOT 1 AND e.kind = 'same' AND e.tier <> 'candidate' AND NOT EXISTS (SELECT 1 FROM label WHERE feature_id = e.parent_id)
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
