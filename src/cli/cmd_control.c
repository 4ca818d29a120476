/*
 * cmd_control.c - usbwire control: one control transfer
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "hexdump.h"
#include "input.h"
#include "json.h"
#include "move.h"
#include "progress.h"

#define LENGTH_MAX 65535

struct request {
    uint8_t request_type, request;
    uint16_t value, index, length;
    int in;
    uint8_t data[LENGTH_MAX + 1]; /* one more, to see that there is too much */
};

/* Direction and request type, each of which says something about the other. */
static int
read_direction(const struct cli *cli, struct request *r)
{
    int in = cli_number(cli, OPT_DIRECTION, 1) == 0;
    uint8_t type = (uint8_t)cli_number(cli, OPT_REQUEST_TYPE, in ? 0x80 : 0);

    if (!cli_has(cli, OPT_DIRECTION) && !cli_has(cli, OPT_REQUEST_TYPE))
        return cli_usage("--direction and --bm-request-type are missing; give one of them at "
                         "least, such as --direction in");
    if (cli_has(cli, OPT_DIRECTION) && in != (type >> 7))
        return cli_usage("--direction %s does not fit --bm-request-type 0x%02x, whose bit 7 says "
                         "%s",
                         in ? "in" : "out", type, in ? "out" : "in");
    r->request_type = type;
    r->in = type >> 7;
    return 0;
}

static int
read_data(const struct cli *cli, struct request *r)
{
    struct input input;
    int code = input_open(&input, cli, 1);
    long n = 0;

    if (!code) {
        n = input_read(&input, r->data, sizeof(r->data));
        code = n < 0 ? CLI_FAILED : 0;
    }
    input_close(&input);
    if (code)
        return code;
    if (n > LENGTH_MAX)
        return cli_usage("the data to send is longer than %d bytes, the most that a control "
                         "transfer can carry",
                         LENGTH_MAX);
    if (cli_has(cli, OPT_LENGTH) && cli_number(cli, OPT_LENGTH, 0) != (uint64_t)n)
        return cli_usage("--length %s does not fit the data to send, which has %ld byte%s",
                         cli_text(cli, OPT_LENGTH, ""), n, n == 1 ? "" : "s");
    r->length = (uint16_t)n;
    return 0;
}

static int
read_request(const struct cli *cli, struct request *r)
{
    uint64_t length = cli_number(cli, OPT_LENGTH, 0);
    int code = read_direction(cli, r);

    if (code)
        return code;
    if (!cli_has(cli, OPT_REQUEST))
        return cli_usage("--b-request is missing; it is the number of the request, such as 0x06");
    r->request = (uint8_t)cli_number(cli, OPT_REQUEST, 0);
    r->value = (uint16_t)cli_number(cli, OPT_VALUE, 0);
    r->index = (uint16_t)cli_number(cli, OPT_INDEX, 0);
    if (!r->in)
        return read_data(cli, r);
    if (cli_has(cli, OPT_DATA) || cli_has(cli, OPT_DATA_FILE) || cli_has(cli, OPT_TEXT))
        return cli_usage("data to send is given for a request whose direction is in; leave it out "
                         "or choose --direction out");
    if (!cli_has(cli, OPT_LENGTH))
        return cli_usage("--length is missing; it is how many bytes to ask the device for");
    if (length > LENGTH_MAX)
        return cli_usage("--length %s is more than %d, the most that a control transfer can carry",
                         cli_text(cli, OPT_LENGTH, ""), LENGTH_MAX);
    r->length = (uint16_t)length;
    return cli_check_raw(cli);
}

static int
print_json(const struct request *r, size_t actual, const struct uw_fault *fault)
{
    return json_print(json_pack("{si si si si si sI so so}", "bm_request_type", r->request_type,
                                "b_request", r->request, "w_value", r->value, "w_index", r->index,
                                "length", r->length, "actual_length", (json_int_t)actual, "data",
                                r->in ? json_bytes(r->data, actual) : json_null(), "error",
                                json_fault(fault)));
}

static int
print_result(const struct cli *cli, const struct request *r, size_t actual,
             const struct uw_fault *fault)
{
    char bytes[32];

    if (cli_has(cli, OPT_JSON))
        return print_json(r, actual, fault);
    if (cli_has(cli, OPT_RAW))
        fwrite(r->data, 1, r->in ? actual : 0, stdout);
    else if (r->in)
        hexdump(stdout, 0, r->data, actual);
    else if (!fault->code && !cli_has(cli, OPT_QUIET))
        printf("%s: %s sent\n", uw_device_name(cli->device),
               progress_bytes(actual, bytes, sizeof(bytes)));
    if (r->in && r->length && !actual && !fault->code)
        cli_remark(cli, "%s: the device answered with no data", uw_device_name(cli->device));
    return cli_flush();
}

static int
transfer(struct cli *cli, struct request *r)
{
    struct uw_fault fault = {0};
    struct uw_queue *queue = NULL;
    struct uw_urb *urb = NULL;
    int code = cli_choose(cli), printed;

    if (!code && (uw_queue_new(cli->loop, &queue) < 0 || uw_urb_new(0, &urb) < 0))
        code = cli_error("out of memory");
    if (!code) {
        cli_end_cleanly(cli);
        uw_urb_set_control(urb, cli->device, r->request_type, r->request, r->value, r->index,
                           r->data, r->length);
        uw_urb_set_timeout(urb, cli_timeout(cli));
        if (move_run(queue, urb, &fault) < 0)
            code = move_failed(cli, &fault);
        printed = print_result(cli, r, uw_urb_actual_length(urb), &fault);
        code = code ? code : printed;
    }
    uw_urb_free(urb);
    uw_queue_free(queue);
    return code;
}

int
cmd_control(struct cli *cli)
{
    struct request *r = calloc(1, sizeof(*r));
    int code;

    if (!r)
        return cli_error("out of memory");
    code = read_request(cli, r);
    if (!code)
        code = transfer(cli, r);
    free(r);
    return code;
}
