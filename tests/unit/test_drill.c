/*
 * Drills without memory: every allocation fails once. That is no fault of the
 * backup, so no such drill may have failed; and it leaves nothing.
 */
#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "store/store.h"
#include "verbs/create.h"
#include "verbs/drill.h"

static struct scratch here;
static struct hxs_store *store;
static struct hxs_config *config;
static struct timespec fake;

static void now(struct timespec *out, void *ctx HXS_UNUSED)
{
	*out = fake;
}

static void wait_until(int64_t sec, void *ctx HXS_UNUSED)
{
	fake = (struct timespec){ .tv_sec = sec };
}

static const struct hxs_clock still = { .now = now, .wait_until = wait_until };

static void set_up(void)
{
	static const char text[] =
		"{\"store\": \"s\", \"environments\": {\"dev\": {\"sources\": {"
		"\"e\": {\"kind\": \"directory\", \"path\": \"live/e\","
		"\"records\": {\"sequence\": \"n\", \"time\": \"t\"}},"
		"\"f\": {\"kind\": \"directory\", \"path\": \"live/f\"}},"
		"\"hooks\": {\"health\": [[\"/bin/true\"]]},"
		"\"objectives\": {\"rto\": \"1h\"}}}}";
	struct hxs_create_opts o = { .env = "dev",
				     .threads = 1,
				     .tool_version = "test" };
	struct hxs_create_report rep;
	struct hxs_err err = HXS_ERR_INIT;

	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &store, &err) < 0 ||
	    hxs_config_parse(text, strlen(text), "hxsnap.json", here.path,
			     &config, &err) < 0)
		scratch_die(err.message);
	scratch_dir(here.fd, "live");
	scratch_dir(here.fd, "live/e");
	scratch_dir(here.fd, "live/f");
	scratch_dir(here.fd, "elsewhere");
	scratch_file(here.fd, "live/e/a.jsonl",
		     "{\"n\": 1, \"t\": \"2026-01-01T00:00:00Z\"}\n"
		     "{\"n\": 2, \"t\": \"2026-01-02T00:00:00Z\"}\n");
	scratch_file(here.fd, "live/f/c", "c");
	o.config = config;
	if (hxs_create(store, &o, &rep, &err) < 0)
		scratch_die(err.message);
}

/* One drill, in scratch space there: 0, or -ENOMEM if it came to no end. */
static int drill(const char *scratch)
{
	static const struct hxs_ref ref = { .which = HXS_REF_ENV,
					    .kind = HXS_BACKUP,
					    .env = "dev" };
	const struct hxs_drill_opts o = {
		.config = config,
		.ref = &ref,
		.scratch = scratch,
		.threads = 1,
		.tool_version = "test",
	};
	struct hxs_drill_report rep;
	struct hxs_err err = HXS_ERR_INIT;
	char path[64];
	bool known;
	int r;

	r = hxs_drill(store, &o, &rep, &err);
	if (r < 0)
		return r;
	/* One is enough: listing many would take ever more memory. */
	(void)snprintf(path, sizeof(path), "s/.hxsnap/drills/dev/%s.json",
		       rep.id);
	(void)unlink(path);
	if (rep.status == HXS_DRILL_PASSED) {
		known = rep.point.sequence == 2 && rep.point.has_time &&
			rep.step_count == 6 && rep.rto_actual >= 0;
		r = known ? 0 : -EIO;
	} else {
		r = rep.status == HXS_DRILL_INCONCLUSIVE ? -ENOMEM : -EBADMSG;
	}
	hxs_drills_release(&rep);
	return r;
}

static int in_store(void)
{
	return drill(NULL);
}

static int elsewhere(void)
{
	return drill("elsewhere");
}

static bool is_empty(const char *path)
{
	return rmdir(path) == 0 && mkdir(path, 0755) == 0;
}

int main(void)
{
	/* syncfs is quick in memory; no git is to be asked a thousand times */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	(void)setenv("PATH", "/nonexistent", 1);
	scratch_open(&here);
	fake.tv_sec = 1770000000;
	hxs_clock_set(&still);
	set_up();
	oom_each("a drill", in_store);
	ok(access("s/.hxsnap/drills/dev/.scratch", F_OK) < 0,
	   "its scratch space is gone");
	oom_each("a drill elsewhere", elsewhere);
	ok(in_store() == 0 && is_empty("elsewhere"),
	   "what it left there, if anything, is gone after the next");
	hxs_config_free(config);
	hxs_store_close(store);
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	scratch_close(&here);
	return tap_done();
}
