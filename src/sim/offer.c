/*
 * offer.c - what the bench offers: names, the list, imports
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/log.h"
#include "sim/sim.h"
#include "wire/op.h"

#define RECORDS_MAX 8u /* interfaces of a device in the list */

static void
expand(char *dst, size_t size, const char *format, const struct sim_device *d)
{
    const uint8_t *v = d->device;
    char bus[16], dev[16], vid[8], pid[8];
    const struct {
        const char *name, *value;
    } words[] = {
        {"{busid}", d->busid}, {"{bus}", bus}, {"{dev}", dev}, {"{vid}", vid}, {"{pid}", pid}};
    const unsigned count = sizeof(words) / sizeof(words[0]);
    size_t n = 0;

    snprintf(bus, sizeof(bus), "%u", d->busnum);
    snprintf(dev, sizeof(dev), "%u", d->devnum);
    snprintf(vid, sizeof(vid), "%02X%02X", v[9], v[8]);
    snprintf(pid, sizeof(pid), "%02X%02X", v[11], v[10]);
    dst[0] = '\0';
    while (*format && n + 1 < size) {
        unsigned i = 0;

        while (i < count && strncmp(format, words[i].name, strlen(words[i].name)) != 0)
            i++;
        if (i == count) {
            dst[n++] = *format++;
            dst[n] = '\0';
            continue;
        }
        n += (size_t)snprintf(dst + n, size - n, "%s", words[i].value);
        format += strlen(words[i].name);
    }
}

void
sim_name_device(const struct uw_sim *sim, struct sim_device *d)
{
    const struct sim_personality *p = sim->personality;

    if (p->busid)
        expand(d->busid, sizeof(d->busid), p->busid, d);
    else
        snprintf(d->busid, sizeof(d->busid), "%u-%u", d->busnum, d->devnum - 1);
    if (p->path)
        expand(d->path, sizeof(d->path), p->path, d);
    else
        snprintf(d->path, sizeof(d->path), "/sys/devices/pci0000:00/0000:00:14.0/usb%u/%s",
                 d->busnum, d->busid);
}

/* The speed as the server puts it. */
static uint32_t
speed_of(const struct sim_device *d)
{
    const struct sim_personality *p = d->sim->personality;

    if (p->traits & SIM_SAYS_HIGH)
        return SIM_HIGH;
    return d->speed == SIM_SUPER && p->super_speed ? p->super_speed : d->speed;
}

/* The interface records; how many there are. Alternate settings are no interfaces of their own, and
 * other configurations not in force, but servers differ. */
static unsigned
interface_classes(const struct sim_device *d, struct uw_interface_class classes[RECORDS_MAX])
{
    unsigned traits = d->sim->personality->traits, n = 0;
    unsigned configs = traits & SIM_SUMS_INTERFACES ? d->config_count : 1;

    for (unsigned i = 0; i < configs; i++) {
        struct uw_extra rest = {d->configs[i], d->config_size[i]}, one;

        while (uw_descriptor_next(&rest, &one)) {
            if (one.bytes[1] != UW_DT_INTERFACE || n == RECORDS_MAX ||
                (one.bytes[3] != 0 && !(traits & SIM_COUNTS_ALTSETTINGS)))
                continue;
            classes[n++] = (struct uw_interface_class){one.bytes[5], one.bytes[6], one.bytes[7]};
        }
    }
    return n;
}

void
sim_describe_device(const struct sim_device *d, struct uw_device_info *info)
{
    struct uw_interface_class classes[RECORDS_MAX];
    const uint8_t *v = d->device;

    memset(info, 0, sizeof(*info));
    snprintf(info->path, sizeof(info->path), "%s", d->path);
    snprintf(info->busid, sizeof(info->busid), "%s", d->busid);
    info->busnum = d->busnum;
    info->devnum = d->devnum;
    info->speed = speed_of(d);
    info->vid = (uint16_t)(v[8] | v[9] << 8);
    info->pid = (uint16_t)(v[10] | v[11] << 8);
    info->bcd_device = (uint16_t)(v[12] | v[13] << 8);
    info->device_class = v[4];
    info->device_subclass = v[5];
    info->device_protocol = v[6];
    info->configuration_value = d->configs[0][5];
    info->num_configurations = (uint8_t)d->config_count;
    info->num_interfaces = (uint8_t)interface_classes(d, classes);
}

const char *
uw_sim_device_at(struct uw_sim *sim, unsigned index, struct uw_device_info *ret_info)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->devices) if (index-- == 0)
    {
        struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        sim_describe_device(d, ret_info);
        ret_info->num_interfaces = 0;
        return d->model->name;
    }
    return NULL;
}

static int
is_listed(const struct uw_sim *sim, const struct sim_device *d)
{
    /* A server that looks at no busid has one device. */
    if ((sim->personality->traits & SIM_ANY_BUSID) && sim->devices.next != &d->link)
        return 0;
    return !d->gone && !(d->user && (sim->personality->traits & SIM_HIDES_USED));
}

unsigned
sim_offered(const struct uw_sim *sim, const struct sim_device **ret_last)
{
    unsigned count = 0;

    *ret_last = NULL;
    for (struct uw_list *pos = sim->devices.next; pos != &sim->devices; pos = pos->next) {
        const struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        if (!is_listed(sim, d))
            continue;
        *ret_last = d;
        count++;
    }
    return count;
}

struct uw_device_list *
sim_list_devices(void *data)
{
    struct uw_sim *sim = ((struct sim_conn *)data)->sim;
    struct uw_list *pos, *tmp;
    const struct uw_device_info **infos;
    struct uw_device_info *storage;
    struct uw_interface_class *classes;
    struct uw_device_list *list = NULL;
    size_t room = 1;
    unsigned n = 0;

    uw_list_each(pos, tmp, &sim->devices) room++;
    infos = calloc(room, sizeof(void *));
    storage = calloc(room, sizeof(*storage));
    classes = calloc(room * RECORDS_MAX, sizeof(*classes));
    uw_list_each(pos, tmp, &sim->devices)
    {
        struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        if (!infos || !storage || !classes || !is_listed(sim, d))
            continue;
        sim_describe_device(d, &storage[n]);
        (void)interface_classes(d, &classes[n * RECORDS_MAX]);
        storage[n].interfaces = &classes[n * RECORDS_MAX];
        infos[n] = &storage[n];
        n++;
    }
    if (infos && storage && classes)
        list = uw_device_list_new(infos, n);
    free((void *)(uintptr_t)infos);
    free(storage);
    free(classes);
    return list;
}

static struct sim_device *
find_device(struct uw_sim *sim, const char *busid)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->devices)
    {
        struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        if (!d->gone &&
            ((sim->personality->traits & SIM_ANY_BUSID) || strcmp(d->busid, busid) == 0))
            return d;
    }
    return NULL;
}

/* There is one table of what is under way, and it is cleared. */
static void
forget_others(const struct sim_conn *c)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &c->sim->conns)
    {
        struct sim_conn *other = UW_CONTAINER(pos, struct sim_conn, link);

        if (other != c)
            sim_urbs_forget(other);
    }
}

uint32_t
sim_import_device(void *data, const char *busid, struct uw_device_info *ret_info)
{
    struct sim_conn *c = (struct sim_conn *)data;
    const struct sim_personality *p = c->sim->personality;
    struct sim_device *d = find_device(c->sim, busid);

    if (!d)
        return p->import_refused ? p->import_refused : (uint32_t)UW_OP_ST_NODEV;
    if (d->user && !(p->traits & SIM_NO_EXCLUSION))
        return p->import_refused ? p->import_refused : (uint32_t)UW_OP_ST_DEV_BUSY;
    if (p->traits & SIM_FORGETS)
        forget_others(c);
    if (!d->user)
        d->user = c;
    c->device = d;
    sim_describe_device(d, ret_info);
    uw_log(&c->sim->log, UW_LOG_INFO, "%s imported", d->busid);
    return UW_OP_ST_OK;
}
