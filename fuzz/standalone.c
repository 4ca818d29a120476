/*
 * standalone.c - runs a fuzz target over files, without a fuzzer
 *
 * Arguments are files or folders of files. Each is given in memory of just its size.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static int
run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *all = malloc(INPUT_MAX), *exact;
    size_t size;

    if (!f || !all) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    size = fread(all, 1, INPUT_MAX, f);
    fclose(f);
    exact = malloc(size ? size : 1);
    if (!exact)
        exit(1);
    memcpy(exact, all, size);
    free(all);
    printf("%s: %zu bytes\n", path, size);
    fflush(stdout); /* the last line names the culprit */
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static int
run_path(const char *path)
{
    struct stat st;
    struct dirent *entry;
    DIR *dir;
    int n = 0;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return run_file(path);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        char inside[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        n += run_file(inside);
    }
    if (dir)
        closedir(dir);
    return n;
}

int
main(int argc, char **argv)
{
    int n = 0;

    for (int i = 1; i < argc; i++)
        n += run_path(argv[i]);
    printf("%d inputs\n", n);
    return n ? 0 : 1;
}
