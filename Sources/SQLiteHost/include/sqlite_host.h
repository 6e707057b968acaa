#pragma once
#include <sqlite3.h>

/// Routes every `sqlite3_…` call made in this library to the SQLite that loads it, whose functions `table` lists
/// (a `sqlite3_api_routines`).
///
/// Returns SQLITE_OK; or SQLITE_ERROR, with the reason in `*message` (freed by the host), when that SQLite is older
/// than the functions we call, or another one in this process has loaded this same library file already.
int sqlite_host_adopt(const void *table, char **message);
