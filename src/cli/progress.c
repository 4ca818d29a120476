#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define SHOW_AFTER_US 1000000u
#define SHOW_EVERY_US 200000u

char *
progress_bytes(uint64_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    unsigned unit = 0;

    while (value >= 999.95 && unit < 4) {
        value /= 1000;
        unit++;
    }
    snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", value, bytes == 1 ? "byte" : units[unit]);
    return buf;
}

void
progress_start(struct progress *progress, const struct cli *cli, const char *verb, uint64_t total)
{
    progress->verb = verb;
    progress->total = total;
    progress->start = uw_now();
    progress->next = uw_usec_add(progress->start, uw_usec(SHOW_AFTER_US));
    progress->shown = cli_has(cli, OPT_QUIET) || !isatty(STDERR_FILENO) ? -1 : 0;
}

void
progress_update(struct progress *progress, uint64_t bytes)
{
    struct uw_usec now;
    char done[32], rate[32];

    if (progress->shown < 0)
        return;
    now = uw_now();
    if (now.us < progress->next.us)
        return;
    progress->next = uw_usec_add(now, uw_usec(SHOW_EVERY_US));
    progress->shown = 1;
    fprintf(stderr, "\r\033[K%s %s", progress->verb, progress_bytes(bytes, done, sizeof(done)));
    if (progress->total)
        fprintf(stderr, " of %s (%.0f %%)", progress_bytes(progress->total, done, sizeof(done)),
                (double)bytes * 100 / (double)progress->total);
    progress_bytes(bytes * 1000000u / (now.us - progress->start.us), rate, sizeof(rate));
    fprintf(stderr, ", %s/s", rate);
    fflush(stderr);
}

void
progress_end(struct progress *progress)
{
    if (progress->shown > 0)
        fputs("\r\033[K", stderr);
    progress->shown = -1;
}
