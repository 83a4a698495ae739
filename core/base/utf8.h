#ifndef HXS_BASE_UTF8_H
#define HXS_BASE_UTF8_H

/* The one place that knows what valid UTF-8 is (RFC 3629). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length (1 to 4) of the character that begins the @len bytes at @s, its
 * code point in *@cp (may be NULL); 0 if they begin with no valid one: cut
 * off, overlong, a surrogate, above U+10FFFF.
 */
size_t hxs_utf8_char(const char *s, size_t len, uint32_t *cp);

/*
 * Whether a terminal acts on @cp instead of showing it: C0, DEL and C1, line
 * separators, and the marks that turn the writing direction.
 */
bool hxs_utf8_is_control(uint32_t cp);

#endif
