/*
 * Requests for control files.
 *
 * The kernel has checked the file's mode when it was opened. Here the opener
 * is checked once more, and then everybody who writes: an open file can be
 * inherited by, or passed to, a program that may do less or more.
 */
#include "fs/ops_control.h"

#include "fs/control.h"
#include "fs/files.h"
#include "fs/nodes.h"

#include <errno.h>
#include <string.h>

bool hxfs_is_control(uint64_t ino)
{
	struct hxfs_node node;

	hxfs_number_decode(ino, &node);
	return node.kind == HXFS_IS_CONTROL;
}

static struct hxfs_control_handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct hxfs_control_handle *)(uintptr_t)fi->fh;
}

/* ---- tickets ------------------------------------------------------------- */

struct request {
	struct hxfs_ticket ticket; /* first */
	fuse_req_t req;
};

/*
 * In the thread that received the interrupt, or at once in the registering
 * one, with the request locked: it is only noted. What the signal means is
 * found out by the command, which answers when all is as it was.
 */
static void interrupted(fuse_req_t req HXS_UNUSED, void *data)
{
	struct hxfs_ticket *t = data;

	atomic_store(&t->interrupted, true);
}

static void answer(struct hxfs_ticket *t, int r)
{
	struct request *q = (struct request *)t;

	/* Waits for an interrupt that is just being noted. */
	fuse_req_interrupt_func(q->req, NULL, NULL);
	if (r < 0) /* that nobody waits any more is no failure */
		(void)fuse_reply_err(q->req, hxs_err_to_errno(r));
	else
		(void)fuse_reply_write(q->req, t->taken);
	hxfs_ticket_release(t);
	free(q);
}

static struct request *new_request(const struct hxfs_call *c)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(c->req);
	struct request *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->req = c->req;
	q->ticket.uid = ctx->uid;
	q->ticket.pid = ctx->pid;
	q->ticket.answer = answer;
	return q;
}

static void refuse_stranger(struct hxfs_ticket *t, const char *what)
{
	t->status = hxs_err_set(&t->err, HXS_EDENIED,
				"user %ld may not %s a control file of this "
				"mount",
				(long)t->uid, what);
}

/* ---- the requests -------------------------------------------------------- */

static void open_handle(struct hxfs_call *c, struct fuse_file_info *fi)
{
	struct hxfs_control_handle *h;
	struct hxfs_node node;
	int r;

	hxfs_number_decode(c->ino, &node);
	r = hxfs_control_open(c->fs->control, &node, &h);
	if (r < 0) {
		(void)fuse_reply_err(c->req, hxs_err_to_errno(r));
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)h;
	fi->direct_io = 1; /* each write is one, each read is asked for */
	fi->noflush = 1;
	/* When the client has gone meanwhile no release will come. */
	if (fuse_reply_open(c->req, fi) < 0)
		hxfs_control_close(c->fs->control, h);
}

/* Truncating is no command: a shell does it with every '>'. */
void hxfs_control_op_open(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	struct hxfs_call c;
	struct request *q;

	hxfs_call_init(&c, req, ino, NULL);
	hxfs_call_know_caller(&c);
	if (!c.stranger) {
		open_handle(&c, fi);
		return;
	}
	q = new_request(&c);
	if (!q) {
		(void)fuse_reply_err(req, EACCES);
		return;
	}
	refuse_stranger(&q->ticket, "open");
	hxfs_control_submit(c.fs->control, &q->ticket);
}

void hxfs_control_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
			   size_t size, struct fuse_file_info *fi)
{
	struct hxfs_call c;
	struct request *q;

	hxfs_call_init(&c, req, ino, NULL);
	hxfs_call_know_caller(&c);
	q = new_request(&c);
	if (!q) {
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	if (c.stranger) {
		refuse_stranger(&q->ticket, "write to");
	} else {
		q->ticket.h = handle_of(fi);
		if (hxfs_control_take(c.fs->control, &q->ticket, buf, size) ==
		    0) {
			answer(&q->ticket, 0);
			return;
		}
	}
	fuse_req_interrupt_func(req, interrupted, &q->ticket);
	hxfs_control_submit(c.fs->control, &q->ticket);
}

void hxfs_control_op_read(fuse_req_t req, size_t size, off_t off,
			  struct fuse_file_info *fi)
{
	struct hxfs_mount *m = fuse_req_userdata(req);
	struct hxs_scratch *scratch = hxfs_call_scratch(m);
	ssize_t n = -ENOMEM;

	if (scratch && hxfs_files_room(scratch, size) == 0)
		n = hxfs_control_read(m->fs->control, handle_of(fi),
				      (uint64_t)off, scratch->mem, size);
	if (n < 0)
		(void)fuse_reply_err(req, hxs_err_to_errno((int)n));
	else
		(void)fuse_reply_buf(req, scratch->mem, (size_t)n);
}

void hxfs_control_op_release(fuse_req_t req, struct fuse_file_info *fi)
{
	struct hxfs_mount *m = fuse_req_userdata(req);

	hxfs_control_close(m->fs->control, handle_of(fi));
	(void)fuse_reply_err(req, 0);
}

/* Size 0 and times are as good as done; who may use it stays as it is. */
void hxfs_control_op_setattr(fuse_req_t req, fuse_ino_t ino,
			     const struct stat *attr, int to_set)
{
	struct hxfs_mount *m = fuse_req_userdata(req);
	struct hxfs_node node;
	struct stat st;

	if (to_set &
	    (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		(void)fuse_reply_err(req, EPERM);
		return;
	}
	if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size != 0) {
		(void)fuse_reply_err(req, EINVAL);
		return;
	}
	hxfs_number_decode(ino, &node);
	hxfs_stat_control(m->fs, &node, &st);
	(void)fuse_reply_attr(req, &st, 0);
}
