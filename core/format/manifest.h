#ifndef HXS_FORMAT_MANIFEST_H
#define HXS_FORMAT_MANIFEST_H

/*
 * manifest.sha256, the checksum list of coreutils' sha256sum.
 *
 * A line is 64 lower-case hex digits, two blanks, the path, a newline; if the
 * path holds a newline, a carriage return or a backslash, the line begins
 * with a backslash and the path has \n, \r and \\ in their place.
 */
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

#include <stddef.h>

#define HXS_MANIFEST_NAME "manifest.sha256"
#define HXS_MANIFEST_MAX (256u << 20) /* bytes */

struct hxs_manifest;

struct hxs_manifest_line {
	const char *path; /* unescaped, without "./", NUL-terminated */
	size_t path_len;
	struct hxs_digest digest;
	size_t number; /* of the line in the text, from 1 */
};

/*
 * Parse the text of a manifest that some program wrote (@len bytes, no NUL
 * needed).
 *
 * Accepted besides the canonical form: '*' for the second blank, one leading
 * "./", lines in any order. Anything else is refused: upper-case digits, a
 * single blank, CRLF, BOM, a comment, an empty line, a NUL, an unknown
 * escape, an escape marker without need or a need without marker, a missing
 * last newline, a path that hxs_path_fault() refuses, a path twice, a path
 * that is both a file and a directory of another, the manifest itself, an
 * empty text.
 *
 * On success *@out is the caller's, its lines sorted bytewise by path.
 * -HXS_ECORRUPT (the message names the line), -ENOMEM.
 */
HXS_MUST_CHECK
int hxs_manifest_parse(const void *text, size_t len, struct hxs_manifest **out,
		       struct hxs_err *err);
void hxs_manifest_free(struct hxs_manifest *m);
HXS_AUTO_DEFINE(manifest, struct hxs_manifest *, hxs_manifest_free)

size_t hxs_manifest_count(const struct hxs_manifest *m);

/* Line @i in path order; borrowed. */
const struct hxs_manifest_line *hxs_manifest_line(const struct hxs_manifest *m,
						  size_t i);

/* The line for @path, or NULL. */
const struct hxs_manifest_line *hxs_manifest_find(const struct hxs_manifest *m,
						  const char *path);

/* Append one canonical line. Failures stay in the buffer's status. */
void hxs_manifest_append(struct hxs_buf *out, const struct hxs_digest *digest,
			 const char *path, size_t path_len);

#endif
