/*
 * profile.c - finding and refining the profile of a server
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "engine/profile.h"
#include "wire/shared.h"

static const struct uw_profile profiles[UW_PROFILE_COUNT] = {
#define UW_PROFILE_X(id, name, text, path, busid, dialect, n, scope, per_ep, in, out, flags)       \
    [UW_PROFILE_##id] = {name, text, path, busid, dialect, n, scope, per_ep, in, out, flags},
#include "engine/profiles.def"
#undef UW_PROFILE_X
};

/* What a profile becomes once its server was seen doing something that it would not do. */
static const struct {
    enum uw_profile_id from;
    enum uw_observation seen;
    enum uw_profile_id to;
} refinements[] = {
    {UW_PROFILE_ESP_BRIDGE, UW_SEEN_READ_TIMEOUT, UW_PROFILE_ESP_BRIDGE_8},
    {UW_PROFILE_ESP_BRIDGE, UW_SEEN_OUT_LENGTH, UW_PROFILE_ESP_BRIDGE_S31},
    {UW_PROFILE_ESP_BRIDGE_8, UW_SEEN_OUT_LENGTH, UW_PROFILE_ESP_BRIDGE_S31},
};

const struct uw_profile *
uw_profile_get(enum uw_profile_id id)
{
    return &profiles[id];
}

const struct uw_profile *
uw_profile_by_name(const char *name)
{
    for (size_t i = 0; i < UW_PROFILE_COUNT; i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

const struct uw_profile *
uw_profile_recognise(const struct uw_device_info *info)
{
    for (size_t i = 0; i < UW_PROFILE_COUNT; i++) {
        const struct uw_profile *p = &profiles[i];

        if (p->path && fnmatch(p->path, info->path, 0) == 0 &&
            (!p->busid || fnmatch(p->busid, info->busid, 0) == 0))
            return p;
    }
    return &profiles[UW_PROFILE_LINUX];
}

const struct uw_profile *
uw_profile_origin(const char *path)
{
    char name[32];
    const struct uw_profile *p;

    if (sscanf(path, UW_SHARED_PATH "%31[^:]", name) != 1)
        name[0] = '\0';
    p = uw_profile_by_name(name);
    return p ? p : &profiles[UW_PROFILE_LINUX];
}

const struct uw_profile *
uw_profile_refine(const struct uw_profile *profile, enum uw_observation seen)
{
    for (size_t i = 0; i < sizeof(refinements) / sizeof(refinements[0]); i++)
        if (profile == &profiles[refinements[i].from] && seen == refinements[i].seen)
            return &profiles[refinements[i].to];
    return profile;
}

const char *
uw_profile_name(unsigned index)
{
    return index < UW_PROFILE_COUNT ? profiles[index].name : NULL;
}

const char *
uw_profile_text(unsigned index)
{
    return index < UW_PROFILE_COUNT ? profiles[index].text : NULL;
}
