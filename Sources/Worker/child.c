#define _GNU_SOURCE
#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// Moves a descriptor out of the way of those that the program is to have.
static int high(int descriptor) {
    if (descriptor < 0) return -1;
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 10), problem = errno;
    close(descriptor);
    errno = problem;
    return moved;
}

static int memory(const char *data, size_t bytes) {
    int descriptor = high(memfd_create("monoseme", MFD_CLOEXEC));
    if (descriptor < 0) return -1;
    for (size_t done = 0; done < bytes;) {
        ssize_t wrote = write(descriptor, data + done, bytes - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            int problem = errno;
            close(descriptor);
            errno = problem;
            return -1;
        }
        done += (size_t)wrote;
    }
    lseek(descriptor, 0, SEEK_SET);
    return descriptor;
}

int child_begin(struct child *child, char *const arguments[], char *const environment[], const void *input, size_t inputBytes, const void *upload, size_t uploadBytes) {
    int inside[5] = {-1, -1, -1, -1, -1}, outside[5] = {-1, -1, -1, -1, -1}; // by its numbers
    volatile int problem = 0;
    inside[0] = memory(input, inputBytes);
    if (inside[0] < 0) goto failed;
    inside[3] = memory(upload, uploadBytes);
    if (inside[3] < 0) goto failed;
    for (int i = 1; i < 5; i++) {
        if (i == 3) continue;
        int ends[2];
        if (pipe2(ends, O_CLOEXEC)) goto failed;
        outside[i] = high(ends[0]), inside[i] = high(ends[1]);
        if (outside[i] < 0 || inside[i] < 0) goto failed;
    }

    // The copy borrows this process's memory until it has become the program: no handler of ours may run in it.
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    pid_t original = getpid(), process = vfork();
    if (process == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != original) _exit(127);
        for (int i = 0; i < 5; i++) dup2(inside[i], i);
        for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execvpe(arguments[0], arguments, environment);
        problem = errno;
        _exit(127);
    }
    if (process < 0) problem = errno;
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (process > 0 && problem) waitpid(process, NULL, 0);
    if (problem) {
        errno = problem;
        goto failed;
    }
    for (int i = 0; i < 5; i++) close(inside[i]);
    *child = (struct child){process, outside[1], outside[2], outside[4]};
    return 0;

failed:
    problem = errno;
    for (int i = 0; i < 5; i++) {
        if (inside[i] >= 0) close(inside[i]);
        if (outside[i] >= 0) close(outside[i]);
    }
    errno = problem;
    return -1;
}

int child_end(struct child *child, int kills) {
    if (kills) kill(child->process, SIGKILL);
    int status = -1;
    while (waitpid(child->process, &status, 0) < 0 && errno == EINTR) {}
    close(child->output), close(child->errors), close(child->extra);
    return status;
}
