#ifndef HXFS_FILES_H
#define HXFS_FILES_H

/* Reading the files of snapshots, and the texts of .status and .metrics. */
#include "fs/hxfs.h"

/* An open file: an entry's content, or a text made when it was opened. */
struct hxfs_handle;

/*
 * Open entry @n of slot @slot. The slot stays pinned until it is closed.
 * -EAGAIN and -EINPROGRESS if this may take longer than @patience, -ECANCELED
 * if @stop (may be NULL) wanted it. Damage is put down as a fault.
 */
HXS_MUST_CHECK
int hxfs_files_open(struct hxfs *fs, uint32_t slot, uint32_t n,
		    enum hxfs_patience patience, const struct hxs_stop *stop,
		    struct hxfs_handle **out, struct hxs_err *err);

/* A handle on @text, which it owns from the call on, even if it fails. */
HXS_MUST_CHECK
int hxfs_files_text(struct hxfs *fs, char *text, size_t len,
		    struct hxfs_handle **out);
void hxfs_files_close(struct hxfs *fs, struct hxfs_handle *h);

/* Make room for @len bytes in @scratch; -ENOMEM. */
HXS_MUST_CHECK
int hxfs_files_room(struct hxs_scratch *scratch, size_t len);

/* Close what nobody closed. No other thread uses @fs any more. */
void hxfs_files_close_all(struct hxfs *fs);

/* As hxs_content_read(); damage is put down as a fault. */
HXS_MUST_CHECK
ssize_t hxfs_files_read(struct hxfs *fs, struct hxfs_handle *h, uint64_t off,
			size_t len, struct hxs_scratch *scratch,
			const void **out, struct hxs_err *err);

/*
 * The same for an entry that nobody opened (fs->no_open): a limited number
 * of files is kept open behind it. The slot is pinned only during the call.
 */
HXS_MUST_CHECK
ssize_t hxfs_files_read_entry(struct hxfs *fs, uint32_t slot, uint32_t n,
			      enum hxfs_patience patience,
			      const struct hxs_stop *stop, uint64_t off,
			      size_t len, struct hxs_scratch *scratch,
			      const void **out, struct hxs_err *err);

/* At most @max (and 128) files are kept open. */
HXS_MUST_CHECK
int hxfs_files_new(size_t max, struct hxfs_files **out);
void hxfs_files_free(struct hxfs_files *f); /* takes NULL */

/* Close what is kept open of slot @slot. */
void hxfs_files_drop(struct hxfs *fs, uint32_t slot);

/*
 * Where the kernel opens files by itself it trusts their sizes, so each text
 * asked for is a node of its own, whose bytes stay as they are. The newest
 * few are kept.
 */
HXS_MUST_CHECK
int hxfs_texts_new(struct hxfs_texts **out);
void hxfs_texts_free(struct hxfs_texts *t); /* takes NULL */

/* Owns @text from the call on; @ino is the node whose text it is. */
void hxfs_texts_add(struct hxfs_texts *t, uint64_t ino, char *text, size_t len,
		    uint64_t *serial);

/* Its length, or -ESTALE; at most @len bytes from @off are put in *@out. */
int64_t hxfs_texts_size(struct hxfs_texts *t, uint64_t serial, uint64_t *ino);
ssize_t hxfs_texts_read(struct hxfs_texts *t, uint64_t serial, uint64_t off,
			size_t len, struct hxs_scratch *scratch,
			const void **out);

#endif
