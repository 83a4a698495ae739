/*
 * What a monitor collects from a file. The file is replaced whole, and
 * whatever was found, so that what it said before does not outlive its truth.
 */
#include "tools/check_out.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "hxsnap_check_"
#define ENV(name) PREFIX name "{environment=\"%s\"} "

/*
 * Every result that is ignored here stays in the buffer's status. Names of
 * environments need no escapes.
 */

static void head(struct hxs_buf *b, const char *name, const char *help)
{
	(void)hxs_buf_printf(b,
			     "# HELP " PREFIX "%s %s\n# TYPE " PREFIX
			     "%s gauge\n",
			     name, help, name);
}

static void put_states(const struct hxs_check_facts *f,
		       const struct hxs_check_report *r, struct hxs_buf *b)
{
	enum hxs_check_state s;

	head(b, "state",
	     "The worst of all: 0 ok, 1 warning, 2 critical, 3 unknown.");
	(void)hxs_buf_printf(b, PREFIX "state %d\n", (int)r->state);
	head(b, "timestamp_seconds", "When it was looked at.");
	(void)hxs_buf_printf(b, PREFIX "timestamp_seconds %" PRId64 "\n",
			     f->now);
	head(b, "findings", "What was found to be wrong.");
	for (s = HXS_CHECK_WARNING; s <= HXS_CHECK_UNKNOWN; s++)
		(void)hxs_buf_printf(b, PREFIX "findings{state=\"%s\"} %zu\n",
				     hxs_check_state_name(s), r->states[s]);
}

/* Those of environment number @i, or of the store. */
static void put_conditions_of(const struct hxs_check_facts *f,
			      const struct hxs_check_report *r, size_t i,
			      bool judged, struct hxs_buf *b)
{
	const char *env = i < f->env_count ? f->envs[i].name : "";
	enum hxs_check_condition c =
		*env ? HXS_CHECK_BACKUP : HXS_CHECK_ENV_CONDITIONS;
	bool is;

	for (; c < HXS_CHECK_CONDITIONS; c++) {
		/* That nothing could be done is told in any case. */
		is = hxs_check_is_judged(r, i, c) ||
		     hxs_check_state_of(r, env, c) != HXS_CHECK_OK;
		if (!judged && !is)
			continue;
		(void)hxs_buf_printf(
			b,
			PREFIX "%s{environment=\"%s\",condition=\"%s\"} %d\n",
			judged ? "condition_judged" : "condition_state", env,
			hxs_check_condition_name(c),
			judged ? is : (int)hxs_check_state_of(r, env, c));
	}
}

/*
 * What could not be looked at, or is not asked for, is neither well nor wrong:
 * it has no state, and that it has none can be told from its being judged.
 */
static void put_conditions(const struct hxs_check_facts *f,
			   const struct hxs_check_report *r, struct hxs_buf *b)
{
	size_t i;

	head(b, "condition_state",
	     "Each condition that was judged: 0 ok, 1 warning, 2 critical, "
	     "3 unknown.");
	for (i = 0; i <= f->env_count; i++)
		put_conditions_of(f, r, i, false, b);
	head(b, "condition_judged",
	     "Whether it was: 0 if it could not be looked at, or is not asked "
	     "for.");
	for (i = 0; i <= f->env_count; i++)
		put_conditions_of(f, r, i, true, b);
}

static void put_snapshots(const struct hxs_check_facts *f, struct hxs_buf *b)
{
	const struct hxs_check_env *e;
	size_t i, k, damaged;

	head(b, "snapshots", "Snapshots there are.");
	for (i = 0; i < f->env_count; i++) {
		e = &f->envs[i];
		(void)hxs_buf_printf(b,
				     PREFIX "snapshots{environment=\"%s\","
					    "kind=\"backup\"} %zu\n" PREFIX
					    "snapshots{environment=\"%s\","
					    "kind=\"rollback\"} %zu\n",
				     e->name, e->backups, e->name,
				     e->count - e->backups);
	}
	head(b, "damaged_snapshots", "Snapshots known to be damaged.");
	for (i = 0; i < f->env_count; i++) {
		e = &f->envs[i];
		for (k = 0, damaged = 0; k < e->count; k++)
			damaged += e->snapshots[k].damage != NULL;
		(void)hxs_buf_printf(b, ENV("damaged_snapshots") "%zu\n",
				     e->name, damaged);
	}
}

static void put_newest(const struct hxs_check_facts *f, struct hxs_buf *b)
{
	const struct hxs_check_env *e;
	int64_t last;
	size_t i, k;

	head(b, "newest_timestamp_seconds", "When the newest backup was made.");
	for (i = 0; i < f->env_count; i++) {
		e = &f->envs[i];
		if (e->backups)
			(void)hxs_buf_printf(
				b,
				ENV("newest_timestamp_seconds") "%" PRId64 "\n",
				e->name, e->snapshots[e->backups - 1].made);
	}
	head(b, "newest_bytes", "What the newest backup holds.");
	for (i = 0; i < f->env_count; i++) {
		e = &f->envs[i];
		if (e->backups && e->snapshots[e->backups - 1].has_bytes)
			(void)hxs_buf_printf(b,
					     ENV("newest_bytes") "%" PRIu64
								 "\n",
					     e->name,
					     e->snapshots[e->backups - 1]
						     .bytes);
	}
	head(b, "verified_timestamp_seconds",
	     "When a verify of a backup passed last.");
	for (i = 0; i < f->env_count; i++) {
		e = &f->envs[i];
		for (k = 0, last = INT64_MIN; k < e->backups; k++)
			if (e->snapshots[k].verified &&
			    e->snapshots[k].when > last &&
			    e->snapshots[k].when <= f->now + HXS_CLOCK_SKEW)
				last = e->snapshots[k].when;
		if (last > INT64_MIN)
			(void)hxs_buf_printf(b,
					     ENV("verified_timestamp_"
						 "seconds") "%" PRId64 "\n",
					     e->name, last);
	}
}

static void put_store(const struct hxs_check_facts *f, struct hxs_buf *b)
{
	if (!f->bytes)
		return;
	head(b, "store_bytes", "Size of the store's file system.");
	(void)hxs_buf_printf(b, PREFIX "store_bytes %" PRIu64 "\n", f->bytes);
	head(b, "store_free_bytes", "What is free of it.");
	(void)hxs_buf_printf(b, PREFIX "store_free_bytes %" PRIu64 "\n",
			     f->bytes_free);
	if (!f->inodes)
		return;
	head(b, "store_inodes", "Its inodes.");
	(void)hxs_buf_printf(b, PREFIX "store_inodes %" PRIu64 "\n", f->inodes);
	head(b, "store_free_inodes", "Those that are free.");
	(void)hxs_buf_printf(b, PREFIX "store_free_inodes %" PRIu64 "\n",
			     f->inodes_free);
}

void hxs_check_metrics_put(const struct hxs_check_facts *f,
			   const struct hxs_check_report *r,
			   struct hxs_buf *out)
{
	put_states(f, r, out);
	put_conditions(f, r, out);
	put_snapshots(f, out);
	put_newest(f, out);
	put_store(f, out);
}

int hxs_check_metrics_write(const struct hxs_check_facts *f,
			    const struct hxs_check_report *r, const char *file,
			    struct hxs_err *err)
{
	HXS_AUTO_BUF struct hxs_buf text = HXS_BUF_INIT;
	HXS_AUTO_FREE char *dir = NULL;
	HXS_AUTO_CLOSE int fd = -1;
	const char *slash = strrchr(file, '/');
	int e = 0;

	hxs_check_metrics_put(f, r, &text);
	if (!slash)
		dir = strdup(".");
	else
		dir = strndup(file, (size_t)(slash - file) + 1);
	if (!dir)
		e = -ENOMEM;
	if (e == 0)
		e = hxs_buf_status(&text);
	if (e == 0) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		e = fd < 0 ? -errno
			   : hxs_io_publish_watched(fd,
						    slash ? slash + 1 : file,
						    text.data, text.len, 0644);
	}
	if (e < 0)
		return hxs_err_errno(err, -e, "cannot write metrics to '%s'",
				     file);
	return 0;
}
