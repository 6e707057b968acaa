#pragma once
#include <sqlite3.h>

// Swift imports no macro that computes; these are the ones we name.
static inline sqlite3_destructor_type csqlite_transient(void) { return SQLITE_TRANSIENT; }
static inline sqlite3_destructor_type csqlite_static(void) { return SQLITE_STATIC; }

// Nor functions of variable arguments.
static inline int csqlite_vtab_is_direct_only(sqlite3 *db) { return sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY); }

/// A virtual table and a cursor over it as SQLite allocates and passes them, each with what Swift keeps beside.
typedef struct { sqlite3_vtab base; void *function; } csqlite_table;
typedef struct { sqlite3_vtab_cursor base; void *state; } csqlite_cursor;
