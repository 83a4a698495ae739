#include "fs/metrics.h"

#include "fs/control.h"
#include "fs/faults.h"

#include <inttypes.h>

/* Every result that is ignored here stays in the buffer's status. */

static void head(struct hxs_buf *b, const char *name, const char *type,
		 const char *help)
{
	(void)hxs_buf_printf(b, "# HELP hxsnap_%s %s\n# TYPE hxsnap_%s %s\n",
			     name, help, name, type);
}

static void one(struct hxs_buf *b, const char *name, const char *type,
		const char *help, uint64_t value)
{
	head(b, name, type, help);
	(void)hxs_buf_printf(b, "hxsnap_%s %" PRIu64 "\n", name, value);
}

/* A label's value: backslash, quote and newline are escaped. */
static void label(struct hxs_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			(void)hxs_buf_putc(b, '\\');
		if (*s == '\n')
			(void)hxs_buf_puts(b, "\\n");
		else
			(void)hxs_buf_putc(b, *s);
	}
}

/* With fs->lock held, as the next ones. Names of environments need no care. */
static void put_counts(struct hxfs *fs, struct hxs_buf *b)
{
	static const char *const kinds[] = { "backup", "rollback" };
	const struct hxfs_env *e;
	size_t i, k;

	head(b, "snapshots", "gauge", "Snapshots in the store.");
	for (i = 0; i < fs->env_count; i++) {
		e = fs->env[i];
		for (k = 0; e->present && k < 2; k++)
			(void)hxs_buf_printf(b,
					     "hxsnap_snapshots{environment=\"%"
					     "s\","
					     "kind=\"%s\"} %zu\n",
					     e->name, kinds[k],
					     e->area[k].count);
	}
}

static void put_latest(struct hxfs *fs, struct hxs_buf *b)
{
	const struct hxfs_area *a;
	const struct hxfs_env *e;
	size_t i;

	head(b, "latest_timestamp_seconds", "gauge",
	     "When the newest backup was made.");
	for (i = 0; i < fs->env_count; i++) {
		e = fs->env[i];
		a = &e->area[0];
		if (e->present && a->count)
			(void)hxs_buf_printf(b,
					     "hxsnap_latest_timestamp_seconds"
					     "{environment=\"%s\"} %" PRId64
					     "\n",
					     e->name,
					     a->slot[a->count - 1]->seconds);
	}
	head(b, "latest_verified_timestamp_seconds", "gauge",
	     "When the newest verified backup was made.");
	for (i = 0; i < fs->env_count; i++) {
		e = fs->env[i];
		if (e->present && e->verified != HXFS_NO_TIME)
			(void)hxs_buf_printf(b,
					     "hxsnap_latest_verified_timestamp_"
					     "seconds"
					     "{environment=\"%s\"} %" PRId64
					     "\n",
					     e->name, e->verified);
	}
}

static void put_damage(struct hxfs *fs, struct hxs_buf *b)
{
	struct hxfs_damage d;

	hxfs_faults_damage(fs->faults, &d);
	one(b, "damaged_blocks_total", "counter",
	    "Distinct bad blocks that readers met.", d.blocks);
	one(b, "damaged_files_total", "counter",
	    "Distinct damaged files that readers met.", d.files);
	one(b, "damaged_snapshots", "gauge",
	    "Snapshots whose manifest or index cannot be used.", fs->failed);
	one(b, "unlisted_files", "gauge",
	    "Files that no manifest lists, in the snapshots looked at.",
	    fs->unlisted);
}

static void put_counters(struct hxfs *fs, struct hxs_buf *b)
{
	struct hxfs_counters *c = &fs->counters;

	one(b, "lookups_total", "counter", "Names looked up.",
	    atomic_load(&c->lookups));
	one(b, "opens_total", "counter", "Files opened.",
	    atomic_load(&c->opens));
	one(b, "reads_total", "counter", "Reads that came to the daemon.",
	    atomic_load(&c->reads));
	one(b, "read_bytes_total", "counter", "Bytes verified and handed over.",
	    atomic_load(&c->read_bytes));
	one(b, "read_errors_total", "counter", "Reads that failed.",
	    atomic_load(&c->read_errors));
	one(b, "index_loads_total", "counter", "Snapshots loaded.",
	    atomic_load(&c->loads));
	one(b, "index_load_failures_total", "counter",
	    "Snapshots that could not be loaded.",
	    atomic_load(&c->load_failures));
	one(b, "index_evictions_total", "counter",
	    "Snapshots dropped from memory.", atomic_load(&c->evictions));
}

/* What there is none of is 0. */
static void put_control(struct hxfs *fs, struct hxs_buf *b)
{
	struct hxfs_operation op = { .seconds = 0 };
	bool busy = hxfs_control_now(fs->control, &op);
	uint64_t commands, failures;

	hxfs_control_counts(fs->control, &commands, &failures);
	one(b, "commands_total", "counter",
	    "Commands given through .control that have ended.", commands);
	one(b, "commands_failed_total", "counter",
	    "Those of them that failed or were refused.", failures);
	one(b, "operation_running", "gauge", "Whether a command is under way.",
	    busy);
	one(b, "operation_seconds", "gauge", "For how long.",
	    (uint64_t)op.seconds);
	one(b, "operation_files", "gauge", "Files it is done with.",
	    op.progress.files);
	one(b, "operation_bytes", "gauge", "Bytes it is done with.",
	    op.progress.bytes);
	one(b, "operation_expected_bytes", "gauge",
	    "Bytes in all, 0 while that is not known.",
	    op.progress.bytes_total);
}

void hxfs_metrics_put(struct hxfs *fs, struct hxs_buf *b)
{
	head(b, "info", "gauge", "What is mounted.");
	(void)hxs_buf_puts(b,
			   "hxsnap_info{version=\"" HXS_VERSION "\",store=\"");
	label(b, hxs_store_path(fs->store));
	(void)hxs_buf_puts(b, "\",mountpoint=\"");
	label(b, fs->mountpoint);
	(void)hxs_buf_puts(b, "\"} 1\n");
	one(b, "start_time_seconds", "gauge", "When the mount was made.",
	    (uint64_t)fs->started);
	hxfs_lock(fs);
	put_counts(fs, b);
	put_latest(fs, b);
	one(b, "loaded_snapshots", "gauge", "Snapshots held in memory.",
	    fs->loaded);
	one(b, "loaded_bytes", "gauge", "Memory they take.", fs->loaded_bytes);
	one(b, "loaded_budget_bytes", "gauge", "Memory they may take.",
	    fs->budget);
	put_damage(fs, b);
	hxfs_unlock(fs);
	put_counters(fs, b);
	put_control(fs, b);
}
