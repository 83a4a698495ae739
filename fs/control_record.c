/* What is put on record of commands: the audit log, and the daemon's own. */
#include "base/clock.h"
#include "base/log.h"
#include "fs/control_parts.h"
#include "store/audit.h"

#include <inttypes.h>
#include <string.h>

static void lock(struct hxfs_control *c)
{
	(void)pthread_mutex_lock(&c->lock); /* a plain mutex: cannot fail */
}

static void unlock(struct hxfs_control *c)
{
	(void)pthread_mutex_unlock(&c->lock);
}

static void append(struct hxfs_control *c, const struct hxs_audit *a,
		   struct hxfs_outcome *o)
{
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_audit_append(c->fs->store, a, &err) == 0)
		return;
	hxs_log_warn("%s", err.message);
	if (o->warnings < HXFS_WARNINGS)
		o->warning[o->warnings] = strdup(err.message);
	o->warnings++;
}

/* How much was left out until now. */
static void append_left_out(struct hxfs_control *c, struct hxfs_outcome *o)
{
	struct hxs_err why = HXS_ERR_INIT;
	struct hxs_audit a = {
		.act = "control",
		.from = "control",
		.message = why.message,
	};
	uint64_t count;

	lock(c);
	count = c->limit.left_out;
	c->limit.left_out = 0;
	a.uid = c->limit.uid;
	a.pid = c->limit.pid;
	unlock(c);
	if (count == 0)
		return;
	a.status = hxs_err_set(&why, HXS_EDENIED,
			       "%" PRIu64 " more, the last of them of this "
			       "user, came too fast to be recorded one by one; "
			       "none of them changed anything",
			       count);
	hxs_log_warn("control: %s", why.message);
	append(c, &a, o);
}

/* It changed nothing, and can be had as often as somebody wants. */
static bool is_harmless(const struct hxfs_outcome *o)
{
	if (o->status < 0)
		return !o->began;
	if (!o->command || o->result < 0)
		return false;
	return strcmp(o->command, hxfs_verb_name(HXFS_CANCEL)) == 0 ||
	       strcmp(o->command, hxfs_verb_name(HXFS_VERIFY)) == 0;
}

/* What cannot be recorded is told, and was done all the same. */
static void record(struct hxfs_control *c, const struct hxfs_ticket *t,
		   struct hxfs_outcome *o)
{
	int result = o->status < 0 ? o->status : o->result;
	const struct hxs_audit a = {
		.act = o->command ? o->command : "control",
		.env = o->env[0] ? o->env : NULL,
		.reference = o->reference[0] ? o->reference : NULL,
		.rollback_id = o->rollback_id[0] ? o->rollback_id : NULL,
		.from = "control",
		.uid = t->uid,
		.pid = t->pid,
		.status = result,
		.message = result < 0 ? o->err.message : NULL,
		.seconds = o->seconds,
	};

	append_left_out(c, o);
	append(c, &a, o);
}

static void log_outcome(const struct hxfs_ticket *t,
			const struct hxfs_outcome *o)
{
	const char *what = o->command ? o->command : "a write";

	if (o->status < 0 || o->result < 0)
		hxs_log_warn("control: %s of user %ld: %s", what, (long)t->uid,
			     o->err.message);
	else
		hxs_log_info("control: %s of user %ld: %s", what, (long)t->uid,
			     o->err.message);
}

void hxfs_control_record(struct hxfs_control *c, const struct hxfs_ticket *t,
			 struct hxfs_outcome *o)
{
	bool yes = true;

	if (is_harmless(o)) {
		lock(c);
		yes = hxfs_limit_take(&c->limit, hxs_clock_ticks(), t->uid,
				      t->pid);
		unlock(c);
	}
	if (!yes)
		return;
	record(c, t, o);
	log_outcome(t, o);
}

void hxfs_control_record_end(struct hxfs_control *c)
{
	struct hxfs_outcome o = { .command = NULL };

	append_left_out(c, &o);
	hxfs_outcome_release(&o);
}
