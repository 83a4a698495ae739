/* Open control files, what is known of the command under way. */
#include "fs/control_parts.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

static void lock(struct hxfs_control *c)
{
	(void)pthread_mutex_lock(&c->lock); /* a plain mutex: cannot fail */
}

static void unlock(struct hxfs_control *c)
{
	(void)pthread_mutex_unlock(&c->lock);
}

/* With the lock held. */
static void drop_reply(struct hxfs_reply *r)
{
	if (r && --r->refs == 0)
		free(r);
}

/* ---- the whole ----------------------------------------------------------- */

int hxfs_control_new(struct hxfs *fs, struct hxfs_control **out)
{
	const struct hxfs_outcome no_memory = {
		.status = -ENOMEM,
		.err = { .message = "there was no memory for the reply" },
	};
	struct hxfs_control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->fs = fs;
	c->tail = &c->first;
	/* Without attributes these three cannot fail. */
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->to_desk, NULL);
	(void)pthread_cond_init(&c->to_worker, NULL);
	c->last = hxfs_reply_new(NULL);
	c->out_of_memory = hxfs_reply_new(&no_memory);
	if (!c->last || !c->out_of_memory) {
		hxfs_control_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void hxfs_control_free(struct hxfs_control *c)
{
	if (!c)
		return;
	while (c->handles)
		hxfs_control_close(c, c->handles);
	drop_reply(c->last);
	drop_reply(c->out_of_memory);
	(void)pthread_cond_destroy(&c->to_worker);
	(void)pthread_cond_destroy(&c->to_desk);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

uint64_t hxfs_control_number(struct hxfs_control *c, enum hxfs_kind of,
			     uint32_t which)
{
	return hxfs_number_control(of, which,
				   (uint32_t)atomic_fetch_add(&c->serial, 1));
}

bool hxfs_control_now(struct hxfs_control *c, struct hxfs_operation *out)
{
	bool busy;

	if (!c)
		return false;
	lock(c);
	busy = c->busy;
	if (busy) {
		*out = c->now;
		out->seconds = hxs_clock_ticks() - c->began;
		out->cancelling = atomic_load(&c->cancelled);
	}
	unlock(c);
	return busy;
}

void hxfs_control_counts(struct hxfs_control *c, uint64_t *commands,
			 uint64_t *failures)
{
	*commands = *failures = 0;
	if (!c)
		return;
	lock(c);
	*commands = c->commands;
	*failures = c->failures;
	unlock(c);
}

/* ---- handles ------------------------------------------------------------- */

enum hxfs_place hxfs_control_place(const struct hxfs_node *node)
{
	return node->of == HXFS_IS_SNAPSHOT ? HXFS_AT_SNAPSHOT
	       : node->of == HXFS_IS_ENV    ? HXFS_AT_ENV
					    : HXFS_AT_ROOT;
}

/* With the lock held: from now on @h shows @r. */
static void show(struct hxfs_control_handle *h, struct hxfs_reply *r)
{
	r->refs++;
	drop_reply(h->reply);
	h->reply = r;
}

int hxfs_control_open(struct hxfs_control *c, const struct hxfs_node *node,
		      struct hxfs_control_handle **out)
{
	struct hxfs_control_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->node = *node;
	h->line = (struct hxfs_line)HXFS_LINE_INIT;
	lock(c);
	show(h, c->last);
	h->next = c->handles;
	h->link = &c->handles;
	if (h->next)
		h->next->link = &h->next;
	c->handles = h;
	unlock(c);
	*out = h;
	return 0;
}

/* A line that was begun and never ended: who looks shall find out. */
static void tell_unended(struct hxfs_control *c,
			 const struct hxfs_control_handle *h)
{
	struct hxfs_outcome o = {
		.status = -HXS_EUSAGE,
		.err = { .message = "the last line was no command and had no "
				    "newline; nothing was done" },
	};
	struct hxfs_reply *r;

	if (h->line.text.len == 0)
		return;
	hxs_log_warn("control: %s", o.err.message);
	r = hxfs_reply_new(&o);
	if (!r)
		return;
	lock(c);
	drop_reply(c->last);
	c->last = r;
	unlock(c);
}

void hxfs_control_close(struct hxfs_control *c, struct hxfs_control_handle *h)
{
	tell_unended(c, h);
	lock(c);
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	drop_reply(h->reply);
	unlock(c);
	hxfs_line_release(&h->line);
	free(h);
}

ssize_t hxfs_control_read(struct hxfs_control *c, struct hxfs_control_handle *h,
			  uint64_t off, char *buf, size_t len)
{
	size_t from;

	lock(c);
	if (off == 0) {
		h->cursor = 0;
		if (!h->wrote)
			show(h, c->last);
	}
	/* To who writes and reads, the file's place means nothing. */
	from = h->wrote		     ? h->cursor
	       : off < h->reply->len ? (size_t)off
				     : h->reply->len;
	if (len > h->reply->len - from)
		len = h->reply->len - from;
	memcpy(buf, h->reply->text + from, len);
	h->cursor = from + len;
	unlock(c);
	return (ssize_t)len;
}

/* ---- writes -------------------------------------------------------------- */

int hxfs_control_take(struct hxfs_control *c, struct hxfs_ticket *t,
		      const char *buf, size_t size)
{
	struct hxfs_control_handle *h = t->h;
	int r;

	lock(c);
	if (h->busy) {
		/* Only whoever shares the open file can come here. */
		t->status = hxs_err_set(&t->err, HXS_EBUSY,
					"an earlier write to this open file "
					"is not done yet");
		t->h = NULL; /* the reply is that one's */
		unlock(c);
		return 1;
	}
	r = hxfs_line_feed(&h->line, hxfs_control_place(&h->node), buf, size,
			   &t->taken, &t->err);
	if (r > 0) {
		t->line = hxs_buf_steal(&h->line.text, &t->len);
		if (!t->line)
			r = hxs_err_errno(&t->err, ENOMEM,
					  "cannot read the command");
	}
	h->busy = r != 0;
	unlock(c);
	if (r < 0)
		t->status = r;
	return r != 0;
}

void hxfs_ticket_release(struct hxfs_ticket *t)
{
	free(t->line);
	t->line = NULL;
}

/* With the lock held. */
static void hand_over(struct hxfs_control *c, struct hxfs_ticket *t,
		      struct hxfs_reply *r)
{
	drop_reply(c->last);
	c->last = r;
	if (!t->h)
		return;
	show(t->h, r);
	t->h->wrote = true;
	t->h->cursor = 0;
	t->h->busy = false;
}

void hxfs_control_show(struct hxfs_control *c, struct hxfs_ticket *t,
		       const struct hxfs_outcome *o)
{
	struct hxfs_reply *r = hxfs_reply_new(o);

	lock(c);
	if (!r) {
		r = c->out_of_memory;
		r->refs++;
	}
	hand_over(c, t, r);
	c->commands++;
	c->failures += o->status < 0;
	unlock(c);
}
