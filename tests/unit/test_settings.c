#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include "store/settings.h"

static struct scratch here;

#define CONFIG(store)                                              \
	"{\"store\": \"" store "\", \"environments\": {\"dev\": {" \
	"\"sources\": {\"e\": {\"kind\": \"directory\", "          \
	"\"path\": \"live\"}}, \"settings\": [\"API_HOST\", \"PORT\"]}}}"

static int load(const char *file, const char *env, struct hxs_config **c,
		struct hxs_err *err)
{
	hxs_err_clear(err);
	*c = NULL;
	return hxs_settings_load(file, env, c, err);
}

static void test_search(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_config *c;
	char want[PATH_MAX + 16];

	if (access("/etc/hxsnap.json", F_OK) == 0) {
		tap_skip("NOCONFIG", "no /etc/hxsnap.json");
		return;
	}
	is_int(load(NULL, "dev", &c, &err), -HXS_ENOSUCH, "there is none");
	ok(strstr(err.message, "no './.env.dev'"), "and where it might be: %s",
	   err.message);
	ok(strstr(err.hint, "--config"), "with a hint");
	is_int(load(NULL, NULL, &c, &err), -HXS_ENOSUCH, "nor without one");
	is_int(load(NULL, "../x", &c, &err), -HXS_ENOSUCH, "nor by a path");
	is_int(load("named.json", NULL, &c, &err), -HXS_ENOSUCH,
	       "the one that was named is not there");
	ok(strstr(err.message, "'named.json'"), "and told: %s", err.message);

	scratch_file(here.fd, ".env.dev", "EVENT_STORE_PATH=ev\n");
	is_int(load(NULL, "dev", &c, &err), 0, ".env.dev");
	ok(c && c->from_env_file, "is one");
	(void)snprintf(want, sizeof(want), "%s/data", here.path);
	is_str(c ? c->store : NULL, want, "whose store is ./data");
	hxs_config_free(c);
	scratch_file(here.fd, "hxsnap.json", CONFIG("one"));
	is_int(load(NULL, "dev", &c, &err), 0, "hxsnap.json goes before it");
	ok(c && !c->from_env_file, "it is that");
	(void)snprintf(want, sizeof(want), "%s/one", here.path);
	is_str(c ? c->store : NULL, want, "paths count from where it is");
	hxs_config_free(c);

	scratch_dir(here.fd, "sub");
	scratch_file(here.fd, "sub/other.json", CONFIG("two"));
	(void)setenv("HXSNAP_CONFIG", "sub/other.json", 1);
	is_int(load(NULL, "dev", &c, &err), 0, "$HXSNAP_CONFIG goes before");
	(void)snprintf(want, sizeof(want), "%s/sub/two", here.path);
	is_str(c ? c->store : NULL, want, "paths count from there");
	hxs_config_free(c);
	is_int(load("hxsnap.json", "dev", &c, &err), 0, "--config before all");
	(void)snprintf(want, sizeof(want), "%s/one", here.path);
	is_str(c ? c->store : NULL, want, "that one");
	hxs_config_free(c);
	(void)setenv("HXSNAP_CONFIG", "gone.json", 1);
	is_int(load(NULL, "dev", &c, &err), -HXS_ENOSUCH,
	       "a missing one that was named is not passed over");
	(void)setenv("HXSNAP_CONFIG", "", 1);
	is_int(load(NULL, "dev", &c, &err), 0, "an empty name is none");
	hxs_config_free(c);
	(void)unsetenv("HXSNAP_CONFIG");
}

/* A daemon searches where it was started, from wherever it is. */
static void test_search_from(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_config *c = NULL;
	char want[PATH_MAX + 64], dir[PATH_MAX + 16];

	scratch_dir(here.fd, "start");
	(void)snprintf(dir, sizeof(dir), "%s/start", here.path);
	(void)setenv("HXSNAP_CONFIG", "nowhere.json", 1);
	if (access("/etc/hxsnap.json", F_OK) == 0) {
		tap_skip("NOCONFIG", "no /etc/hxsnap.json");
	} else {
		is_int(hxs_settings_load_from(dir, "dev", &c, &err),
		       -HXS_ENOSUCH, "there is none in that directory");
		(void)snprintf(want, sizeof(want), "no '%s/.env.dev'", dir);
		ok(strstr(err.message, want), "and told: %s", err.message);
		scratch_file(here.fd, "start/.env.dev",
			     "EVENT_STORE_PATH=ev\n");
		is_int(hxs_settings_load_from(dir, "dev", &c, &err), 0,
		       ".env.dev in it");
		(void)snprintf(want, sizeof(want), "%s/data", dir);
		is_str(c ? c->store : NULL, want, "whose store is beside it");
		hxs_config_free(c);
		c = NULL;
	}
	scratch_file(here.fd, "start/hxsnap.json", CONFIG("one"));
	is_int(hxs_settings_load_from(dir, "dev", &c, &err), 0,
	       "hxsnap.json in it, whatever $HXSNAP_CONFIG says");
	(void)snprintf(want, sizeof(want), "%s/one", dir);
	is_str(c ? c->store : NULL, want, "paths count from where it is");
	hxs_config_free(c);
	(void)unsetenv("HXSNAP_CONFIG");
}

static void test_values(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_config *c;

	scratch_file(here.fd, "hxsnap.json", CONFIG("one"));
	scratch_file(here.fd, ".env.dev", "API_HOST=here\nOTHER=x\n");
	is_int(load("hxsnap.json", "dev", &c, &err), 0, "with .env.dev");
	is_str(c->envs[0].settings[0].name, "API_HOST", "a setting");
	is_str(c->envs[0].settings[0].value, "here", "has its value");
	is_str(c->envs[0].settings[1].value, NULL, "or none");
	hxs_config_free(c);
	is_int(load("hxsnap.json", NULL, &c, &err), 0, "for no environment");
	is_str(c->envs[0].settings[0].value, NULL, "none is looked up");
	hxs_config_free(c);
	(void)unlink(".env.dev");
	is_int(load("hxsnap.json", "dev", &c, &err), 0, "without .env.dev");
	is_str(c->envs[0].settings[0].value, NULL, "there is none");
	hxs_config_free(c);
	scratch_file(here.fd, ".env.dev", "this is no setting\n");
	ok(load("hxsnap.json", "dev", &c, &err) < 0, "a bad .env.dev is told");
	ok(strstr(err.message, ".env.dev"), "by name: %s", err.message);
	(void)unlink(".env.dev");
	ok(mkfifo(".env.dev", 0600) == 0, "set up");
	is_int(load("hxsnap.json", "dev", &c, &err), -HXS_EUSAGE,
	       "a FIFO does not block");
	(void)unlink(".env.dev");
}

static void test_odd_files(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_config *c;

	scratch_dir(here.fd, "dir.json");
	is_int(load("dir.json", NULL, &c, &err), -HXS_EUSAGE, "a directory");
	ok(strstr(err.message, "'dir.json' is a directory"), "%s", err.message);
	ok(mkfifo("fifo.json", 0600) == 0, "set up");
	is_int(load("fifo.json", NULL, &c, &err), -HXS_EUSAGE, "a FIFO");
	is_int(load("/dev/null", NULL, &c, &err), -HXS_EUSAGE, "a device");
	scratch_file(here.fd, "wide.json", CONFIG("one"));
	ok(chmod("wide.json", 0646) == 0, "set up");
	is_int(load("wide.json", NULL, &c, &err), -HXS_EUSAGE,
	       "one that everybody may change");
	ok(strstr(err.message, "writable by everybody"), "%s", err.message);
	ok(chmod("wide.json", 0664) == 0, "set up");
	is_int(load("wide.json", NULL, &c, &err), 0, "a group may");
	hxs_config_free(c);
	ok(truncate("wide.json", 16 << 20) == 0, "set up");
	is_int(load("wide.json", NULL, &c, &err), -HXS_EUSAGE,
	       "16 MiB of zeros");
	ok(!strstr(err.message, "larger"), "are read: %s", err.message);
	ok(truncate("wide.json", (16 << 20) + 1) == 0, "set up");
	is_int(load("wide.json", NULL, &c, &err), -HXS_EUSAGE, "a byte more");
	ok(strstr(err.message, "larger than 16 MiB"), "is not: %s",
	   err.message);
	scratch_file(here.fd, "real.json", CONFIG("one"));
	ok(symlink("real.json", "link.json") == 0, "set up");
	is_int(load("link.json", NULL, &c, &err), 0,
	       "the operator's link is followed");
	hxs_config_free(c);
	is_int(load("real.json/x", NULL, &c, &err), -HXS_ENOSUCH,
	       "below a file there is none");
	if (geteuid() != 0) {
		ok(chmod("real.json", 0) == 0, "set up");
		is_int(load("real.json", NULL, &c, &err), -EACCES,
		       "one that cannot be read");
	}
}

int main(void)
{
	(void)unsetenv("HXSNAP_CONFIG");
	scratch_open(&here);
	test_search();
	test_search_from();
	test_values();
	test_odd_files();
	scratch_close(&here);
	return tap_done();
}
