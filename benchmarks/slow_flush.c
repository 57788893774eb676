/* A disk that takes its time: waits SLOW_FLUSH_MICROSECONDS before each flush, then really flushes. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_as_long_as_told(void)
{
    const char *text = getenv("SLOW_FLUSH_MICROSECONDS");
    long microseconds = text ? atol(text) : 0;
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

int fsync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_as_long_as_told();
    return real(file);
}

int fdatasync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_as_long_as_told();
    return real(file);
}
