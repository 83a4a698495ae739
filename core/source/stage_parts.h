#ifndef HXS_SOURCE_STAGE_PARTS_H
#define HXS_SOURCE_STAGE_PARTS_H

/* What staging is made of. For stage*.c only. */
#include "base/buf.h"
#include "source/stage.h"

/* One name of an inode that has several. */
struct hxs_stage_twin {
	uint32_t leader, entry; /* sorted by both */
};

/* One call under way: what is below entry @top, as @name in @dirfd. */
struct hxs_stage_run {
	struct hxs_stage *s;
	const struct hxs_index *idx;
	struct hxs_capture cap; /* the ears, the first failure, what is done */
	uint32_t top;
	int dirfd;
	const char *name;
	int top_fd; /* the top, if a directory, once it is there */
	bool narrow_umask; /* it takes bits from the owner */
	uint32_t *dirs; /* breadth first, the top included */
	size_t dir_count, dir_cap;
	struct hxs_stage_twin *twins;
	size_t twin_count, twin_cap;
	bool no_clone; /* atomic */
	/* What could not be set; guarded by cap.lock. */
	struct {
		uint64_t count;
		uint32_t entry; /* the lowest of those */
		const char *what;
	} lost;
};

/* ---- stage.c ----------------------------------------------------------- */

/* Collect directories and twins. -ENOMEM. */
HXS_MUST_CHECK
int hxs_stage_begin(struct hxs_stage_run *run, struct hxs_stage *s,
		    uint32_t entry, int dirfd, const char *name,
		    struct hxs_err *err);

/* Say what was lost, keep count, release; @r, which is what it returns. */
int hxs_stage_end(struct hxs_stage_run *run, int r, struct hxs_err *err);

/* A path as a person should see it, never NULL. */
const char *hxs_stage_show(const struct hxs_stage_run *run, uint32_t entry,
			   struct hxs_buf *out);

/* What entry @node is called where it is staged. */
const char *hxs_stage_name(const struct hxs_stage_run *run,
			   const struct hxs_node *node);

/* A handle on staged directory @entry, on dirfd for the top's parent. */
int hxs_stage_open_dir(const struct hxs_stage_run *run, uint32_t entry);
int hxs_stage_open_parent(const struct hxs_stage_run *run, uint32_t entry);

/* Whether @node is another name of something that is staged by its first. */
bool hxs_stage_is_twin(const struct hxs_stage_run *run,
		       const struct hxs_node *node);

/* Keep the first failure of any thread, and with it the fault it met. */
void hxs_stage_fail(struct hxs_stage_run *run, int r,
		    const struct hxs_fault *fault, const struct hxs_err *err);

/* ---- stage_jobs.c ------------------------------------------------------ */

/* Stage every file and link that is no twin, on the pool. */
HXS_MUST_CHECK
int hxs_stage_files(struct hxs_stage_run *run, struct hxs_err *err);

/* ---- stage_file.c ------------------------------------------------------ */

/* One regular file on its way. */
struct hxs_stage_file {
	struct hxs_stage_run *run;
	struct hxs_node node;
	struct hxs_content *content;
	int fd;
	bool cloned, holes;
	uint64_t told; /* bytes already counted as done */
};

/* Open its content, create it as @name in @dir, clone it if that can be. */
HXS_MUST_CHECK
int hxs_stage_file_open(struct hxs_stage_file *f, int dir, const char *name,
			struct hxs_fault *fault, struct hxs_err *err);

/*
 * Write bytes [@off, @end), or if it is a clone check them; both are at the
 * boundary of a block or the end. Several threads may do so at once, but not
 * with a foreign snapshot's file, of which it must be all.
 */
HXS_MUST_CHECK
int hxs_stage_file_fill(struct hxs_stage_file *f, uint64_t off, uint64_t end,
			struct hxs_scratch *scratch, struct hxs_fault *fault,
			struct hxs_err *err);

/* What comes after the bytes, and closing it. */
HXS_MUST_CHECK
int hxs_stage_file_finish(struct hxs_stage_file *f, struct hxs_err *err);

/* Close what is still open. */
void hxs_stage_file_release(struct hxs_stage_file *f);

/* All of it at once; a symbolic link. */
HXS_MUST_CHECK
int hxs_stage_file(struct hxs_stage_run *run, const struct hxs_node *node,
		   int dir, struct hxs_scratch *scratch,
		   struct hxs_fault *fault, struct hxs_err *err);
HXS_MUST_CHECK
int hxs_stage_link(struct hxs_stage_run *run, const struct hxs_node *node,
		   int dir, struct hxs_err *err);

/* ---- stage_attributes.c ------------------------------------------------ */

/* Owner, extended attributes, mode and times of a file or directory. */
HXS_MUST_CHECK
int hxs_stage_set(struct hxs_stage_run *run, const struct hxs_node *node,
		  int fd, struct hxs_err *err);

/* The same for symbolic link @name in @dir. */
HXS_MUST_CHECK
int hxs_stage_set_link(struct hxs_stage_run *run, const struct hxs_node *node,
		       int dir, const char *name, struct hxs_err *err);

/* Count something that could not be had; @what is a static string. */
void hxs_stage_lose(struct hxs_stage_run *run, const struct hxs_node *node,
		    const char *what);

/* The one warning about all of that, if there is any. */
void hxs_stage_tell_lost(struct hxs_stage_run *run);

#endif
