#pragma once
#include <stddef.h>
#include <stdint.h>

// Rows of examples as JSON, read straight into token numbers and activations: strings are looked up where they stand, and what is not
// wanted is passed over. The text must be followed by 64 bytes that may be read, whatever they hold.

/// Why a text is not what it should be. Below 0 in results.
enum {
    KERNEL_JSON_SYNTAX = -1,      // not JSON
    KERNEL_JSON_DEEP = -2,        // nested more than 64 deep
    KERNEL_JSON_NOT_A_NUMBER = -3, // NaN or Infinity, which Python writes and JSON does not know
    KERNEL_JSON_TOKENS = -4,      // `tokens` is no array of strings
    KERNEL_JSON_VALUES = -5,      // `values` is no array of numbers that a float can hold
    KERNEL_JSON_LENGTHS = -6,     // as many values as tokens are wanted
    KERNEL_JSON_MISSING = -7,     // a needed member is not there; `missing` says which
    KERNEL_JSON_STRANGER = -8,    // a member is not what all rows must have; `missing` says which
    KERNEL_JSON_INDEX = -9,       // `index` is no number of a feature
    KERNEL_JSON_TWICE = -10,      // a member stands there twice
    KERNEL_JSON_MEMORY = -11,
};

/// What is done with a member of a row.
enum {
    KERNEL_JSON_IS_TOKENS,
    KERNEL_JSON_IS_VALUES,
    KERNEL_JSON_IS_INDEX,    // a number, or one in quotes
    KERNEL_JSON_IS_EXPECTED, // must be there, and be written as `value`
    KERNEL_JSON_IS_USUAL,    // left out of the residue where it is written as `value`
};

typedef struct {
    const uint8_t *key, *value; // as written, the key without its quotes
    size_t key_bytes, value_bytes;
    int role;
} kernel_json_member;

/// Strings as they are written in JSON, each by a number, from 0 in order of first appearance.
typedef struct kernel_json_strings kernel_json_strings;

/// NULL without memory.
kernel_json_strings *kernel_json_strings_make(void);
void kernel_json_strings_free(kernel_json_strings *strings);
size_t kernel_json_strings_count(const kernel_json_strings *strings);
/// String `index`, without its quotes and with its escapes, until the next row is read.
const uint8_t *kernel_json_strings_get(const kernel_json_strings *strings, size_t index, size_t *bytes);

/// One row of examples.
typedef struct {
    int64_t feature; // −1: the row does not say
    uint32_t tokens, fired; // how many, and how many values are other than 0
    size_t first_token, first_fired, residue, residue_bytes; // places in the arrays
    size_t line; // from 0 on, of the text
} kernel_json_row;

/// What has been read, in arrays that the caller sized for a text of n bytes: `ids` and `fired` n / 2 + 1, `residue` 2 n + 64, `rows` n / 8 + 1.
typedef struct {
    uint32_t *ids;
    struct kernel_json_fired { uint32_t place; float value; } *fired;
    uint8_t *residue;
    kernel_json_row *rows;
    size_t id_count, fired_count, residue_count, row_count;
    size_t missing; // of an error, the member
} kernel_json_rows;

/// Reads the object at `*at` as a row and moves `*at` behind it. Members without a role, and those that are not usual, make up the residue: an object
/// of them as they are written, with a member "" that has a bit for each usual member that is not there. Returns 0 or an error.
int kernel_json_read_row(kernel_json_rows *rows, kernel_json_strings *strings, const kernel_json_member *members, size_t count, const uint8_t *text, size_t bytes, size_t *at);

/// Reads lines of one row each; empty ones are passed over. Returns 0, or an error with the line's number (from 0) in `*line`.
int kernel_json_read_lines(kernel_json_rows *rows, kernel_json_strings *strings, const kernel_json_member *members, size_t count, const uint8_t *text, size_t bytes, size_t *line);

/// The end of the value at `at`, which is made sure to be JSON (but for UTF-8), or an error.
ptrdiff_t kernel_json_skip(const uint8_t *text, size_t bytes, size_t at);

/// The first byte from `at` on that is not white space.
size_t kernel_json_space(const uint8_t *text, size_t bytes, size_t at);

/// Goes to the next member of an object: `*at` stands behind `{` or behind the value before. Returns 1 with the key's place and `*at` at the value,
/// 0 with `*at` behind the `}`, or an error.
int kernel_json_next(const uint8_t *text, size_t bytes, size_t *at, int is_first, size_t *key, size_t *key_bytes);

/// Numbers of one set to those of another: ids[i] becomes map[ids[i]]. Returns how many were done: less than `n` where the map has UINT32_MAX for the next.
size_t kernel_json_renumber(uint32_t *ids, size_t n, const uint32_t *map);

/// A hash of `n` numbers.
uint64_t kernel_json_hash(const uint32_t *ids, size_t n);
