#define _GNU_SOURCE
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int worker_begin(struct worker *worker, size_t memory) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return -1;
    pid_t original = getpid(), process = fork();
    if (process < 0) {
        int problem = errno;
        close(ends[0]), close(ends[1]);
        errno = problem;
        return -1;
    }
    if (process > 0) {
        close(ends[1]);
        *worker = (struct worker){process, ends[0]};
        return 0;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != original) _exit(1); // it has ended before it could be asked about
    signal(SIGINT, SIG_DFL), signal(SIGTERM, SIG_DFL);
    // What a crash has to say is for the original to put into words.
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, 0), dup2(nowhere, 1), dup2(nowhere, 2);
    struct rlimit none = {0, 0}, most = {memory, memory};
    setrlimit(RLIMIT_CORE, &none), setrlimit(RLIMIT_DATA, &most);
    close(ends[0]);
    *worker = (struct worker){original, ends[1]};
    return 1;
}

int worker_end(struct worker *worker) {
    int status = -1;
    close(worker->socket);
    kill(worker->process, SIGKILL);
    while (waitpid(worker->process, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

void worker_leave(void) { _exit(0); }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int transfer(int socket, uint8_t *data, size_t bytes, double seconds, int sends) {
    double end = now() + seconds;
    for (size_t done = 0; done < bytes;) {
        double left = seconds < 0 ? -1 : end - now();
        if (seconds >= 0 && left <= 0) return 1;
        struct pollfd wait = {socket, sends ? POLLOUT : POLLIN, 0};
        int ready = poll(&wait, 1, seconds < 0 ? -1 : (int)fmin(ceil(left * 1000), 1e9));
        if (ready < 0 && errno != EINTR) return -1;
        if (ready <= 0) continue;
        // A reader that has gone must not end this process by SIGPIPE.
        ssize_t moved = sends ? send(socket, data + done, bytes - done, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(socket, data + done, bytes - done, MSG_DONTWAIT);
        if (moved == 0 || (moved < 0 && errno != EINTR && errno != EAGAIN)) return -1;
        if (moved > 0) done += (size_t)moved;
    }
    return 0;
}

int worker_send(const struct worker *worker, const void *data, size_t bytes, double seconds) { return transfer(worker->socket, (uint8_t *)data, bytes, seconds, 1); }
int worker_receive(const struct worker *worker, void *data, size_t bytes, double seconds) { return transfer(worker->socket, data, bytes, seconds, 0); }
