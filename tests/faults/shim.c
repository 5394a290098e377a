/* Preloaded into a process: at one of its calls that change a disk it dies, or the disk is full from there on.
   NERONET_TEST_POINT=MANNER:N, where MANNER is kill (before call N), torn (a write is cut in half, then it dies) or full; with
   NERONET_TEST_COUNT the number of such calls is written to that file when the process ends by itself.
   NERONET_TEST_WHILE=FILE: only while that file is there. Whoever dies takes it away; whoever finds the disk full makes FILE.reached.
   NERONET_TEST_ROLE=NAME: not this process, but those of that name (as ps shows it) that a nursery forks.
   NERONET_TEST_LATER=SECONDS: it is so much later. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum manner { NOTHING, KILL, TORN, FULL };
static enum manner manner;
static long point;
static atomic_long calls;
static long later;
static char count_file[4096], while_file[4096], reached_file[4096], role[16];

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(int argc, char **argv) {
    const char *given = getenv("NERONET_TEST_POINT"), *count = getenv("NERONET_TEST_COUNT"), *file = getenv("NERONET_TEST_WHILE");
    const char *of = getenv("NERONET_TEST_ROLE"), *more = getenv("NERONET_TEST_LATER");
    /* On its way to the nursery: whoever else is started meanwhile has it for nothing. */
    if (of && !(argc > 1 && !strcmp(argv[1], "nursery"))) return;
    if (given) {
        manner = !strncmp(given, "kill:", 5) ? KILL : !strncmp(given, "torn:", 5) ? TORN : FULL;
        point = atol(given + 5);
        snprintf(count_file, sizeof count_file, "%s", count ? count : "");
    }
    snprintf(role, sizeof role, "%s", of ? of : "");
    snprintf(while_file, sizeof while_file, "%s", file ? file : "");
    snprintf(reached_file, sizeof reached_file, "%.4000s.reached", while_file);
    later = more ? atol(more) : 0;
    /* Of this process alone. */
    unsetenv("NERONET_TEST_POINT");
    unsetenv("NERONET_TEST_COUNT");
    unsetenv("NERONET_TEST_WHILE");
    unsetenv("NERONET_TEST_ROLE");
    unsetenv("NERONET_TEST_LATER");
    unsetenv("LD_PRELOAD");
}

static void die(void) {
    if (while_file[0]) REAL(unlink)(while_file);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is_meant(void) {
    char name[17] = "";
    if (role[0]) prctl(PR_GET_NAME, name);
    return !strcmp(name, role);
}

/* Whether the call is refused, as the disk is full. `part`: it can be cut in half, which is done by whoever asks. */
static int reached(int takes_room, int *part) {
    if (!manner || !is_meant()) return 0;
    long now = atomic_fetch_add(&calls, 1) + 1;
    if (now < point || (while_file[0] && access(while_file, F_OK))) return 0;
    if (manner == FULL) {
        if (takes_room) {
            if (while_file[0]) close(REAL(open)(reached_file, O_WRONLY | O_CREAT, 0600));
            errno = ENOSPC;
            return 1;
        }
    } else if (now == point) {
        if (manner == TORN && part) *part = 1;
        else die();
    }
    return 0;
}

static int is_file(int fd) {
    struct stat at;
    return !fstat(fd, &at) && S_ISREG(at.st_mode);
}

__attribute__((destructor)) static void end(void) {
    if (!manner || !count_file[0]) return;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld", atomic_load(&calls));
    manner = NOTHING;
    int fd = REAL(open)(count_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0 && REAL(write)(fd, text, length) == length) close(fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    int part = 0;
    if (is_file(fd) && reached(1, &part)) return -1;
    ssize_t written = REAL(write)(fd, bytes, part ? length / 2 : length);
    if (part) die();
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    int part = 0;
    if (is_file(fd) && reached(1, &part)) return -1;
    ssize_t written = REAL(pwrite64)(fd, bytes, part ? length / 2 : length, at);
    if (part) die();
    return written;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (is_file(fd) && reached(1, NULL)) return -1;
    return REAL(writev)(fd, parts, count);
}

int fsync(int fd) { return reached(0, NULL) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return reached(0, NULL) ? -1 : REAL(fdatasync)(fd); }
int ftruncate64(int fd, off64_t to) { return reached(0, NULL) ? -1 : REAL(ftruncate64)(fd, to); }
int rename(const char *from, const char *to) { return reached(0, NULL) ? -1 : REAL(rename)(from, to); }
int unlink(const char *path) { return reached(0, NULL) ? -1 : REAL(unlink)(path); }
int unlinkat(int at, const char *path, int flags) { return reached(0, NULL) ? -1 : REAL(unlinkat)(at, path, flags); }
int rmdir(const char *path) { return reached(0, NULL) ? -1 : REAL(rmdir)(path); }
/* What is there takes no room. */
static int is_new(int at, const char *path) { return faccessat(at, path, F_OK, 0) != 0; }
int mkdir(const char *path, mode_t mode) { return reached(is_new(AT_FDCWD, path), NULL) ? -1 : REAL(mkdir)(path, mode); }
int link(const char *from, const char *to) { return reached(1, NULL) ? -1 : REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return reached(1, NULL) ? -1 : REAL(linkat)(a, from, b, to, flags); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned int flags) {
    return reached(1, NULL) ? -1 : REAL(copy_file_range)(in, from, out, to, length, flags);
}

static int opened(const char *name, int at, const char *path, int flags, mode_t mode) {
    if ((flags & O_CREAT) && reached(is_new(at, path), NULL)) return -1;
    if (at == AT_FDCWD) return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name))(path, flags, mode);
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64"))(at, path, flags, mode);
}

#define MODE(flags, last) mode_t mode = 0; if ((flags) & O_CREAT) { va_list more; va_start(more, last); mode = va_arg(more, mode_t); va_end(more); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return opened("open64", AT_FDCWD, path, flags, mode); }
int open(const char *path, int flags, ...) { MODE(flags, flags) return opened("open", AT_FDCWD, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) {
    MODE(flags, flags)
    if ((flags & O_CREAT) && reached(is_new(at, path), NULL)) return -1;
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64"))(at, path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int known = REAL(clock_gettime)(clock, at);
    if (!known && clock == CLOCK_REALTIME) at->tv_sec += later;
    return known;
}
