// A loadable extension has no SQLite of its own: its host may carry a private copy, and must be called by the table of
// functions that it hands over. Everything above us calls sqlite3_… by name; the functions of those names are here, seen
// by nobody outside the library, and each goes on to the table. A missing one is an error of the linker.
#define SQLITE_CORE 1 // the types and the table's layout, without macros that stand for functions
#include <sqlite3ext.h>
#include <stdatomic.h>
#include <string.h>
#include "sqlite_host.h"

// STRICT tables, of which the catalogue is made, are known to SQLite from this version on; the functions are older.
enum { OLDEST = 3037000 };

static _Atomic(const sqlite3_api_routines *) host;
#define HOST atomic_load_explicit(&host, memory_order_acquire)

static int refuse(const sqlite3_api_routines *table, char **message, const char *reason) {
    if (message) {
        *message = table->malloc((int)strlen(reason) + 1);
        if (*message) strcpy(*message, reason);
    }
    return SQLITE_ERROR;
}

int sqlite_host_adopt(const void *table, char **message) {
    const sqlite3_api_routines *offered = table;
    // An old SQLite's table is shorter than ours: nothing behind these first functions may be touched before this.
    int version = offered->libversion_number();
    if (version < OLDEST) {
        char reason[160] = "monoseme needs SQLite 3.37 or newer; this program has ";
        char digits[40] = "", *at = digits;
        int parts[3] = {version / 1000000, version / 1000 % 1000, version % 1000};
        for (int i = 0; i < 3; i++) {
            int n = parts[i];
            if (i) *at++ = '.';
            if (n >= 100) *at++ = (char)('0' + n / 100 % 10);
            if (n >= 10) *at++ = (char)('0' + n / 10 % 10);
            *at++ = (char)('0' + n % 10);
        }
        strcat(strcat(reason, digits), ": load it into a newer one");
        return refuse(offered, message, reason);
    }
    const sqlite3_api_routines *none = 0;
    if (!atomic_compare_exchange_strong(&host, &none, offered) && none != offered)
        return refuse(offered, message, "another SQLite in this process has loaded this file of monoseme: load a copy of the file instead");
    return SQLITE_OK;
}

#define HIDDEN __attribute__((visibility("hidden")))
#define FORWARD_AS(result, name, member, parameters, arguments) \
    HIDDEN result sqlite3_##name parameters { return HOST->member arguments; }
#define FORWARD(result, name, parameters, arguments) FORWARD_AS(result, name, name, parameters, arguments)
#define FORWARD_VOID_AS(name, member, parameters, arguments) \
    HIDDEN void sqlite3_##name parameters { HOST->member arguments; }
#define FORWARD_VOID(name, parameters, arguments) FORWARD_VOID_AS(name, name, parameters, arguments)

typedef void destructor(void *);
typedef sqlite3_context context;
typedef sqlite3_stmt statement;
typedef sqlite3_value value;

// Connections
FORWARD(int, open_v2, (const char *file, sqlite3 **db, int flags, const char *vfs), (file, db, flags, vfs))
FORWARD(int, close_v2, (sqlite3 *db), (db))
FORWARD(int, busy_timeout, (sqlite3 *db, int ms), (db, ms))
FORWARD(int, exec, (sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *data, char **message), (db, sql, row, data, message))
FORWARD(const char *, errmsg, (sqlite3 *db), (db))
FORWARD(int, extended_errcode, (sqlite3 *db), (db))
FORWARD(sqlite3_int64, last_insert_rowid, (sqlite3 *db), (db))
FORWARD(int, get_autocommit, (sqlite3 *db), (db))
FORWARD(sqlite3_int64, total_changes64, (sqlite3 *db), (db))
FORWARD(int, txn_state, (sqlite3 *db, const char *schema), (db, schema))
FORWARD(const char *, db_filename, (sqlite3 *db, const char *schema), (db, schema))
FORWARD(int, file_control, (sqlite3 *db, const char *schema, int operation, void *data), (db, schema, operation, data))
FORWARD_VOID_AS(interrupt, interruptx, (sqlite3 *db), (db))
FORWARD_VOID(progress_handler, (sqlite3 *db, int steps, int (*stop)(void *), void *data), (db, steps, stop, data))
FORWARD(int, set_authorizer, (sqlite3 *db, int (*judge)(void *, int, const char *, const char *, const char *, const char *), void *data), (db, judge, data))

// Statements
FORWARD(int, prepare_v2, (sqlite3 *db, const char *sql, int bytes, statement **s, const char **tail), (db, sql, bytes, s, tail))
FORWARD(int, prepare_v3, (sqlite3 *db, const char *sql, int bytes, unsigned flags, statement **s, const char **tail), (db, sql, bytes, flags, s, tail))
FORWARD(int, step, (statement *s), (s))
FORWARD(int, reset, (statement *s), (s))
FORWARD(int, finalize, (statement *s), (s))
FORWARD(const char *, sql, (statement *s), (s))
FORWARD(int, stmt_readonly, (statement *s), (s))
FORWARD(int, stmt_isexplain, (statement *s), (s))
FORWARD(int, bind_parameter_count, (statement *s), (s))
FORWARD(const char *, bind_parameter_name, (statement *s, int i), (s, i))
FORWARD(int, bind_null, (statement *s, int i), (s, i))
FORWARD(int, bind_int64, (statement *s, int i, sqlite3_int64 n), (s, i, n))
FORWARD(int, bind_double, (statement *s, int i, double r), (s, i, r))
FORWARD(int, bind_text64, (statement *s, int i, const char *text, sqlite3_uint64 bytes, destructor *end, unsigned char encoding), (s, i, text, bytes, end, encoding))
FORWARD(int, bind_blob64, (statement *s, int i, const void *blob, sqlite3_uint64 bytes, destructor *end), (s, i, blob, bytes, end))
FORWARD(int, bind_pointer, (statement *s, int i, void *pointer, const char *type, destructor *end), (s, i, pointer, type, end))
FORWARD(int, bind_zeroblob, (statement *s, int i, int bytes), (s, i, bytes))
FORWARD(int, column_count, (statement *s), (s))
FORWARD(const char *, column_name, (statement *s, int i), (s, i))
FORWARD(int, column_type, (statement *s, int i), (s, i))
FORWARD(sqlite3_int64, column_int64, (statement *s, int i), (s, i))
FORWARD(double, column_double, (statement *s, int i), (s, i))
FORWARD(const unsigned char *, column_text, (statement *s, int i), (s, i))
FORWARD(const void *, column_blob, (statement *s, int i), (s, i))
FORWARD(int, column_bytes, (statement *s, int i), (s, i))

// Blobs in place
FORWARD(int, blob_open, (sqlite3 *db, const char *schema, const char *table, const char *column, sqlite3_int64 row, int flags, sqlite3_blob **b), (db, schema, table, column, row, flags, b))
FORWARD(int, blob_reopen, (sqlite3_blob *b, sqlite3_int64 row), (b, row))
FORWARD(int, blob_bytes, (sqlite3_blob *b), (b))
FORWARD(int, blob_read, (sqlite3_blob *b, void *bytes, int count, int offset), (b, bytes, count, offset))
FORWARD(int, blob_close, (sqlite3_blob *b), (b))

// Functions
FORWARD(int, create_function_v2, (sqlite3 *db, const char *name, int arguments, int flags, void *data, void (*f)(context *, int, value **),
        void (*step)(context *, int, value **), void (*final)(context *), destructor *end), (db, name, arguments, flags, data, f, step, final, end))
FORWARD(void *, user_data, (context *c), (c))
FORWARD(int, value_type, (value *v), (v))
FORWARD(sqlite3_int64, value_int64, (value *v), (v))
FORWARD(double, value_double, (value *v), (v))
FORWARD(const unsigned char *, value_text, (value *v), (v))
FORWARD(const void *, value_blob, (value *v), (v))
FORWARD(int, value_bytes, (value *v), (v))
FORWARD_VOID(result_null, (context *c), (c))
FORWARD_VOID(result_int64, (context *c, sqlite3_int64 n), (c, n))
FORWARD_VOID(result_double, (context *c, double r), (c, r))
FORWARD_VOID(result_text, (context *c, const char *text, int bytes, destructor *end), (c, text, bytes, end))
FORWARD_VOID(result_blob, (context *c, const void *blob, int bytes, destructor *end), (c, blob, bytes, end))
FORWARD_VOID(result_zeroblob, (context *c, int bytes), (c, bytes))
FORWARD_VOID(result_error, (context *c, const char *text, int bytes), (c, text, bytes))
FORWARD_VOID(result_error_code, (context *c, int code), (c, code))

// Table functions
FORWARD(int, create_module_v2, (sqlite3 *db, const char *name, const sqlite3_module *module, void *data, destructor *end), (db, name, module, data, end))
FORWARD(int, declare_vtab, (sqlite3 *db, const char *sql), (db, sql))
HIDDEN int sqlite3_vtab_config(sqlite3 *db, int option, ...) { return HOST->vtab_config(db, option); } // our options take no argument

// Memory and text
FORWARD(void *, malloc64, (sqlite3_uint64 bytes), (bytes))
FORWARD_VOID(free, (void *memory), (memory))
FORWARD(int, stricmp, (const char *a, const char *b), (a, b))
