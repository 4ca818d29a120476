/*
 * histogram.h - latencies of any number of transfers in a fixed room
 *
 * Below 128 microseconds every value has a bucket of its own, above it 64 buckets an octave: a
 * percentile is exact to 1.6 %.
 */
#ifndef UW_CLI_HISTOGRAM_H
#define UW_CLI_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (128 + 57 * 64)

struct histogram {
    uint64_t count;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value that `percent` of all values do not exceed; 0 of none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
