/* A disk that fails when a test says so: a library for LD_PRELOAD, made by disk.rs with `cc`.
 *
 * FLEETWATCH_DISK names the control file. While it is there, operations on paths that contain its text fail. Its one line is
 *
 *     errno skip count torn operations text
 *
 * Of the matching operations since the file was last changed, the first `skip` go through, the next `count` fail, and what
 * comes after goes through again; with count 0 all fail for as long as the file is there. With torn 1, a write that fails has
 * written its first half, as a disk does that runs full in the middle. `operations` is a set of the letters w (write), s (sync),
 * t (truncate, allocate), r (rename), o (making a file or directory); `text` goes to the end of the line. Each failed operation
 * appends a byte to the file "<control>.failed", each that was counted one to "<control>.seen". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { int error; long skip, count; int torn; char operations[16]; char text[PATH_MAX]; } plan;
static struct timespec changed;
static ino_t inode;
static long matched;
/* Descriptor whose torn write was answered as a short one: its next write fails too. */
static int torn_fd = -1;

static void mark(const char *control, const char *what) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.%s", control, what);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        syscall(SYS_write, fd, ".", 1);
        syscall(SYS_close, fd);
    }
}

/* Reads the control file if it has changed. Answers whether it is there and whole. */
static int armed(const char *control) {
    struct stat now;
    if (stat(control, &now) != 0) {
        inode = 0;
        torn_fd = -1;
        return 0;
    }
    if (now.st_ino == inode && now.st_mtim.tv_sec == changed.tv_sec && now.st_mtim.tv_nsec == changed.tv_nsec)
        return 1;
    char line[PATH_MAX + 64];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    long length = syscall(SYS_read, fd, line, sizeof line - 1);
    syscall(SYS_close, fd);
    if (length <= 0) return 0;
    line[length] = 0;
    if (sscanf(line, "%d %ld %ld %d %15s %4095[^\n]", &plan.error, &plan.skip, &plan.count, &plan.torn,
               plan.operations, plan.text) != 6) return 0;
    inode = now.st_ino;
    changed = now.st_mtim;
    matched = 0;
    torn_fd = -1;
    return 1;
}

/* Whether this operation fails; `torn` says whether it may do so in the middle. */
static int fails(char operation, const char *path, int fd, int *torn) {
    const char *control = getenv("FLEETWATCH_DISK");
    if (!control || !path) return 0;
    int error = 0;
    pthread_mutex_lock(&lock);
    if (armed(control) && strchr(plan.operations, operation) && strstr(path, plan.text)) {
        if (operation == 'w' && fd >= 0 && fd == torn_fd) {
            torn_fd = -1;
            error = plan.error;
        } else {
            matched++;
            mark(control, "seen");
            if (matched > plan.skip && (plan.count == 0 || matched <= plan.skip + plan.count)) error = plan.error;
            if (error) {
                mark(control, "failed");
                if (torn) *torn = plan.torn;
            }
        }
    }
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return error;
}

static int fails_at(char operation, int fd, int *torn) {
    char link[64], path[PATH_MAX];
    if (!getenv("FLEETWATCH_DISK")) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return fails(operation, path, fd, torn);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* The half of it is on the disk; the next write says why. */
#define HALF(fd, written) \
    do { \
        ssize_t half = (written); \
        if (half > 0) { pthread_mutex_lock(&lock); torn_fd = (fd); pthread_mutex_unlock(&lock); } \
        return half; \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    int torn = 0;
    if (!fails_at('w', fd, &torn)) return real(fd, bytes, length);
    if (torn && length > 1) HALF(fd, real(fd, bytes, length / 2));
    return -1;
}

#define PWRITE(name, type) \
    ssize_t name(int fd, const void *bytes, size_t length, type at) { \
        REAL(name); \
        int torn = 0; \
        if (!fails_at('w', fd, &torn)) return real(fd, bytes, length, at); \
        if (torn && length > 1) HALF(fd, real(fd, bytes, length / 2, at)); \
        return -1; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    return fails_at('w', fd, NULL) ? -1 : real(fd, parts, count);
}

#define SIMPLE(result, operation, name, parameters, arguments) \
    result name parameters { \
        REAL(name); \
        return fails_at(operation, fd, NULL) ? -1 : real arguments; \
    }
SIMPLE(ssize_t, 'w', pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
SIMPLE(ssize_t, 'w', pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
SIMPLE(int, 's', fsync, (int fd), (fd))
SIMPLE(int, 's', fdatasync, (int fd), (fd))
SIMPLE(int, 't', ftruncate, (int fd, off_t length), (fd, length))
SIMPLE(int, 't', ftruncate64, (int fd, off64_t length), (fd, length))
SIMPLE(int, 't', fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
SIMPLE(int, 't', fallocate64, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))

/* These answer with the error itself. */
#define ALLOCATE(name, type) \
    int name(int fd, type at, type length) { \
        REAL(name); \
        int error = fails_at('t', fd, NULL); \
        return error ? error : real(fd, at, length); \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(rename);
    return fails('r', to, -1, NULL) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return fails('o', path, -1, NULL) ? -1 : real(path, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
        } \
        if ((flags & O_CREAT) && access(path, F_OK) != 0 && fails('o', path, -1, NULL)) return -1; \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
