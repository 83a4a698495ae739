#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include "store/result.h"
#include "store/store.h"

static struct scratch here;

static struct hxs_store *open_store(const char *path)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_store *s = NULL;

	if (hxs_store_open(path, &s, &err) < 0) {
		printf("Bail out! %s\n", err.message);
		exit(1);
	}
	return s;
}

static void test_open(void)
{
	static const struct {
		const char *path, *says;
		int want;
	} cases[] = {
		{ "absent", "there is no store at 'absent'", -HXS_ENOSUCH },
		{ "absent/deep", "there is no store", -HXS_ENOSUCH },
		{ "file", "not a directory", -HXS_EUSAGE },
		{ "empty", "is it empty", -1 },
		{ "lost", "it is empty; is its file system mounted?",
		  -HXS_EUSAGE },
		{ "other", "holds no 'backups'", -HXS_EUSAGE },
		{ "link", "'backups' is not a directory", -HXS_EUSAGE },
		{ "wide", "writable by everybody", -HXS_EDENIED },
		{ "wide2", "writable by everybody", -HXS_EDENIED },
	};
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_store *s;
	size_t i;

	scratch_file(here.fd, "file", "x");
	scratch_dir(here.fd, "empty");
	scratch_dir(here.fd, "lost");
	scratch_dir(here.fd, "lost/lost+found");
	scratch_dir(here.fd, "other");
	scratch_file(here.fd, "other/file", "x");
	scratch_dir(here.fd, "link");
	ok(symlink("../other", "link/backups") == 0, "set up");
	scratch_dir(here.fd, "wide");
	scratch_dir(here.fd, "wide/backups");
	ok(chmod("wide", 0777) == 0, "set up");
	scratch_dir(here.fd, "wide2");
	scratch_dir(here.fd, "wide2/.hxsnap");
	ok(chmod("wide2/.hxsnap", 0757) == 0, "set up");
	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		int r;

		s = NULL;
		hxs_err_clear(&err);
		r = hxs_store_open(cases[i].path, &s, &err);
		if (cases[i].want == -1) {
			is_int(r, -HXS_EUSAGE, "an empty directory is refused");
			ok(strstr(err.hint, "hxsnap init"), "with a hint");
			continue;
		}
		is_int(r, cases[i].want, "'%s' is refused", cases[i].path);
		ok(strstr(err.message, cases[i].says), "'%s': %s",
		   cases[i].path, err.message);
		ok(!s, "and nothing is handed out");
	}
	ok(chmod("wide", 01777) == 0, "set up");
	is_int(hxs_store_open("wide", &s, &err), 0, "a sticky one will do");
	hxs_store_close(s);
	ok(symlink("wide", "way") == 0, "set up");
	is_int(hxs_store_open("way", &s, &err), 0,
	       "a link in the operator's path is followed");
	ok(hxs_store_path(s)[0] == '/' && strstr(hxs_store_path(s), "/wide"),
	   "and the path is the real one");
	hxs_store_close(s);
	hxs_store_close(NULL);
}

static void test_init(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct stat st;

	(void)umask(077);
	is_int(hxs_store_init("new", false, &err), 0, "a missing one is made");
	(void)umask(022);
	ok(stat("new/backups", &st) == 0 && (st.st_mode & 07777) == 0755,
	   "with backups, whatever the umask");
	ok(stat("new/.hxsnap", &st) == 0 && S_ISDIR(st.st_mode), "and .hxsnap");
	is_int(hxs_store_init("new", false, &err), 0, "again: success");
	is_int(hxs_store_init("a/b", false, &err), -ENOENT,
	       "but not with its parent");
	ok(strstr(err.message, "'a/b'"), "which it names: %s", err.message);
	is_int(hxs_store_init("lost", false, &err), 0, "lost+found is nothing");
	is_int(hxs_store_init("other", false, &err), -HXS_EUSAGE,
	       "other files are something");
	ok(!scratch_exists(here.fd, "other/.hxsnap"), "and stay alone");
	is_int(hxs_store_init("other", true, &err), 0, "unless they may be");
	ok(scratch_exists(here.fd, "other/file"), "and stay");
	is_int(hxs_store_init("file", false, &err), -HXS_EUSAGE,
	       "a file is refused");
}

static void fill(void)
{
	int fd;

	scratch_dir(here.fd, "s");
	fd = openat(here.fd, "s", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scratch_dir(fd, "backups");
	scratch_dir(fd, "backups/dev");
	scratch_dir(fd, "backups/dev/20260205T152900Z");
	scratch_dir(fd, "backups/dev/20260204T000000Z");
	scratch_dir(fd, "backups/dev/20260205T152901Z");
	scratch_dir(fd, "backups/dev/20260230T000000Z"); /* no such day */
	scratch_dir(fd, "backups/dev/.new-20260206T000000Z-00");
	scratch_dir(fd, "backups/dev/notes");
	scratch_file(fd, "backups/dev/20260207T000000Z", "a file");
	if (symlinkat("20260204T000000Z", fd, "backups/dev/20260208T000000Z") <
		    0 ||
	    symlinkat("dev", fd, "backups/linked") < 0)
		scratch_die("symlink");
	scratch_dir(fd, "backups/live");
	scratch_dir(fd, "backups/Upper");
	scratch_dir(fd, "backups/.hidden");
	scratch_file(fd, "backups/file", "x");
	scratch_dir(fd, "rollbacks");
	scratch_dir(fd, "rollbacks/dev");
	scratch_dir(fd, "rollbacks/dev/20260206T000000Z");
	scratch_dir(fd, "rollbacks/only");
	(void)close(fd);
}

static char *join(const struct hxs_names *n)
{
	static char text[1024];
	size_t i;

	text[0] = '\0';
	for (i = 0; i < n->count; i++) {
		strcat(text, n->name[i]);
		strcat(text, " ");
	}
	return text;
}

static void test_lists(void)
{
	struct hxs_names n = HXS_NAMES_INIT;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_store *s = open_store("s");
	int fd;

	is_int(hxs_store_envs(s, &n, &err), 0, "environments");
	is_str(join(&n), "dev live only ", "of both areas, once, sorted");
	hxs_names_release(&n);
	is_int(hxs_store_ids(s, HXS_BACKUP, "dev", &n, &err), 0, "backups");
	is_str(join(&n), "20260204T000000Z 20260205T152900Z 20260205T152901Z ",
	       "directories with an id, oldest first");
	hxs_names_release(&n);
	hxs_names_release(&n);
	is_int(hxs_store_ids(s, HXS_ROLLBACK, "dev", &n, &err), 0, "points");
	is_str(join(&n), "20260206T000000Z ", "of their own");
	hxs_names_release(&n);
	is_int(hxs_store_ids(s, HXS_BACKUP, "linked", &n, &err), 0, "a link");
	is_int((long long)n.count, 0, "is no environment");
	is_int(hxs_store_ids(s, HXS_BACKUP, "../rollbacks/dev", &n, &err), 0,
	       "a path");
	is_int((long long)n.count, 0, "is none either");
	is_int(hxs_store_open_dir(s, HXS_BACKUP, "dev", "20260204T000000Z", &fd,
				  &err),
	       0, "one opens");
	(void)close(fd);
	is_int(hxs_store_open_dir(s, HXS_BACKUP, "dev", "20260208T000000Z", &fd,
				  &err),
	       -HXS_ENOSUCH, "a link does not");
	is_str(err.message, "there is no snapshot 'dev/20260208T000000Z'",
	       "and is told so");
	is_int(hxs_store_open_dir(s, HXS_BACKUP, "dev", "20260207T000000Z", &fd,
				  &err),
	       -HXS_ENOSUCH, "nor a file");
	is_int(hxs_store_open_dir(s, HXS_BACKUP, "dev", "..", &fd, &err),
	       -HXS_ENOSUCH, "nor a way out");
	hxs_store_close(s);
}

static void test_resolve(void)
{
	static const struct {
		const char *ref, *want; /* an id, or a part of the message */
		int r;
	} cases[] = {
		{ "dev/latest", "20260205T152901Z", 0 },
		{ "dev/.rollbacks/latest", "20260206T000000Z", 0 },
		{ "dev/20260204T000000Z", "20260204T000000Z", 0 },
		{ "dev/20260203T000000Z", "no snapshot 'dev/20260203T000000Z'",
		  -HXS_ENOSUCH },
		{ "dev/20260204", "20260204T000000Z", 0 },
		{ "dev/20260205", "2 snapshots", -HXS_EUSAGE },
		{ "dev/20260205T15290", "2 snapshots", -HXS_EUSAGE },
		{ "dev/2025", "no snapshot of 'dev'", -HXS_ENOSUCH },
		{ "dev/.rollbacks/20260204", "no snapshot", -HXS_ENOSUCH },
		{ "dev@2026-02-05T15:29:00Z", "20260205T152900Z", 0 },
		{ "dev@2026-02-05T15:28:59Z", "20260204T000000Z", 0 },
		{ "dev@2030-01-01T00:00:00Z", "20260205T152901Z", 0 },
		{ "dev@2026-02-03T23:59:59Z",
		  "no backup from '2026-02-03T23:59:59Z' or before",
		  -HXS_ENOSUCH },
		{ "dev", "not a snapshot", -HXS_EUSAGE },
		{ "live/latest", "'live' has no backup", -HXS_ENOSUCH },
		{ "live/.rollbacks/latest", "no rollback point", -HXS_ENOSUCH },
		{ "nope/latest", "no environment 'nope'", -HXS_ENOSUCH },
		{ "dev/latest-verified", "no verified backup", -HXS_ENOSUCH },
	};
	struct hxs_store *s = open_store("s");
	struct hxs_result res = { .passed = true, .when = 1 };
	struct hxs_err err = HXS_ERR_INIT;
	char id[HXS_ID_LEN + 1];
	struct hxs_ref ref;
	size_t i;
	int r;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		hxs_err_clear(&err);
		r = hxs_ref_parse(cases[i].ref, &ref, &err);
		if (r == 0)
			r = hxs_store_resolve(s, &ref, id, &err);
		is_int(r, cases[i].r, "'%s'", cases[i].ref);
		if (r == 0)
			is_str(id, cases[i].want, "'%s' is '%s'", cases[i].ref,
			       cases[i].want);
		else
			ok(strstr(err.message, cases[i].want), "'%s': %s",
			   cases[i].ref, err.message);
	}
	r = hxs_result_save(s, HXS_BACKUP, "dev", "20260205T152900Z", &res,
			    &err);
	is_int(r, 0, "a result is kept");
	is_int(hxs_ref_parse("dev/latest-verified", &ref, &err), 0, "parse");
	is_int(hxs_store_resolve(s, &ref, id, &err), 0, "now one is verified");
	is_str(id, "20260205T152900Z", "that one");
	hxs_store_close(s);
}

static void test_identity(void)
{
	char one[HXS_STORE_IDENTITY + 1], two[sizeof(one)], other[sizeof(one)];
	HXS_AUTO(store) struct hxs_store *s = NULL, *b = NULL;
	struct hxs_err err = HXS_ERR_INIT;

	is_int(hxs_store_init("named", false, NULL), 0, "a store");
	is_int(hxs_store_init("named2", false, NULL), 0, "another");
	s = open_store("named");
	b = open_store("named2");
	is_int(hxs_store_identity(s, one, &err), 0, "what it is called");
	is_int((long)strlen(one), HXS_STORE_IDENTITY, "... of that length");
	is_int(hxs_store_identity(s, two, &err), 0, "... and again");
	is_str(two, one, "... is the same");
	is_int(hxs_store_identity(b, other, &err), 0, "of another one");
	ok(strcmp(one, other) != 0, "... it is another");
	ok(unlink("named/.hxsnap/id") == 0, "set up");
	scratch_file(here.fd, "named/.hxsnap/id", one);
	is_int(hxs_store_identity(s, two, &err), -HXS_ECORRUPT,
	       "one that was cut short");
	ok(strstr(err.message, "/.hxsnap/id' is damaged") != NULL,
	   "... is named");
	ok(unlink("named/.hxsnap/id") == 0, "set up");
	is_int(hxs_store_identity(s, two, &err), 0, "one that was removed");
	ok(strcmp(one, two) != 0, "... is made anew");
}

static void test_make_dir(void)
{
	struct hxs_store *s = open_store("s");
	struct stat st;
	bool made;
	int fd;

	(void)umask(0777);
	fd = hxs_store_make_dir(s, ".hxsnap/a/b", 0700, &made);
	(void)umask(022);
	ok(fd >= 0 && made, "made with its parents");
	ok(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0700,
	   "with the mode asked for");
	(void)close(fd);
	fd = hxs_store_make_dir(s, ".hxsnap/a/b", 0700, &made);
	ok(fd >= 0 && !made, "and found the second time");
	(void)close(fd);
	ok(symlink("../../../", "s/.hxsnap/a/out") == 0, "set up");
	is_int(hxs_store_make_dir(s, ".hxsnap/a/out/evil", 0700, NULL), -ELOOP,
	       "no link is followed");
	ok(!scratch_exists(here.fd, "evil"), "and nothing made behind it");
	is_int(hxs_store_make_dir(s, "../evil", 0700, NULL), -EXDEV,
	       "nor is the store left");
	is_int(hxs_store_make_dir(s, "a//b", 0700, NULL), -EINVAL,
	       "nor an empty name taken");
	hxs_store_close(s);
}

int main(void)
{
	scratch_open(&here);
	test_open();
	test_init();
	fill();
	test_lists();
	test_resolve();
	test_identity();
	test_make_dir();
	scratch_close(&here);
	return tap_done();
}
