#include "style.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
style_is_wanted(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0 && isatty(fd);
}

static int
is_wanted(void)
{
    static int wanted = -1;

    if (wanted < 0)
        wanted = style_is_wanted(STDOUT_FILENO);
    return wanted;
}

const char *
style_bold(void)
{
    return is_wanted() ? "\033[1m" : "";
}

const char *
style_plain(void)
{
    return is_wanted() ? "\033[0m" : "";
}
