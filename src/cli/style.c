#include "style.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
is_wanted(void)
{
    static int wanted = -1;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if (wanted < 0)
        wanted =
            !(no_color && *no_color) && term && strcmp(term, "dumb") != 0 && isatty(STDOUT_FILENO);
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
