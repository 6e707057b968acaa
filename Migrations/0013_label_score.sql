-- Scores of labels, each with the rows it was counted from, and what was said to and by language models.

-- One question to a language model and its answer. Kept as soon as it is there, and found again by what was asked, so that nothing is paid for twice.
-- Keys and other headers are not part of it.
CREATE TABLE model_call (
    id INTEGER PRIMARY KEY,
    request_sha256 TEXT NOT NULL UNIQUE, -- of the request
    request TEXT NOT NULL CHECK (json_valid(request)), -- the body that was sent: model, messages, parameters
    endpoint TEXT NOT NULL, -- its URL without user and query
    purpose TEXT NOT NULL, -- explain, detection, fuzzing, simulation
    feature_id INTEGER NOT NULL REFERENCES feature (id), -- on whose behalf
    answer TEXT NOT NULL, -- the message's content, as it came
    problem TEXT, -- why it is no answer to what was asked; NULL: it is one
    prompt_tokens INTEGER NOT NULL, -- as the endpoint metered them, or counted here where it does not say
    completion_tokens INTEGER NOT NULL,
    is_metered INTEGER NOT NULL, -- 1: the endpoint's own numbers
    cost REAL NOT NULL, -- US dollars, by the prices of that day
    attempts INTEGER NOT NULL, -- with this one: those before failed and were not answered
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX model_call_feature ON model_call (feature_id, id);
CREATE TRIGGER model_call_is_never_removed BEFORE DELETE ON model_call BEGIN
    SELECT RAISE (ABORT, 'answers that were paid for are kept: nothing is removed');
END;

-- A label judged once, by one method. What is counted from tokens of the whole corpus stands here; what was judged example by example,
-- in label_judgement, from which the view label_score_overview counts.
CREATE TABLE label_score (
    id INTEGER PRIMARY KEY,
    label_id INTEGER NOT NULL REFERENCES label (id), -- whose words were judged
    feature_id INTEGER NOT NULL REFERENCES feature (id), -- by whose activations: the label's own feature, unless this is a baseline
    method TEXT NOT NULL, -- rule, detection, fuzzing, simulation, or what an import calls it
    baseline TEXT CHECK (baseline IN ('random-label', 'shuffled-feature')), -- NULL: the label on its own feature
    judge TEXT, -- the model that judged; NULL: counted
    prompt_id INTEGER REFERENCES prompt (id),
    parameters TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(parameters)),
    value REAL, -- rule: F1; detection, fuzzing: balanced accuracy; simulation: Pearson's correlation; NULL: undefined
    low REAL, -- 95 % interval
    high REAL,
    true_positives INTEGER, -- rule: tokens on which it holds and the feature fires; NULL with the three below: see label_judgement
    false_positives INTEGER,
    false_negatives INTEGER,
    true_negatives INTEGER,
    precision_low REAL, -- rule: 95 % intervals, by documents
    precision_high REAL,
    recall_low REAL,
    recall_high REAL,
    calls INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cost REAL NOT NULL DEFAULT 0,
    basis_id INTEGER REFERENCES label_basis (id),
    author TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX label_score_label ON label_score (label_id, id);
CREATE INDEX label_score_feature ON label_score (feature_id, id);
CREATE TRIGGER label_score_is_never_changed BEFORE UPDATE ON label_score BEGIN
    SELECT RAISE (ABORT, 'scores are part of the ledger: score again instead of changing one');
END;
CREATE TRIGGER label_score_is_never_replaced BEFORE INSERT ON label_score WHEN EXISTS (SELECT 1 FROM label_score WHERE id = NEW.id) BEGIN
    SELECT RAISE (ABORT, 'scores are part of the ledger: score again instead of changing one');
END;
CREATE TRIGGER label_score_is_never_removed BEFORE DELETE ON label_score BEGIN
    SELECT RAISE (ABORT, 'scores are part of the ledger: nothing is removed');
END;

-- One example of a score, and what the judge made of it.
CREATE TABLE label_judgement (
    score_id INTEGER NOT NULL REFERENCES label_score (id),
    ordinal INTEGER NOT NULL, -- from 0
    label_id INTEGER NOT NULL, -- of the score
    first_position INTEGER, -- of the window, which must be one of the label's test examples; NULL for scores that came without a corpus
    role TEXT NOT NULL DEFAULT 'test' CHECK (role = 'test'),
    is_true INTEGER NOT NULL, -- detection: the feature fires in the window; fuzzing: the marks are its own
    verdict INTEGER, -- what the judge said, 0 or 1; NULL: no usable answer, or not a question of yes and no
    probability REAL,
    detail TEXT CHECK (detail IS NULL OR json_valid(detail)), -- fuzzing: the tokens marked; simulation: the activations predicted and the true ones
    call_id INTEGER REFERENCES model_call (id),
    PRIMARY KEY (score_id, ordinal),
    FOREIGN KEY (label_id, first_position, role) REFERENCES label_example (label_id, first_position, role)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER label_judgement_is_never_changed BEFORE UPDATE ON label_judgement BEGIN
    SELECT RAISE (ABORT, 'scores are part of the ledger: score again instead of changing one');
END;
CREATE TRIGGER label_judgement_is_never_removed BEFORE DELETE ON label_judgement BEGIN
    SELECT RAISE (ABORT, 'scores are part of the ledger: nothing is removed');
END;

-- Features that were to be labelled or scored and were not, with the reason.
CREATE TABLE label_omission (
    feature_id INTEGER NOT NULL REFERENCES feature (id),
    purpose TEXT NOT NULL, -- explain, detection, fuzzing, simulation
    reason TEXT NOT NULL, -- too few examples: 7 of 20
    basis_id INTEGER REFERENCES label_basis (id),
    created_at TEXT NOT NULL,
    PRIMARY KEY (feature_id, purpose)
) STRICT, WITHOUT ROWID;

-- One row a score. Counts of what was judged example by example are counted here, from the examples, each time.
CREATE VIEW label_score_overview AS
SELECT
    s.id AS score_id,
    s.label_id,
    s.feature_id,
    d.name || '/' || (s.feature_id & 4294967295) AS feature,
    l.text AS label,
    s.method,
    s.baseline,
    s.judge,
    s.value,
    s.low,
    s.high,
    coalesce(s.true_positives, (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id AND j.is_true = 1 AND j.verdict = 1)) AS true_positives,
    coalesce(s.false_positives, (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id AND j.is_true = 0 AND j.verdict = 1)) AS false_positives,
    coalesce(s.false_negatives, (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id AND j.is_true = 1 AND j.verdict = 0)) AS false_negatives,
    coalesce(s.true_negatives, (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id AND j.is_true = 0 AND j.verdict = 0)) AS true_negatives,
    (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id) AS examples,
    (SELECT count(*) FROM label_judgement AS j WHERE j.score_id = s.id AND j.verdict IS NULL) AS unanswered, -- of the examples of detection and fuzzing
    -- Of the counts above: half the sum of the rates at which true ones are called true and false ones false.
    (SELECT (sum(j.is_true = 1 AND j.verdict = 1) * 1.0 / nullif(sum(j.is_true = 1 AND j.verdict IS NOT NULL), 0)
        + sum(j.is_true = 0 AND j.verdict = 0) * 1.0 / nullif(sum(j.is_true = 0 AND j.verdict IS NOT NULL), 0)) / 2
        FROM label_judgement AS j WHERE j.score_id = s.id) AS balanced_accuracy,
    s.precision_low,
    s.precision_high,
    s.recall_low,
    s.recall_high,
    s.calls,
    s.prompt_tokens,
    s.completion_tokens,
    s.cost, -- US dollars
    iif(s.basis_id IS NOT NULL AND s.basis_id NOT IN (SELECT basis_id FROM label_basis_current), 1, 0) AS is_stale,
    s.author,
    s.created_at,
    d.name AS dictionary,
    s.parameters -- rule: the rule, above which activation a token counts as a firing, and the documents that were counted
FROM label_score AS s
JOIN label AS l ON l.id = s.label_id
JOIN dictionary AS d ON d.id = s.feature_id >> 32;
