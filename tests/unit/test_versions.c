#include "tests/unit/oom.h"
#include "tests/unit/scratch.h"

#include "base/digest.h"
#include "verbs/versions.h"

#include <inttypes.h>

/* Foreign snapshots: a file "s/f" each, NULL where there is none. */
static const struct {
	const char *id, *text;
} snaps[] = {
	{ "20260101T000000Z", NULL },	 { "20260102T000000Z", "one\n" },
	{ "20260103T000000Z", "one\n" }, { "20260104T000000Z", "two\n" },
	{ "20260105T000000Z", NULL },
};

static struct hxs_store *s;
static char told[1024];
static int stop_at; /* this call of take() says stop; 0: none */
static int asked; /* cancelled() says yes when it is asked that often */

static void add_line(struct hxs_buf *out, const char *dir, const char *name,
		     const char *text)
{
	char path[128], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	scratch_file(AT_FDCWD, path, text);
	hxs_digest_of(text, strlen(text), &d);
	hxs_digest_to_hex(&d, hex);
	(void)hxs_buf_printf(out, "%s  %s\n", hex, name);
}

static void make(const char *id, const char *text)
{
	HXS_AUTO_BUF struct hxs_buf manifest = HXS_BUF_INIT;
	char dir[64], path[128];

	(void)snprintf(dir, sizeof(dir), "st/backups/dev/%s", id);
	scratch_dir(AT_FDCWD, dir);
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	scratch_dir(AT_FDCWD, path);
	if (text)
		add_line(&manifest, dir, "s/f", text);
	add_line(&manifest, dir, "s/other", id);
	(void)snprintf(path, sizeof(path), "%s/manifest.sha256", dir);
	scratch_file(AT_FDCWD, path, hxs_buf_str(&manifest));
}

static int take(const struct hxs_version *v, void *ctx)
{
	int *calls = ctx;
	size_t len = strlen(told);

	(void)snprintf(told + len, sizeof(told) - len,
		       "%.8s-%.8s %" PRIu64 " %s%u,", v->oldest, v->newest,
		       v->snapshots, v->node ? "" : "absent ", v->what);
	return ++*calls == stop_at ? -ENOSPC : 0;
}

static bool cancelled(void *ctx HXS_UNUSED)
{
	return asked && --asked == 0;
}

static int tell(const char *path, struct hxs_versions *v, struct hxs_err *err)
{
	static const struct hxs_listener l = { .cancelled = cancelled };
	int calls = 0;

	told[0] = '\0';
	*v = (struct hxs_versions){ .kind = HXS_BACKUP,
				    .env = "dev",
				    .path = path,
				    .fn = take,
				    .ctx = &calls,
				    .listener = &l };
	return hxs_versions_tell(s, v, err);
}

static const char want[] = "20260105-20260105 1 absent 2,"
			   "20260104-20260104 1 8,"
			   "20260102-20260103 2 1,";

static int tell_all(void)
{
	struct hxs_versions v;
	struct hxs_err err = HXS_ERR_INIT;
	int r = tell("s/f", &v, &err);

	if (r < 0)
		return err.message[0] ? r : -EPROTO;
	return strcmp(told, want) == 0 && v.found == 3 ? 0 : -EPROTO;
}

static void test_told(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_versions v;

	is_int(tell("s/f", &v, &err), 0, "told");
	is_str(told, want, "newest first, nothing before the first");
	is_int((int)v.found, 3, "three hold it");
	is_int((int)v.snapshots, 5, "of five");
	is_int((int)v.damaged, 0, "none is damaged");
	is_int(tell("s/none", &v, &err), 0, "what never was");
	is_str(told, "", "has no version");
	is_int((int)v.found, 0, "and is nowhere");
	stop_at = 2;
	is_int(tell("s/f", &v, &err), -ENOSPC, "stopped by the callback");
	stop_at = 0;
	asked = 3;
	is_int(tell("s/f", &v, &err), -ECANCELED, "cancelled");
	ok(err.message[0], "and told: %s", err.message);
	asked = 0;
	is_int(tell("", &v, &err), -HXS_EUSAGE, "no path");
	is_int(tell("../s", &v, &err), -HXS_EUSAGE, "a path that climbs");
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct scratch here;
	size_t i;

	scratch_open(&here);
	if (hxs_store_init("st", false, &err) < 0 ||
	    hxs_store_open("st", &s, &err) < 0)
		scratch_die(err.message);
	scratch_dir(AT_FDCWD, "st/backups/dev");
	for (i = 0; i < HXS_ARRAY_LEN(snaps); i++)
		make(snaps[i].id, snaps[i].text);
	test_told();
	oom_each("the versions of a file", tell_all);
	hxs_store_close(s);
	scratch_close(&here);
	return tap_done();
}
