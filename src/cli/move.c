#include "move.h"

#include <stdio.h>
#include <string.h>

int
move_run(struct uw_queue *queue, struct uw_urb *urb, struct uw_fault *ret_fault)
{
    int r = uw_urb_submit(urb, queue), cancelled = 0;

    if (r >= 0) {
        while (!uw_queue_pop(queue)) {
            if (cli_interrupted() && !cancelled) {
                uw_urb_cancel(urb);
                cancelled = 1;
            }
            uw_queue_wait(queue, uw_never());
        }
        r = uw_urb_status(urb);
    }
    if (r < 0)
        uw_urb_fault(urb, ret_fault);
    return r;
}

int
move_failed(struct cli *cli, const struct uw_fault *fault)
{
    if (!cli_interrupted())
        return cli_device_fault(cli, cli->device, fault);
    cli_error("%s: %s: interrupted before it was done", fault->on, fault->tried);
    return CLI_INTERRUPTED;
}

const char *
move_type_name(const struct uw_endpoint *endpoint)
{
    static const char *const names[] = {"control", "isochronous", "bulk", "interrupt"};

    return names[uw_endpoint_type(endpoint)];
}

int
move_check_endpoint(const struct cli *cli, const char *command, int in)
{
    const char *text = cli_text(cli, OPT_ENDPOINT, NULL);
    uint64_t address = cli_number(cli, OPT_ENDPOINT, 0);

    if (!text)
        return cli_usage("--endpoint is missing; it names the endpoint, such as %s",
                         in ? "0x81" : "0x01");
    if ((address & 0x70) || !(address & 0x0f))
        return cli_usage("--endpoint \"%s\" is no address of an endpoint: 0x01 to 0x0f are OUT, "
                         "0x81 to 0x8f are IN",
                         text);
    if (((address & 0x80) != 0) != in)
        return cli_usage("--endpoint \"%s\" is an %s endpoint; %s takes one from 0x%02x to 0x%02x",
                         text, in ? "OUT" : "IN", command, in ? 0x81u : 0x01u, in ? 0x8fu : 0x0fu);
    return 0;
}

/* Selects --alt of the interface that has the endpoint there. */
static int
select_alt(struct cli *cli, uint8_t address, unsigned alt)
{
    const struct uw_config *config = uw_device_active_config(cli->device);
    struct uw_fault fault;

    for (unsigned i = 0; config && i < config->bNumInterfaces; i++) {
        for (unsigned k = 0; k < config->interfaces[i].num_altsettings; k++) {
            const struct uw_altsetting *a = &config->interfaces[i].altsettings[k];
            for (unsigned n = 0; a->bAlternateSetting == alt && n < a->bNumEndpoints; n++) {
                if (a->endpoints[n].bEndpointAddress != address)
                    continue;
                if (uw_device_set_altsetting(cli->device, a->bInterfaceNumber, alt,
                                             cli_timeout(cli), &fault) < 0)
                    return cli_device_fault(cli, cli->device, &fault);
                return 0;
            }
        }
    }
    return cli_usage("%s has no endpoint 0x%02x in an alternate setting %u; `usbwire probe` shows "
                     "what it has",
                     uw_device_name(cli->device), address, alt);
}

/* "0x81 (bulk), 0x01 (bulk, alternate setting 1)": all endpoints of the active configuration. */
static void
list_endpoints(const struct uw_config *config, char *buf, size_t size)
{
    size_t len = 0;

    snprintf(buf, size, "none");
    for (unsigned i = 0; config && i < config->bNumInterfaces; i++) {
        for (unsigned k = 0; k < config->interfaces[i].num_altsettings; k++) {
            const struct uw_altsetting *a = &config->interfaces[i].altsettings[k];
            for (unsigned n = 0; n < a->bNumEndpoints && len < size; n++) {
                const struct uw_endpoint *e = &a->endpoints[n];
                len += (size_t)snprintf(buf + len, size - len, "%s0x%02x (%s", len ? ", " : "",
                                        e->bEndpointAddress, move_type_name(e));
                if (len < size && a->bAlternateSetting)
                    len +=
                        (size_t)snprintf(buf + len, size - len, ", --alt %u", a->bAlternateSetting);
                if (len < size)
                    len += (size_t)snprintf(buf + len, size - len, ")");
            }
        }
    }
}

int
move_endpoint(struct cli *cli, const struct uw_endpoint **ret_endpoint)
{
    uint8_t address = (uint8_t)cli_number(cli, OPT_ENDPOINT, 0);
    const struct uw_endpoint *endpoint;
    char all[512];
    int code;

    if (cli_has(cli, OPT_ALT)) {
        code = select_alt(cli, address, (unsigned)cli_number(cli, OPT_ALT, 0));
        if (code)
            return code;
    }
    endpoint = uw_device_endpoint(cli->device, address);
    if (!endpoint) {
        list_endpoints(uw_device_active_config(cli->device), all, sizeof(all));
        return cli_usage("%s has no endpoint 0x%02x; it has %s", uw_device_name(cli->device),
                         address, all);
    }
    *ret_endpoint = endpoint;
    return 0;
}

unsigned
move_packets(const struct uw_endpoint *endpoint, size_t size)
{
    unsigned each = uw_endpoint_max_packet(endpoint);

    if (uw_endpoint_type(endpoint) != UW_ISOCHRONOUS || !each)
        return 0;
    return (unsigned)((size + each - 1) / each);
}

void
move_fill(struct cli *cli, struct uw_urb *urb, const struct uw_endpoint *endpoint, uint8_t *data,
          size_t size)
{
    unsigned packets = move_packets(endpoint, size), each = uw_endpoint_max_packet(endpoint);

    uw_urb_set_transfer(urb, cli->device, endpoint->bEndpointAddress, data, size);
    if (!packets)
        return;
    uw_urb_set_iso_lengths(urb, packets, each);
    uw_urb_set_iso_length(urb, packets - 1, (uint32_t)(size - (size_t)(packets - 1) * each));
    uw_urb_set_flags(urb, UW_URB_ISO_ASAP);
}
