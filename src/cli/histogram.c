#include "histogram.h"

/* Of a value of 128 or more its 7 highest bits count; `shift` is how many others there are. */
static unsigned
bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < 128)
        return (unsigned)value;
    shift = 57 - (unsigned)__builtin_clzll(value);
    return 128 + (shift - 1) * 64 + ((unsigned)(value >> shift) - 64);
}

/* The middle of a bucket. */
static uint64_t
value_of(unsigned bucket)
{
    unsigned shift = (bucket - 128) / 64 + 1;

    if (bucket < 128)
        return bucket;
    return ((uint64_t)((bucket - 128) % 64 + 64) << shift) + ((1ull << shift) - 1) / 2;
}

void
histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
}

uint64_t
histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t seen = 0;
    double wanted = percent / 100 * (double)histogram->count;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen && (double)seen >= wanted)
            return value_of(i);
    }
    return 0;
}
