-- The public SQL: what the commands, the export and everybody else's tools read. Columns here are a promise.

CREATE VIEW label_current AS
SELECT l.id AS label_id, l.feature_id, d.name || '/' || f.feature_index AS feature, l.text AS label, l.author, l.created_at
FROM label AS l
JOIN feature AS f ON f.id = l.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id
WHERE l.id = (SELECT max(id) FROM label WHERE feature_id = l.feature_id);

CREATE VIEW label_history AS
SELECT l.id AS label_id, l.feature_id, d.name || '/' || f.feature_index AS feature, l.text AS label, l.author, l.created_at, l.supersedes,
    l.id = (SELECT max(id) FROM label WHERE feature_id = l.feature_id) AS is_current
FROM label AS l
JOIN feature AS f ON f.id = l.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id;

-- One row a feature. status: dead (no firing in these tokens), dense (fires on more than a tenth of them), ultralow
-- (density below 10⁻⁶, which takes 10⁸ tokens to say), insufficient (fewer than 10 firings: too few to tell), else alive.
CREATE VIEW feature_overview AS
SELECT
    f.id AS feature_id,
    d.name || '/' || f.feature_index AS feature,
    d.name AS dictionary,
    f.feature_index,
    (SELECT text FROM label WHERE label.feature_id = f.id ORDER BY label.id DESC LIMIT 1) AS label,
    CASE
        WHEN r.tokens = 0 THEN 'insufficient'
        WHEN s.firings = 0 THEN 'dead'
        WHEN s.firings > r.tokens * 0.1 THEN 'dense'
        WHEN s.firings < r.tokens * 1e-6 AND r.tokens >= 100000000 THEN 'ultralow'
        WHEN s.firings < 10 THEN 'insufficient'
        ELSE 'alive'
    END AS status,
    s.firings,
    r.tokens,
    CAST(s.firings AS REAL) / nullif(r.tokens, 0) AS density,
    s.documents,
    s.maximum,
    s.sum / nullif(s.firings, 0) AS mean_when_active,
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
JOIN statistic AS s ON s.run_id = r.id AND s.feature_id = f.id;

-- One row for each feature and topic it fires on. share: of the feature's firings; lift: rate against the rate everywhere.
CREATE VIEW topic_rate AS
SELECT
    ft.feature_id,
    d.name || '/' || f.feature_index AS feature,
    d.name AS dictionary,
    t.name AS topic,
    ft.firings,
    t.tokens AS topic_tokens,
    CAST(ft.firings AS REAL) / nullif(t.tokens, 0) AS rate,
    CAST(ft.firings AS REAL) / nullif(s.firings, 0) AS share,
    (CAST(ft.firings AS REAL) / nullif(t.tokens, 0)) / nullif(CAST(s.firings AS REAL) / nullif(r.tokens, 0), 0) AS lift,
    ft.sum / nullif(ft.firings, 0) AS mean_when_active,
    ft.maximum,
    ft.documents AS documents_firing,
    t.documents AS topic_documents,
    ft.threshold,
    ft.precision,
    ft.recall,
    ft.f1,
    ft.run_id,
    ft.topic_id
FROM feature_topic AS ft
JOIN topic AS t ON t.id = ft.topic_id
JOIN feature AS f ON f.id = ft.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id
JOIN run AS r ON r.id = ft.run_id
JOIN statistic AS s ON s.run_id = ft.run_id AND s.feature_id = ft.feature_id;

-- The strongest firings, with where they stand. The firing token itself is in `monoseme sql`'s context(corpus_id, position, window).
CREATE VIEW example AS
SELECT
    e.feature_id,
    d.name || '/' || f.feature_index AS feature,
    d.name AS dictionary,
    e.rank,
    e.value AS activation,
    e.position,
    r.corpus_id,
    doc.ordinal AS document,
    e.position - doc.first_position AS position_in_document,
    t.name AS topic,
    source.path AS source,
    doc.line
FROM feature_example AS e
JOIN feature AS f ON f.id = e.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id
JOIN run AS r ON r.id = e.run_id
JOIN document AS doc ON doc.corpus_id = r.corpus_id
    AND doc.first_position = (SELECT max(first_position) FROM document WHERE corpus_id = r.corpus_id AND first_position <= e.position)
JOIN topic AS t ON t.id = doc.topic_id
JOIN source ON source.id = doc.source_id;

-- Tokens whose logits a feature raises (rank > 0) or lowers (rank < 0).
CREATE VIEW logit AS
SELECT fl.feature_id, d.name || '/' || f.feature_index AS feature, d.name AS dictionary, fl.rank, fl.token, t.text AS token_text, fl.value
FROM feature_logit AS fl
JOIN feature AS f ON f.id = fl.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id
JOIN model AS m ON m.id = d.model_id
LEFT JOIN token AS t ON t.tokenizer_id = m.tokenizer_id AND t.token = fl.token;

-- Neurons a feature aligns with.
CREATE VIEW neuron AS
SELECT fn.feature_id, d.name || '/' || f.feature_index AS feature, d.name AS dictionary, fn.basis, fn.rank, fn.neuron, fn.value
FROM feature_neuron AS fn
JOIN feature AS f ON f.id = fn.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id;

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
    CAST(d.features AS REAL) / d.width AS expansion_factor,
    c.name AS corpus,
    r.tokens,
    r.firings,
    CAST(r.firings AS REAL) / nullif(r.tokens, 0) AS l0,
    (SELECT count(*) FROM statistic WHERE run_id = r.id AND statistic.firings = 0) AS dead,
    (SELECT count(*) FROM statistic WHERE run_id = r.id AND statistic.firings > 0 AND statistic.firings < r.tokens * 1e-6
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
    d.model_id
FROM dictionary AS d
JOIN model AS m ON m.id = d.model_id
JOIN tokenizer AS k ON k.id = m.tokenizer_id
LEFT JOIN run AS r ON r.dictionary_id = d.id
LEFT JOIN corpus AS c ON c.id = r.corpus_id
LEFT JOIN evaluation AS e ON e.run_id = r.id;

-- One row a document.
CREATE VIEW document_overview AS
SELECT c.name AS corpus, doc.ordinal AS document, t.name AS topic, doc.tokens, doc.first_position, source.path AS source, doc.line, doc.corpus_id
FROM document AS doc
JOIN corpus AS c ON c.id = doc.corpus_id
JOIN topic AS t ON t.id = doc.topic_id
JOIN source ON source.id = doc.source_id;
