#include "assets.h"

static const char m0001[] = {
#embed "../../Migrations/0001_corpus.sql" suffix(, 0)
};
static const char m0002[] = {
#embed "../../Migrations/0002_dictionary.sql" suffix(, 0)
};
static const char m0003[] = {
#embed "../../Migrations/0003_activation.sql" suffix(, 0)
};
static const char m0004[] = {
#embed "../../Migrations/0004_label.sql" suffix(, 0)
};
static const char m0005[] = {
#embed "../../Migrations/0005_views.sql" suffix(, 0)
};
static const char m0006[] = {
#embed "../../Migrations/0006_vector_index.sql" suffix(, 0)
};
static const char m0007[] = {
#embed "../../Migrations/0007_neighbour.sql" suffix(, 0)
};
static const char m0008[] = {
#embed "../../Migrations/0008_example.sql" suffix(, 0)
};
static const char m0009[] = {
#embed "../../Migrations/0009_lineage.sql" suffix(, 0)
};
static const char m0010[] = {
#embed "../../Migrations/0010_topic_evidence.sql" suffix(, 0)
};
static const char m0011[] = {
#embed "../../Migrations/0011_predicate.sql" suffix(, 0)
};
static const char m0012[] = {
#embed "../../Migrations/0012_label_ledger.sql" suffix(, 0)
};
static const char m0013[] = {
#embed "../../Migrations/0013_label_score.sql" suffix(, 0)
};
static const char m0014[] = {
#embed "../../Migrations/0014_search.sql" suffix(, 0)
};
static const char m0015[] = {
#embed "../../Migrations/0015_import.sql" suffix(, 0)
};

static const struct migration list[] = {
    {"0001_corpus", m0001},
    {"0002_dictionary", m0002},
    {"0003_activation", m0003},
    {"0004_label", m0004},
    {"0005_views", m0005},
    {"0006_vector_index", m0006},
    {"0007_neighbour", m0007},
    {"0008_example", m0008},
    {"0009_lineage", m0009},
    {"0010_topic_evidence", m0010},
    {"0011_predicate", m0011},
    {"0012_label_ledger", m0012},
    {"0013_label_score", m0013},
    {"0014_search", m0014},
    {"0015_import", m0015},
};
const struct migration *const migrations = list;
const size_t migration_count = sizeof list / sizeof *list;
