#ifndef HXS_BASE_UTF8_H
#define HXS_BASE_UTF8_H

/* The one place that knows what valid UTF-8 is (RFC 3629). */
#include <stddef.h>
#include <stdint.h>

/*
 * The length (1 to 4) of the character that begins the @len bytes at @s, its
 * code point in *@cp (may be NULL); 0 if they begin with no valid one: cut
 * off, overlong, a surrogate, above U+10FFFF.
 */
size_t hxs_utf8_char(const char *s, size_t len, uint32_t *cp);

#endif
