/* Retention at work on a real store, by a clock of the test's own. */
#include "tests/unit/retention_model.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/journal.h"
#include "store/result.h"
#include "store/staging.h"
#include "verbs/prune.h"

/* In place of libc's: ten years of what is made durable take too long here. */
int fsync(int fd HXS_UNUSED)
{
	return 0;
}

static struct scratch here;
static struct hxs_store *store;
static int64_t fake_now;

static void now(struct timespec *out, void *ctx HXS_UNUSED)
{
	*out = (struct timespec){ .tv_sec = fake_now };
}

static void wait_until(int64_t sec, void *ctx HXS_UNUSED)
{
	fake_now = sec;
}

static struct hxs_config *config(const char *retention)
{
	struct hxs_config *c = NULL;
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{\"store\": \"/nowhere\", \"environments\": {\"dev\": "
		       "{\"sources\": {\"a\": {\"kind\": \"directory\", "
		       "\"path\": \"/a\"}}, \"retention\": {%s}}}}",
		       retention);
	if (hxs_config_parse(text, strlen(text), "hxsnap.json", "/", &c, NULL))
		scratch_die("the configuration");
	return c;
}

static void make_store(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	hxs_store_close(store);
	store = NULL;
	if (hxs_io_remove_tree(here.fd, "store") < 0 ||
	    hxs_store_init("store", false, &err) < 0 ||
	    hxs_store_open("store", &store, &err) < 0)
		scratch_die(err.message);
}

/* The least that is a snapshot: an empty manifest. */
static void add(const char *id)
{
	HXS_AUTO_CLOSE int env = -1, dir = -1;

	env = hxs_store_make_dir(store, "backups/dev", 0755, NULL);
	if (env < 0)
		scratch_die("backups/dev");
	scratch_dir(env, id);
	dir = openat(env, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scratch_file(dir, "manifest.sha256", "");
}

static int prune(const struct hxs_config *c, bool apply,
		 struct hxs_prune_opts *more, struct hxs_prune_report *rep,
		 struct hxs_err *err)
{
	struct hxs_prune_opts opts = { .apply = apply, .allow_many = true };

	if (more)
		opts = *more;
	opts.env = "dev";
	opts.config = c;
	return hxs_prune(store, &opts, rep, err);
}

/* ---- years --------------------------------------------------------------- */

static struct model_snapshot model[MODEL_MAX];
static size_t count;
static int differences;

/* What the model keeps is in the store, and nothing else. */
static void compare(const struct hxs_retention *policy)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;
	size_t i, kept = 0;
	bool same;

	model_decide(policy, model, count);
	for (i = 0; i < count; i++)
		if (model[i].stays)
			model[kept++] = model[i];
	count = kept;
	if (hxs_store_ids(store, HXS_BACKUP, "dev", &ids, NULL) < 0)
		scratch_die("backups/dev");
	same = ids.count == count;
	for (i = 0; same && i < count; i++)
		same = strcmp(ids.name[i], model[i].id) == 0;
	if (!same && differences++ < 5)
		fprintf(stderr, "# after %s: %zu, by the model %zu\n",
			model[count - 1].id, ids.count, count);
}

/* Four backups a day for ten years, the store pruned after each. */
static void test_years(void)
{
	HXS_AUTO(config)
	struct hxs_config *c = config("\"last\": 2, \"daily\": 4, \"weekly\": "
				      "3, \"monthly\": 3, \"yearly\": 10");
	const struct hxs_retention *policy = &c->envs[0].retention;
	struct model_day day = { 2024, 1, 1, 1, 1 };
	struct hxs_prune_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int turn, runs = 0, failures = 0;
	uint64_t removed = 0;

	make_store();
	fake_now = 1704067200;
	for (; day.year < 2034; model_tomorrow(&day)) {
		for (turn = 0; turn < 4; turn++, fake_now += 21600, runs++) {
			model_at(&model[count], &day, turn * 6, 0, 0);
			add(model[count++].id);
			failures += prune(c, true, NULL, &rep, &err) < 0;
			removed += rep.removed;
			compare(policy);
		}
	}
	is_int(runs, 4 * 3653, "ten years of four backups a day");
	is_int(failures, 0, "each time it was pruned: %s", err.message);
	is_int(differences, 0, "to what the model keeps");
	is_int((long long)(removed + count), runs, "none was removed twice");
}

/* ---- ended early --------------------------------------------------------- */

static int asked;

static bool cancelled(void *ctx)
{
	return ++asked > *(int *)ctx;
}

static size_t there(void)
{
	HXS_AUTO_NAMES struct hxs_names ids = HXS_NAMES_INIT;

	return hxs_store_ids(store, HXS_BACKUP, "dev", &ids, NULL) < 0
		       ? 0
		       : ids.count;
}

static void add_five(void)
{
	static const char *const ids[] = {
		"20200101T000000Z", "20200102T000000Z", "20200103T000000Z",
		"20200104T000000Z", "20200105T000000Z",
	};
	size_t i;

	make_store();
	fake_now = 1704067200;
	for (i = 0; i < HXS_ARRAY_LEN(ids); i++)
		add(ids[i]);
}

static void test_cancelled(void)
{
	HXS_AUTO(config) struct hxs_config *c = config("\"last\": 1");
	struct hxs_prune_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int after;
	struct hxs_listener listener = { .cancelled = cancelled,
					 .ctx = &after };
	struct hxs_prune_opts opts = { .apply = true,
				       .allow_many = true,
				       .listener = &listener };

	for (after = 0; after <= 4; after++) {
		add_five();
		asked = 0;
		is_int(prune(c, true, &opts, &rep, &err),
		       after < 4 ? -ECANCELED : 0, "cancelled after %d", after);
		is_int((long long)rep.removed, after, "so many are gone");
		is_int((long long)there(), 5 - after, "the others are there");
		ok(after == 4 ||
			   strstr(err.message, after == 0 ? "no snapshot was"
							  : "removed before"),
		   "it is told: %s", err.message);
	}
}

static int no_plan(const struct hxs_prune_list lists[2] HXS_UNUSED,
		   void *ctx HXS_UNUSED, struct hxs_err *err)
{
	return hxs_err_set(err, EPIPE, "nobody listens");
}

static void test_untold(void)
{
	HXS_AUTO(config) struct hxs_config *c = config("\"last\": 1");
	struct hxs_prune_opts opts = { .apply = true,
				       .allow_many = true,
				       .plan = no_plan };
	struct hxs_prune_report rep;
	struct hxs_err err = HXS_ERR_INIT;

	add_five();
	is_int(prune(c, true, &opts, &rep, &err), -EPIPE,
	       "a plan that nobody could be told");
	is_int((long long)there(), 5, "removes nothing");
}

/* ---- clocks -------------------------------------------------------------- */

static void log_line(const char *act, int status, int64_t when)
{
	struct hxs_audit a = { .act = act,
			       .env = "dev",
			       .from = "command line",
			       .status = status };

	fake_now = when;
	if (hxs_audit_append(store, &a, NULL) < 0)
		scratch_die("the audit log");
}

/* As logrotate does. */
static void move_log(const char *from, const char *to)
{
	if (renameat(hxs_store_fd(store), from, hxs_store_fd(store), to) < 0)
		scratch_die(from);
}

static void test_clock(void)
{
	HXS_AUTO(config) struct hxs_config *c = config("\"last\": 1");
	struct hxs_prune_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	int64_t sec = 0;

	add_five();
	is_int(hxs_audit_latest(store, &sec, NULL), 0, "no log tells no time");
	fake_now = 0;
	is_int(prune(c, true, NULL, &rep, &err), -HXS_EDENIED,
	       "1970: refused: %s", err.message);
	log_line("create", 0, 1800000000);
	fake_now = 1799999999;
	is_int(prune(c, true, NULL, &rep, &err), -HXS_EDENIED,
	       "a second before the newest line: refused: %s", err.message);
	log_line("prune", -HXS_EDENIED, 1799999999);
	is_int(prune(c, true, NULL, &rep, &err), -HXS_EDENIED,
	       "that it was refused vouches for no clock");
	is_int((long long)there(), 5, "nothing is gone");
	move_log(HXS_AUDIT_LOG, HXS_AUDIT_MOVED);
	is_int(hxs_audit_latest(store, &sec, NULL), 1, "the log is rotated");
	is_int(sec, 1800000000, "and still tells");
	is_int(prune(c, true, NULL, &rep, &err), -HXS_EDENIED,
	       "still refused: %s", err.message);
	log_line("prune", -HXS_EDENIED, 1799999999);
	move_log(HXS_AUDIT_MOVED, HXS_AUDIT_MOVED "x");
	is_int(hxs_audit_latest(store, &sec, NULL), 0, "what is gone is not");
	move_log(HXS_AUDIT_MOVED "x", HXS_AUDIT_LOG ".2");
	move_log(HXS_AUDIT_LOG, HXS_AUDIT_MOVED);
	is_int(hxs_audit_latest(store, &sec, NULL), 1, "rotated once more");
	is_int(sec, 1800000000, "and further back");
	log_line("verify", 0, 1799999999);
	is_int(hxs_audit_latest(store, &sec, NULL), 1, "the log goes on");
	is_int(sec, 1799999999, "by that clock");
	is_int(prune(c, true, NULL, &rep, &err), 0, "which is the right one");
	is_int((long long)there(), 1, "and it is pruned");
}

/* ---- what is known of a snapshot goes with it ------------------------------ */

static void test_forget(void)
{
	HXS_AUTO_CLOSE int env = -1;
	const struct hxs_result res = { .passed = true };
	const char *left = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	unsigned removed = 0;
	struct hxs_result got;

	add_five();
	if (hxs_result_save(store, HXS_BACKUP, "dev", "20200101T000000Z", &res,
			    NULL) ||
	    hxs_result_save(store, HXS_BACKUP, "dev", "20200102T000000Z", &res,
			    NULL) ||
	    hxs_result_pin(store, HXS_BACKUP, "dev", "20200102T000000Z", NULL))
		scratch_die("results");
	is_int(hxs_staging_discard(store, HXS_BACKUP, "dev", "20200101T000000Z",
				   &left, &err),
	       1, "removed");
	is_int(hxs_result_load(store, HXS_BACKUP, "dev", "20200101T000000Z",
			       &got),
	       0, "and its result");
	is_int(hxs_staging_discard(store, HXS_BACKUP, "dev", "20200101T000000Z",
				   &left, &err),
	       -HXS_ENOSUCH, "it is not there again");
	is_int(hxs_staging_discard(store, HXS_BACKUP, "dev", "20200102T000000Z",
				   &left, &err),
	       0, "one that is kept is not removed");
	is_str(left, "it was marked as kept meanwhile", "and that is why");
	/* One whose removal was cut short. */
	env = hxs_io_open_dir(hxs_store_fd(store), "backups/dev");
	if (renameat(env, "20200102T000000Z", env, ".old-20200102T000000Z"))
		scratch_die("rename");
	is_int(hxs_staging_sweep(store, "dev", &removed, &err), 0, "swept");
	is_int(removed, 1, "one was left");
	ok(!scratch_exists(env, ".old-20200102T000000Z"), "it is gone");
	ok(!hxs_result_is_pinned(store, HXS_BACKUP, "dev",
				 "20200102T000000Z") &&
		   !hxs_result_is_there(store, HXS_BACKUP, "dev",
					"20200102T000000Z"),
	   "and so is what was known of it");
	is_int((long long)there(), 3, "the others are there");
}

/* ---- a restore that has not ended ------------------------------------------ */

static int see_held(const struct hxs_prune_list lists[2], void *ctx,
		    struct hxs_err *err HXS_UNUSED)
{
	unsigned *reasons = ctx;

	if (lists[0].count == 5 && lists[1].count == 3) {
		reasons[0] = lists[0].plan.reasons[1];
		reasons[1] = lists[1].plan.reasons[0];
		reasons[2] = lists[1].plan.reasons[1];
	}
	return 0;
}

static void test_unfinished(void)
{
	HXS_AUTO(config)
	struct hxs_config *c =
		config("\"last\": 1, \"rollbacks\": {\"last\": 1}");
	unsigned reasons[3] = { 0 };
	struct hxs_prune_opts opts = { .plan = see_held, .ctx = reasons };
	struct hxs_journal j = { .state = HXS_JOURNAL_INTENT,
				 .env = "dev",
				 .reference = "dev/20200102T000000Z",
				 .rollback_id = "20200101T000000Z" };
	struct hxs_prune_report rep;
	struct hxs_err err = HXS_ERR_INIT;

	add_five();
	if (hxs_io_mkdirs(hxs_store_fd(store), "rollbacks/dev/20200101T000000Z",
			  0755) ||
	    hxs_io_mkdirs(hxs_store_fd(store), "rollbacks/dev/20200102T000000Z",
			  0755) ||
	    hxs_io_mkdirs(hxs_store_fd(store), "rollbacks/dev/20200103T000000Z",
			  0755) ||
	    hxs_journal_write(store, &j, &err) < 0)
		scratch_die(err.message);
	scratch_file(here.fd,
		     "store/rollbacks/dev/20200103T000000Z/manifest.sha256",
		     "");
	scratch_file(here.fd,
		     "store/rollbacks/dev/20200102T000000Z/manifest.sha256",
		     "");
	scratch_file(here.fd,
		     "store/rollbacks/dev/20200101T000000Z/manifest.sha256",
		     "");
	is_int(prune(c, false, &opts, &rep, &err), 0,
	       "while a restore has not ended: %s", err.message);
	is_int(reasons[0], 1 << HXS_RETENTION_IN_USE, "what it restores stays");
	is_int(reasons[1], 1 << HXS_RETENTION_UNFINISHED,
	       "and its rollback point");
	is_int(reasons[2], 0, "and no other one");
}

int main(void)
{
	static const struct hxs_clock clock_ = { .now = now,
						 .wait_until = wait_until };

	scratch_open(&here);
	hxs_clock_set(&clock_);
	test_cancelled();
	test_untold();
	test_clock();
	test_forget();
	test_unfinished();
	test_years();
	hxs_clock_set(NULL);
	hxs_store_close(store);
	scratch_close(&here);
	return tap_done();
}
