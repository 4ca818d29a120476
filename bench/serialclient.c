/*
 * serialclient.c - a serial port's interface under load, and nothing else
 *
 *     serialclient URL read SECONDS     what far=source,pace=0 says, as fast as it comes
 *     serialclient URL echo COUNT       a byte there and back, COUNT times
 *
 * Prints one line of JSON: mb_per_s, or us, the median of a round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/usbwire.h>

#define READ_MAX  65536u
#define COUNT_MAX 10000u

static void
die(const char *what, const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    fprintf(stderr, "serialclient: %s: %s\n", what, uw_fault_text(fault, text, sizeof(text)));
    exit(1);
}

static void
measure_reads(struct uw_serial *port, double seconds)
{
    static unsigned char bytes[READ_MAX];
    struct uw_serial_counts counts;
    struct uw_usec start = uw_now(), took;
    struct uw_fault fault;
    double sum = 0;

    do {
        long n = uw_serial_read(port, bytes, sizeof(bytes), 1, uw_msec(10000), &fault);

        if (n < 0)
            die("read", &fault);
        sum += (double)n;
        took = uw_usec_sub(uw_now(), start);
    } while ((double)took.us < seconds * 1e6);
    uw_serial_counts(port, &counts);
    printf("{\"mb_per_s\": %.3f, \"lost\": %llu}\n", sum / (double)took.us,
           (unsigned long long)(counts.lost + counts.overrun));
}

static int
compare(const void *a, const void *b)
{
    const double *x = (const double *)a, *y = (const double *)b;

    return (*x > *y) - (*x < *y);
}

static void
measure_echo(struct uw_serial *port, unsigned long count)
{
    static double took[COUNT_MAX];
    struct uw_fault fault;
    unsigned char byte;

    for (unsigned long i = 0; i < count; i++) {
        struct uw_usec start = uw_now();

        byte = (unsigned char)i;
        if (uw_serial_write(port, &byte, 1, uw_msec(10000), &fault) != 1)
            die("write", &fault);
        if (uw_serial_read(port, &byte, 1, 1, uw_msec(10000), &fault) != 1)
            die("read", &fault);
        took[i] = (double)uw_usec_sub(uw_now(), start).us;
    }
    qsort(took, count, sizeof(took[0]), compare);
    printf("{\"us\": %.1f}\n", took[count / 2]);
}

int
main(int argc, char **argv)
{
    struct uw_loop *loop = NULL;
    struct uw_serial *port = NULL;
    struct uw_fault fault;
    unsigned long count;

    if (argc != 4)
        return 2;
    if (uw_loop_new(NULL, &loop) < 0)
        return 1;
    if (uw_serial_open(loop, argv[1], NULL, &port, &fault) < 0)
        die(argv[1], &fault);
    count = strtoul(argv[3], NULL, 10);
    if (strcmp(argv[2], "read") == 0)
        measure_reads(port, strtod(argv[3], NULL));
    else if (count > 0 && count <= COUNT_MAX)
        measure_echo(port, count);
    uw_serial_free(port);
    uw_loop_free(loop);
    return 0;
}
