#ifndef HXS_BASE_PATH_H
#define HXS_BASE_PATH_H

/*
 * Checking names that strangers chose, and showing them.
 *
 * A stored path is relative, bytes other than NUL, components joined by
 * single slashes: no leading or trailing slash, no empty component, no "."
 * and no "..", no component over 255 bytes, at most HXS_PATH_DEPTH_MAX
 * components and HXS_PATH_LEN_MAX bytes.
 */
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define HXS_NAME_MAX 255
#define HXS_PATH_DEPTH_MAX 4096
#define HXS_PATH_LEN_MAX (1024 * 1024)

/* NULL if @path is acceptable, else the reason ("a component is '..'"). */
const char *hxs_path_fault(const char *path, size_t len);

/* The same for one component. */
const char *hxs_path_name_fault(const char *name, size_t len);

/* An environment's or source's name: [a-z0-9][a-z0-9_-]{0,63}. */
bool hxs_path_is_name(const char *s);

/*
 * Append @s as a person should see it: control bytes, DEL and bytes that are
 * not valid UTF-8 become \n, \t, \r, \\ or \ooo. Reversible.
 */
int hxs_path_show(struct hxs_buf *out, const char *s, size_t len);

/* The bytes that it made @shown of: the caller's, or NULL without memory. */
char *hxs_path_unshow(const char *shown);

/* Whether @s holds nothing that a terminal would act on. */
bool hxs_path_is_plain(const char *s, size_t len);

#endif
