-- What came from elsewhere: exports, dashboards and caches of others.

-- What the postings of a run are. firings: every firing, or the strongest of each feature (keep_top). examples: only those within the example windows
-- that the source had; what is between them is not known, and the corpus is nothing but these windows laid end to end.
ALTER TABLE run ADD COLUMN evidence TEXT NOT NULL DEFAULT 'firings' CHECK (evidence IN ('firings', 'examples'));
-- The share of tokens on which the feature fires, as the source states it; NULL: firings / run.tokens.
ALTER TABLE statistic ADD COLUMN density REAL;
-- 0: the source has nothing of this feature, as where a part of a cache is missing: its 0 firings are no count, and it is not dead.
ALTER TABLE statistic ADD COLUMN is_counted INTEGER NOT NULL DEFAULT 1 CHECK (is_counted IN (0, 1));

-- Where a run that was imported came from, and what of it has no place of ours, so that it can be given back.
CREATE TABLE import_source (
    run_id INTEGER PRIMARY KEY REFERENCES run (id),
    origin TEXT NOT NULL, -- neuronpedia, saedashboard, delphi
    path TEXT NOT NULL, -- as it was named to the import
    prompts INTEGER, -- that the source's numbers are of; NULL: it does not say
    prompt_tokens INTEGER, -- of each
    residue TEXT NOT NULL CHECK (json_valid(residue)) -- an object: the source's own descriptions, and what most of its example rows say alike
) STRICT;

-- What a source says of a feature, a label or an example and this catalogue does not, as JSON that came from there.
CREATE TABLE import_feature (
    feature_id INTEGER PRIMARY KEY REFERENCES feature (id),
    residue TEXT NOT NULL CHECK (json_valid(residue))
) STRICT;
CREATE TABLE import_label (
    label_id INTEGER PRIMARY KEY REFERENCES label (id),
    residue TEXT NOT NULL CHECK (json_valid(residue))
) STRICT;
-- The source's example rows of one feature in one segment, in its order, those without a firing among them.
CREATE TABLE import_example (
    id INTEGER PRIMARY KEY, -- as posting.id: segment_id · 2²⁴ + feature_index
    windows BLOB NOT NULL, -- where they lie, and their activations as they came: see ImportedExamples.swift for its bytes
    residue TEXT NOT NULL -- an array with an object for each
) STRICT;

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

DROP VIEW feature_overview;

-- One row a feature. status: dead (no firing in these tokens), dense (fires on more than a tenth of them), ultralow
-- (density below 10⁻⁶, which takes 10⁸ tokens to say), insufficient (fewer than 10 firings: too few to tell), else alive.
-- Where a source states densities, they decide. Features that were not counted are insufficient, and have no density.
CREATE VIEW feature_overview AS
SELECT
    f.id AS feature_id,
    d.name || '/' || f.feature_index AS feature,
    d.name AS dictionary,
    f.feature_index,
    (SELECT l.text FROM feature_label AS c JOIN label AS l ON l.id = c.label_id WHERE c.feature_id = f.id) AS label,
    CASE
        WHEN s.is_counted = 0 THEN 'insufficient'
        WHEN r.tokens = 0 AND s.density IS NULL THEN 'insufficient'
        WHEN i.run_id IS NOT NULL AND r.evidence = 'examples' AND s.density IS NULL THEN 'insufficient'
        WHEN s.firings = 0 THEN 'dead'
        WHEN coalesce(s.density > 0.1, s.firings > r.tokens * 0.1) THEN 'dense'
        WHEN coalesce(s.density < 1e-6, s.firings < r.tokens * 1e-6) AND r.tokens >= 100000000 THEN 'ultralow'
        WHEN s.firings < 10 THEN 'insufficient'
        ELSE 'alive'
    END AS status,
    s.firings,
    r.tokens,
    coalesce(s.density, iif(i.run_id IS NOT NULL AND r.evidence = 'examples' OR s.is_counted = 0, NULL, CAST(s.firings AS REAL) / nullif(r.tokens, 0))) AS density,
    s.documents,
    s.maximum,
    iif(r.evidence = 'examples' AND (i.run_id IS NOT NULL OR s.density IS NOT NULL), NULL, s.sum / nullif(s.firings, 0)) AS mean_when_active, -- others' examples are the strong ones
    s.sum,
    s.sum_of_squares,
    (SELECT t.text FROM feature_token AS ft JOIN token AS t ON t.tokenizer_id = c.tokenizer_id AND t.token = ft.token
        WHERE ft.run_id = r.id AND ft.feature_id = f.id AND ft.rank = 1) AS top_token,
    (SELECT t.text FROM feature_logit AS fl JOIN token AS t ON t.tokenizer_id = c.tokenizer_id AND t.token = fl.token
        WHERE fl.feature_id = f.id AND fl.rank = 1) AS top_logit_token,
    f.decoder_norm,
    f.activation_scale,
    f.encoder_decoder_cosine,
    s.maximum_position,
    r.id AS run_id
FROM feature AS f
JOIN dictionary AS d ON d.id = f.dictionary_id
JOIN run AS r ON r.dictionary_id = d.id
JOIN corpus AS c ON c.id = r.corpus_id
JOIN statistic AS s ON s.run_id = r.id AND s.feature_id = f.id
LEFT JOIN import_source AS i ON i.run_id = r.id;

DROP VIEW dictionary_overview;

-- One row a dictionary version.
CREATE VIEW dictionary_overview AS
SELECT
    d.id AS dictionary_id,
    d.name AS dictionary,
    d.family,
    d.version,
    m.name AS model,
    d.hook,
    d.architecture,
    d.features,
    d.width,
    CAST(d.features AS REAL) / nullif(d.width, 0) AS expansion_factor,
    c.name AS corpus,
    r.tokens,
    r.firings,
    iif(r.evidence = 'examples' AND (i.run_id IS NOT NULL OR EXISTS (SELECT 1 FROM statistic WHERE run_id = r.id AND density IS NOT NULL)),
        (SELECT sum(density) FROM statistic WHERE run_id = r.id), CAST(r.firings AS REAL) / nullif(r.tokens, 0)) AS l0,
    (SELECT count(*) FROM statistic AS s WHERE s.run_id = r.id AND s.firings = 0 AND s.is_counted AND (r.evidence = 'firings' OR coalesce(s.density = 0, i.run_id IS NULL))) AS dead,
    (SELECT count(*) FROM statistic AS s WHERE s.run_id = r.id AND s.firings > 0 AND coalesce(s.density < 1e-6, s.firings < r.tokens * 1e-6)
        AND r.tokens >= 100000000) AS ultralow,
    3.0 / nullif(r.tokens, 0) AS dead_density_bound, -- with 95 % confidence a dead feature's density is below this
    e.explained_variance,
    (e.loss_zero_ablated - e.loss_spliced) / nullif(e.loss_zero_ablated - e.loss_original, 0) AS loss_recovered,
    (e.loss_mean_ablated - e.loss_spliced) / nullif(e.loss_mean_ablated - e.loss_original, 0) AS loss_recovered_mean_ablated,
    e.loss_original,
    e.loss_spliced,
    e.loss_zero_ablated,
    e.loss_mean_ablated,
    e.tokens AS evaluation_tokens,
    r.context_length,
    r.prepend_bos,
    r.keep_top,
    CASE WHEN r.is_complete THEN 'complete' ELSE 'unfinished' END AS ingest,
    r.engine,
    r.started_at,
    r.finished_at,
    d.weights_sha256,
    m.weights_sha256 AS model_sha256,
    k.sha256 AS tokenizer_sha256,
    r.id AS run_id,
    r.corpus_id,
    d.model_id,
    r.evidence,
    i.origin
FROM dictionary AS d
JOIN model AS m ON m.id = d.model_id
JOIN tokenizer AS k ON k.id = m.tokenizer_id
LEFT JOIN run AS r ON r.dictionary_id = d.id
LEFT JOIN corpus AS c ON c.id = r.corpus_id
LEFT JOIN evaluation AS e ON e.run_id = r.id
LEFT JOIN import_source AS i ON i.run_id = r.id;
