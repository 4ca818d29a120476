#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "number.h"

/* Hex digits of --data or of the operands, one after the other. */
static int
take_hex(struct input *input, const char *where, const char *text)
{
    size_t bad = 0;
    long n = number_parse_bytes(text, NULL, 0, &bad);
    uint8_t *more;

    if (n < 0)
        return cli_usage("%s \"%s\" is not hexadecimal from \"%s\" on; pairs of digits are "
                         "accepted, with blanks or colons between them, such as \"01 ff\"",
                         where, text, text + bad);
    more = realloc(input->bytes, input->size + (size_t)n + 1);
    if (!more)
        return cli_error("out of memory");
    input->bytes = more;
    number_parse_bytes(text, input->bytes + input->size, (size_t)n, &bad);
    input->size += (size_t)n;
    return 0;
}

static int
take_text(struct input *input, const char *text)
{
    input->bytes = (uint8_t *)strdup(text);
    input->size = strlen(text);
    return input->bytes ? 0 : cli_error("out of memory");
}

static int
open_file(struct input *input, const char *name)
{
    input->name = strcmp(name, "-") == 0 ? "standard input" : name;
    input->file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (!input->file)
        return cli_usage("--data-file \"%s\" cannot be read: %s", name, strerror(errno));
    return 0;
}

int
input_open(struct input *input, const struct cli *cli, int optional)
{
    const char *data = cli_text(cli, OPT_DATA, NULL), *text = cli_text(cli, OPT_TEXT, NULL);
    const char *file = cli_text(cli, OPT_DATA_FILE, NULL);
    int sources = !!data + !!text + !!file + (cli->num_operands > 0), code = 0;

    memset(input, 0, sizeof(*input));
    if (sources > 1)
        return cli_usage("the data to send is given more than once; give one of HEX, --data, "
                         "--text and --data-file");
    if (!sources && !optional)
        return cli_usage("the data to send is missing; give HEX, --data HEX, --text TEXT or "
                         "--data-file FILE");
    if (file)
        return open_file(input, file);
    if (text)
        return take_text(input, text);
    if (data)
        return take_hex(input, "--data", data);
    for (int i = 0; i < cli->num_operands && !code; i++)
        code = take_hex(input, "the data", cli->operands[i]);
    return code;
}

void
input_close(struct input *input)
{
    free(input->bytes);
    if (input->file && input->file != stdin)
        fclose(input->file);
}

long
input_read(struct input *input, uint8_t *buf, size_t size)
{
    size_t n;

    if (!input->file) {
        n = input->size - input->at < size ? input->size - input->at : size;
        if (n)
            memcpy(buf, input->bytes + input->at, n);
        input->at += n;
        return (long)n;
    }
    n = fread(buf, 1, size, input->file);
    if (n < size && ferror(input->file) && !cli_interrupted()) {
        cli_error("%s could not be read: %s", input->name, strerror(errno));
        return -1;
    }
    return (long)n;
}

int
input_at_end(struct input *input)
{
    int c;

    if (!input->file)
        return input->at == input->size;
    c = getc(input->file);
    if (c == EOF)
        return 1;
    ungetc(c, input->file);
    return 0;
}

int
input_rewind(struct input *input)
{
    input->at = 0;
    return !input->file || fseek(input->file, 0, SEEK_SET) == 0;
}

uint64_t
input_size(const struct input *input)
{
    struct stat st;

    if (!input->file)
        return input->size;
    if (fstat(fileno(input->file), &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    return (uint64_t)st.st_size;
}
