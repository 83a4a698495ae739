#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "store/staging.h"

static struct scratch here;
static struct hxs_store *s;

/* A clock that stands still until it is waited for. */
static struct {
	int64_t sec;
	int waits;
	bool lazy; /* waiting ends early now and then */
} fake;

static void now(struct timespec *out, void *ctx HXS_UNUSED)
{
	*out = (struct timespec){ .tv_sec = fake.sec, .tv_nsec = 5 };
}

static void wait_until(int64_t sec, void *ctx HXS_UNUSED)
{
	if (!fake.lazy || ++fake.waits % 3 == 0)
		fake.sec = sec;
	else
		fake.sec += fake.sec < sec;
}

static const struct hxs_clock clock_ = { .now = now, .wait_until = wait_until };

#define T0 1770305340 /* 2026-02-05T15:29:00Z */

static void test_ids(void)
{
	struct hxs_staging st = HXS_STAGING_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct stat sb;

	fake.sec = T0;
	(void)umask(0777);
	is_int(hxs_staging_begin(s, HXS_BACKUP, "dev", &st, &err), 0, "begin");
	(void)umask(022);
	is_str(st.id, "20260205T152900Z", "the id is now");
	ok(strncmp(st.name, ".new-20260205T152900Z-", 22) == 0 &&
		   strlen(st.name) == 38,
	   "under a name of its own: %s", st.name);
	ok(fstat(st.fd, &sb) == 0 && (sb.st_mode & 07777) == 0700,
	   "for nobody else, whatever the umask");
	scratch_file(st.fd, "f", "x");
	is_int(hxs_staging_publish(&st, 0755, &err), 0, "published");
	ok(scratch_holds(here.fd, "s/backups/dev/20260205T152900Z/f", "x"),
	   "it is there");
	ok(stat("s/backups/dev/20260205T152900Z", &sb) == 0 &&
		   (sb.st_mode & 07777) == 0755,
	   "with its mode");
	hxs_staging_release(&st);
	hxs_staging_release(&st);
	ok(scratch_exists(here.fd, "s/backups/dev/20260205T152900Z"),
	   "and stays");

	is_int(hxs_staging_begin(s, HXS_BACKUP, "dev", &st, &err), 0,
	       "another in that second");
	is_str(st.id, "20260205T152901Z", "waits for the next");
	is_int(hxs_staging_publish(&st, 0755, &err), 0, "published");
	hxs_staging_release(&st);
	is_int(hxs_staging_begin(s, HXS_ROLLBACK, "dev", &st, &err), 0,
	       "a rollback point");
	is_str(st.id, "20260205T152902Z", "counts in the same row");
	is_int(hxs_staging_publish(&st, 0755, &err), 0, "published");
	hxs_staging_release(&st);
	is_int(hxs_staging_begin(s, HXS_BACKUP, "live", &st, &err), 0,
	       "another environment");
	is_str(st.id, "20260205T152902Z", "has its own");
	hxs_staging_release(&st);
	fake.lazy = true;
	is_int(hxs_staging_begin(s, HXS_BACKUP, "dev", &st, &err), 0,
	       "waits that end early");
	ok(strcmp(st.id, "20260205T152903Z") >= 0, "are waited again");
	hxs_staging_release(&st);
	fake.lazy = false;
}

static void test_clock_set_back(void)
{
	struct hxs_staging st = HXS_STAGING_INIT;
	struct hxs_err err = HXS_ERR_INIT;

	scratch_dir(here.fd, "s/backups/dev/20260205T160000Z");
	fake.sec = 1770307200 - 59; /* 16:00:00 less that */
	is_int(hxs_staging_begin(s, HXS_BACKUP, "dev", &st, &err), 0,
	       "a minute ahead is waited for");
	is_str(st.id, "20260205T160001Z", "and the id follows");
	hxs_staging_release(&st);
	fake.sec = 1770307200 - 60;
	is_int(hxs_staging_begin(s, HXS_BACKUP, "dev", &st, &err), -HXS_EBUSY,
	       "more is refused");
	ok(strstr(err.message, "2026-02-05T16:00:00Z"), "naming the time: %s",
	   err.message);
	ok(strstr(err.hint, "clock"), "with a hint");
	(void)rmdir("s/backups/dev/20260205T160000Z");
}

static void test_release(void)
{
	struct hxs_staging st = HXS_STAGING_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	char path[128];

	fake.sec = T0 + 100;
	hxs_staging_release(&st); /* nothing was begun */
	is_int(hxs_staging_begin(s, HXS_BACKUP, "fresh", &st, &err), 0,
	       "begin in a new environment");
	(void)snprintf(path, sizeof(path), "s/backups/fresh/%s", st.name);
	scratch_file(st.fd, "f", "x");
	scratch_dir(st.fd, "d");
	scratch_file(st.fd, "d/f", "x");
	ok(fchmodat(st.fd, "d", 0, 0) == 0, "set up");
	ok(scratch_exists(here.fd, path), "it is there");
	hxs_staging_release(&st);
	ok(!scratch_exists(here.fd, "s/backups/fresh"),
	   "given up: gone, and so is the environment");

	is_int(hxs_staging_begin(s, HXS_BACKUP, "dev", &st, &err), 0, "begin");
	ok(mkdirat(st.area_fd, st.id, 0755) == 0, "set up");
	is_int(hxs_staging_publish(&st, 0755, &err), -EEXIST,
	       "what is there is not replaced");
	hxs_staging_release(&st);
	ok(scratch_exists(here.fd, "s/backups/dev/20260205T153040Z"),
	   "and stays");
	is_int(hxs_staging_begin(s, HXS_BACKUP, "a/b", &st, &err), -HXS_EUSAGE,
	       "a path is no environment");
	ok(symlink("dev", "s/backups/sym") == 0, "set up");
	ok(hxs_staging_begin(s, HXS_BACKUP, "sym", &st, &err) < 0,
	   "nor is a link");
	(void)unlink("s/backups/sym");
}

static void test_sweep(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	unsigned removed;

	is_int(hxs_staging_sweep(s, "nope", &removed, &err), 0, "no such");
	is_int(removed, 0, "has nothing to sweep");
	scratch_dir(here.fd, "s/backups/swept");
	scratch_dir(here.fd, "s/rollbacks/swept");
	scratch_dir(here.fd, "s/backups/swept/.new-1");
	scratch_file(here.fd, "s/backups/swept/.new-1/f", "x");
	scratch_dir(here.fd, "s/backups/swept/.new-2");
	scratch_dir(here.fd, "s/rollbacks/swept/.new-3");
	scratch_dir(here.fd, "s/backups/swept/20260205T160000Z");
	scratch_dir(here.fd, "s/backups/swept/.other");
	scratch_dir(here.fd, "outside");
	scratch_file(here.fd, "outside/f", "x");
	ok(symlink("../../../outside", "s/backups/swept/.new-4") == 0,
	   "set up");
	is_int(hxs_staging_sweep(s, "swept", &removed, &err), 0, "swept");
	is_int(removed, 4, "four remains");
	ok(!scratch_exists(here.fd, "s/backups/swept/.new-1") &&
		   !scratch_exists(here.fd, "s/rollbacks/swept/.new-3") &&
		   !scratch_exists(here.fd, "s/backups/swept/.new-4"),
	   "are gone");
	ok(scratch_exists(here.fd, "s/backups/swept/20260205T160000Z") &&
		   scratch_exists(here.fd, "s/backups/swept/.other") &&
		   scratch_exists(here.fd, "outside/f"),
	   "and nothing else");
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&here);
	hxs_clock_set(&clock_);
	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &s, &err) < 0)
		scratch_die(err.message);
	scratch_dir(here.fd, "s/rollbacks");
	test_ids();
	test_clock_set_back();
	test_release();
	test_sweep();
	hxs_store_close(s);
	scratch_close(&here);
	return tap_done();
}
