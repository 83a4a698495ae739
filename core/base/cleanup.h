#ifndef HXS_BASE_CLEANUP_H
#define HXS_BASE_CLEANUP_H

/*
 * Attributes, and locals that free what they own.
 *
 *	HXS_AUTO_FREE char *buf = NULL;
 *	HXS_AUTO_CLOSE int fd = -1;
 *	...
 *	*out = HXS_STEAL(buf);
 *
 * A type of our own gets its spelling beside its declaration:
 *
 *	HXS_AUTO_DEFINE(hxs_manifest, struct hxs_manifest *, hxs_manifest_free)
 *	HXS_AUTO(hxs_manifest) struct hxs_manifest *m = NULL;
 */
#include <stdlib.h>
#include <unistd.h>

#define HXS_MUST_CHECK __attribute__((warn_unused_result))
#define HXS_UNUSED __attribute__((unused))
#define HXS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HXS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define HXS_AUTO_DEFINE(name, type, release)        \
	static inline void hxs_auto_##name(type *p) \
	{                                           \
		if (*p)                             \
			release(*p);                \
	}
#define HXS_AUTO(name) __attribute__((cleanup(hxs_auto_##name)))

/* The value of @p, which is set to NULL: the owner has changed. */
#define HXS_STEAL(p)                         \
	({                                   \
		__typeof__(p) stolen_ = (p); \
		(p) = NULL;                  \
		stolen_;                     \
	})
#define HXS_STEAL_FD(fd)            \
	({                          \
		int stolen_ = (fd); \
		(fd) = -1;          \
		stolen_;            \
	})

static inline void hxs_auto_free(void *p)
{
	free(*(void **)p);
}

static inline void hxs_auto_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written through it */
}

#define HXS_AUTO_FREE __attribute__((cleanup(hxs_auto_free)))
#define HXS_AUTO_CLOSE __attribute__((cleanup(hxs_auto_close)))

#endif
