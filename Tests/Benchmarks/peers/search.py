"""BM25 in Python: rank_bm25 over the words of all features; reading and cutting them up apart from asking. One line of JSON for each query."""
import json, re, sqlite3, sys, time

from rank_bm25 import BM25Okapi

start = time.process_time()
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT label || ' ' || tokens || ' ' || logits || ' ' || topics FROM feature_text ORDER BY rowid").fetchall()
index = BM25Okapi([re.findall(r"\w+", text.lower()) for (text,) in rows], k1=1.2, b=0.75)
ready = time.process_time()
for query in sys.argv[2:]:
    begin = time.process_time()
    scores = index.get_scores([query])
    best = scores.argsort()[::-1][:20]
    print(json.dumps({"what": f"rank_bm25, {query}", "cpu_ms": (time.process_time() - begin) * 1e3, "setup_cpu_ms": (ready - start) * 1e3}))
