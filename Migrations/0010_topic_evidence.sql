-- Evidence about topics whose unit is the document: tokens of one document are not independent.
-- See Sources/FeatureCatalogue/Topics/TopicEvidence.swift for the definitions.

-- Pairs of a feature and a topic that were tested, those without a firing included: what q corrects for. NULL: the evidence of
-- this run has not been counted, because it is unfinished or because an older version finished it.
ALTER TABLE run ADD COLUMN topic_tests INTEGER;

-- How far the rate on the topic's documents lies above the rate on the others (below: negative), in standard deviations. NULL: the
-- topic or the rest of the corpus has fewer than two documents, or firings of the feature were left out (keep_top).
ALTER TABLE feature_topic ADD COLUMN z REAL;
-- Benjamini and Hochberg's: the false discovery rate if this and all smaller q are believed, over all tests of the run. NULL where z is.
ALTER TABLE feature_topic ADD COLUMN q REAL;
-- On held-out documents: the chance that one of the topic has a stronger firing than one of another. NULL: there is not one of each,
-- or firings were left out.
ALTER TABLE feature_topic ADD COLUMN auroc REAL;

-- What older versions wrote here was measured on the documents that chose the threshold. From now on half of each topic's
-- documents (the first, third, …) choose it, and precision, recall and F1 are those of the other half. NULL: the topic has
-- one document, or the feature fires on none of those that choose.
UPDATE feature_topic SET threshold = NULL, precision = NULL, recall = NULL, f1 = NULL;

DROP VIEW topic_rate;

-- One row for each feature and topic it fires on.
CREATE VIEW topic_rate AS
SELECT
    ft.feature_id,
    d.name || '/' || f.feature_index AS feature,
    d.name AS dictionary,
    t.name AS topic,
    ft.firings, -- of the feature on tokens of the topic
    t.tokens AS topic_tokens,
    CAST(ft.firings AS REAL) / nullif(t.tokens, 0) AS rate, -- firings a token of the topic
    CAST(ft.firings AS REAL) / nullif(s.firings, 0) AS share, -- of all the feature's firings, the part on the topic
    (CAST(ft.firings AS REAL) / nullif(t.tokens, 0)) / nullif(CAST(s.firings AS REAL) / nullif(r.tokens, 0), 0) AS lift, -- rate, against the rate everywhere
    ft.sum / nullif(ft.firings, 0) AS mean_when_active,
    ft.maximum,
    ft.documents AS documents_firing, -- of the topic's, those with a firing
    t.documents AS topic_documents,
    ft.threshold, -- of the detector "the document holds a firing at least this strong", chosen on half of the documents
    ft.precision, -- on the other half: of the documents that it takes, those of the topic
    ft.recall, -- on the other half: of the topic's documents, those that it takes
    ft.f1, -- on the other half
    ft.run_id,
    ft.topic_id,
    ft.sum / nullif(s.sum, 0) AS mass_specificity, -- of all the feature's summed activation, the part on the topic
    ft.z, -- of the rate on the topic's documents against the rate on the others
    ft.q, -- false discovery rate at this z, over r.topic_tests pairs
    ft.auroc -- of the strongest firing in a document, on the other half
FROM feature_topic AS ft
JOIN topic AS t ON t.id = ft.topic_id
JOIN feature AS f ON f.id = ft.feature_id
JOIN dictionary AS d ON d.id = f.dictionary_id
JOIN run AS r ON r.id = ft.run_id
JOIN statistic AS s ON s.run_id = ft.run_id AND s.feature_id = ft.feature_id;
