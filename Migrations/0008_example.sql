-- The same columns and rows in an order of reading that the planner may not change: it began with the product of sources,
-- dictionaries and topics, and asked for the examples of every feature once for each. Runs are few and examples lie in
-- order of run and feature, so that a dictionary's or a feature's are found at once.
DROP VIEW example;

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
FROM dictionary AS d
CROSS JOIN run AS r ON r.dictionary_id = d.id
CROSS JOIN feature_example AS e ON e.run_id = r.id
CROSS JOIN feature AS f ON f.id = e.feature_id
CROSS JOIN document AS doc ON doc.corpus_id = r.corpus_id
    AND doc.first_position = (SELECT max(first_position) FROM document WHERE corpus_id = r.corpus_id AND first_position <= e.position)
CROSS JOIN topic AS t ON t.id = doc.topic_id
CROSS JOIN source ON source.id = doc.source_id;
