#pragma once
#include <stddef.h>
#include <sys/types.h>

// Work that may take for ever, or crash, is done by a copy of the process that can be ended.

/// A copy of this process, and the socket that it and the original speak through.
struct worker {
    pid_t process;
    int socket;
};

/// Begins a copy that has this thread only, no standard output and `memory` bytes at most, and that ends when its original does.
///
/// Returns 1 in the copy, which must end itself with `worker_leave`; 0 in the original; −1 where no copy can be made, with errno.
/// The copy has all of this process's memory and locks as they were, but none of its other threads: it should compute, and do
/// nothing that another thread might have been in the middle of.
int worker_begin(struct worker *worker, size_t memory);

/// Ends the copy, whatever it is doing. Returns its status as waitpid gives it, or −1.
int worker_end(struct worker *worker);

/// Ends the copy from within: nothing that was inherited is flushed or closed properly.
[[noreturn]] void worker_leave(void);

/// Sends `bytes` bytes. Returns 0; −1 where nobody is there any more; 1 after `seconds` (below zero: never).
int worker_send(const struct worker *worker, const void *data, size_t bytes, double seconds);

/// Receives exactly `bytes` bytes; the result as for `worker_send`.
int worker_receive(const struct worker *worker, void *data, size_t bytes, double seconds);
