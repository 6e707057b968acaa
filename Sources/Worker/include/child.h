#pragma once
#include <stddef.h>
#include <sys/types.h>

// Another program, run with what it needs in memory and what it says in pipes.

/// A program that runs, and the ends of pipes from which its words are read.
struct child {
    pid_t process;
    int output, errors, extra; // its descriptors 1, 2 and 4
};

/// Begins the program `arguments[0]`, looked for in PATH, with the environment `environment`.
///
/// `input` is its standard input and `upload` its descriptor 3 (/dev/fd/3), both from memory; neither is ever a file. It is in a process
/// group of its own, so that Ctrl-C does not reach it, and ends when the thread that began it does, by whatever.
/// Returns 0, or −1 with errno; ENOENT: there is no such program.
int child_begin(struct child *child, char *const arguments[], char *const environment[], const void *input, size_t inputBytes, const void *upload, size_t uploadBytes);

/// Ends it where `kills`, waits for its end and closes the pipes. Returns its status as waitpid gives it, or −1.
int child_end(struct child *child, int kills);
