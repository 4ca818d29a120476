/*
 * devlist.c - device lists from anywhere, growing byte by byte
 *
 * The first byte bounds how many devices are allowed. As the bytes come in, an answer is final:
 * more bytes change neither an error nor what a complete list says.
 */
#include <string.h>

#include <usbwire/error.h>

#include "fuzz.h"
#include "wire/op.h"

static void
check_list(const struct uw_device_list *list, uint32_t max)
{
    FUZZ_CHECK(uw_device_list_count(list) <= max);
    for (unsigned i = 0; i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);
        unsigned sum = 0;

        FUZZ_CHECK(memchr(info->path, 0, sizeof(info->path)) && info->path[0]);
        FUZZ_CHECK(memchr(info->busid, 0, sizeof(info->busid)) && info->busid[0]);
        for (unsigned k = 0; k < info->num_interfaces; k++)
            sum += info->interfaces[k].interface_class;
        FUZZ_CHECK(sum <= 255u * 255u);
    }
    FUZZ_CHECK(uw_device_list_get(list, uw_device_list_count(list)) == NULL);
}

static int
same(const struct uw_device_list *a, const struct uw_device_list *b)
{
    if (a->count != b->count)
        return 0;
    for (unsigned i = 0; i < a->count; i++)
        if (strcmp(a->infos[i].busid, b->infos[i].busid) != 0 ||
            strcmp(a->infos[i].path, b->infos[i].path) != 0 ||
            a->infos[i].num_interfaces != b->infos[i].num_interfaces)
            return 0;
    return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct uw_device_list *first = NULL, *list = NULL;
    uint32_t max;
    int before = 0, r;

    if (size < 1 || size > 4096)
        return 0;
    max = bytes[0];
    bytes++;
    size--;
    for (size_t n = 0; n <= size; n++) {
        /* Of just its size, so that a byte too far is seen. */
        uint8_t *exact = malloc(n ? n : 1);

        FUZZ_CHECK(exact);
        memcpy(exact, bytes, n);
        list = NULL;
        r = uw_decode_device_list(exact, n, 0, max, &list);
        free(exact);
        FUZZ_CHECK((r == 1) == (list != NULL));
        FUZZ_CHECK(before == 0 || before == r);
        before = r;
        if (!list)
            continue;
        check_list(list, max);
        FUZZ_CHECK(!first || same(first, list));
        uw_device_list_free(first);
        first = list;
    }
    list = NULL;
    r = uw_decode_device_list(bytes, size, 1, max, &list);
    FUZZ_CHECK(r != 0 && (r == 1) == (list != NULL)); /* at the end there is a verdict */
    FUZZ_CHECK(before == 0 || (before == r && (!list || same(first, list))));
    if (list)
        check_list(list, max);
    uw_device_list_free(list);
    uw_device_list_free(first);
    return 0;
}
