#pragma once
#include <stddef.h>

struct migration { const char *name; const char *sql; };

/// Every file of Migrations/, oldest first.
extern const struct migration *const migrations;
extern const size_t migration_count;
