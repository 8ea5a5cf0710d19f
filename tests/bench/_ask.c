/* Starts asked for without any Python, so that what is measured is what is asked: the launcher, or an init that
   waits in its box alone. A library for launcher.py; times are nanoseconds, and -1 is a failure. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS = 3, MESSAGE = 1 << 18 };
char said[MESSAGE]; /* to us, the last time */

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* Send it with these for standard input, output and error. */
static int give(int link, const void *what, size_t size, int null, int output) {
    char beside[CMSG_SPACE(STREAMS * sizeof(int))] = {0};
    struct iovec part = {(void *)what, size};
    struct msghdr all = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = beside, .msg_controllen = sizeof beside};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&all);
    int streams[STREAMS] = {null, output, null};
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof streams);
    memcpy(CMSG_DATA(rights), streams, sizeof streams);
    return sendmsg(link, &all, 0) == (ssize_t)size ? 0 : -1;
}

static long take(int link) {
    long size = recv(link, said, MESSAGE - 1, 0);
    said[size < 0 ? 0 : size] = 0;
    return size;
}

/* One start by the launcher: request, output to its end, the report that it has ended. */
long ask(int link, const char *request, long size, int null) {
    int ends[2];
    long began = now();
    if (pipe2(ends, O_CLOEXEC) || give(link, request, size, null, ends[1])) return -1;
    close(ends[1]);
    do
        if (take(link) <= 0 || strstr(said, "\"say\":\"failed\"")) return -1;
    while (!strstr(said, "\"exited\""));
    while (read(ends[0], said, MESSAGE) > 0) {}
    close(ends[0]);
    return now() - began;
}

/* One start by an init that waits: its orders and the word that lets it go, output to its end, its last word. */
long box(int control, const char *orders, long size, int null) {
    int ends[2];
    long began = now();
    if (pipe2(ends, O_CLOEXEC) || give(control, orders, size, null, ends[1])) return -1;
    close(ends[1]);
    if (send(control, "\x80", 1, 0) != 1) return -1;
    do
        if (take(control) <= 0) return -1;
    while (*said == 'S');
    if (*said != 'E') return -1;
    while (read(ends[0], said, MESSAGE) > 0) {}
    close(ends[0]);
    return now() - began;
}

static int ask_next(int link, const char *tail, int number, int null) {
    static char request[MESSAGE];
    int size = snprintf(request, MESSAGE, "{\"do\":\"run\",\"re\":%d,\"job\":\"many-%d\",%s", number, number, tail);
    return give(link, request, size, null, null);
}

/* So many starts, some of them in flight at any time, nobody reading any output. */
long many(int link, const char *tail, int first, int count, int in_flight, int null) {
    int sent = 0, ended = 0, number;
    long began = now();
    while (ended < count) {
        for (; sent < count && sent < ended + in_flight; sent++)
            if (ask_next(link, tail, first + sent, null)) return -1;
        if (take(link) <= 0 || strstr(said, "\"say\":\"failed\"")) return -1;
        char *job = strstr(said, "\"job\":\"many-");
        if (!job || !strstr(said, "\"exited\"")) continue;
        sscanf(job, "\"job\":\"many-%d", &number);
        int size = sprintf(said, "{\"do\":\"forget\",\"re\":0,\"job\":\"many-%d\",\"quiet\":true}", number);
        if (send(link, said, size, 0) != size) return -1;
        ended++;
    }
    return now() - began;
}
