/*
 * The tree of a mount without a mount: names, listings, slots, what is put
 * down for the kernel. The snapshots are as a shell script makes them.
 */
#include "fs/attributes.h"
#include "fs/faults.h"
#include "fs/files.h"
#include "fs/nodes.h"
#include "fs/notes.h"
#include "fs/registry.h"
#include "fs/slots.h"
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "base/digest.h"

#include <sys/resource.h>

#define A "20260101T000000Z"
#define B "20260102T000000Z"
#define C "20260103T000000Z"

static const struct hxfs_options options = { .xattr = HXFS_XATTR_AUTO };

/* A snapshot with one file "word" below "src". */
static void make(const char *area, const char *id, const char *word)
{
	char path[256], line[256], hex[HXS_DIGEST_HEX_LEN + 1];
	struct hxs_digest d;

	(void)snprintf(path, sizeof(path), "store/%s/%s/src", area, id);
	if (hxs_io_mkdirs(AT_FDCWD, path, 0755) < 0)
		scratch_die("cannot make a snapshot");
	(void)snprintf(path, sizeof(path), "store/%s/%s/src/word", area, id);
	scratch_file(AT_FDCWD, path, word);
	hxs_digest_of(word, strlen(word), &d);
	hxs_digest_to_hex(&d, hex);
	(void)snprintf(line, sizeof(line), "%s  src/word\n", hex);
	(void)snprintf(path, sizeof(path), "store/%s/%s/manifest.sha256", area,
		       id);
	scratch_file(AT_FDCWD, path, line);
}

static void drop(const char *area, const char *id)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "store/%s/%s", area, id);
	if (hxs_io_remove_tree(AT_FDCWD, path) < 0)
		scratch_die("cannot remove a snapshot");
}

/* The number of @path from the root, or a negative status. */
static int64_t walk(struct hxfs *fs, const char *path)
{
	struct hxfs_found found = { .ino = HXFS_ROOT };
	char copy[256], *save = NULL, *name;
	uint64_t at = HXFS_ROOT;
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name;
	     name = strtok_r(NULL, "/", &save)) {
		r = hxfs_lookup(fs, at, name, HXFS_HASH, false, &found, NULL);
		if (r < 0)
			return r;
		at = found.ino;
	}
	return (int64_t)at;
}

/* ---- names --------------------------------------------------------------- */

static void test_names(struct hxfs *fs)
{
	static const struct {
		const char *path;
		int want; /* 0, or the status */
	} cases[] = {
		{ "dev", 0 },
		{ "dev/" A, 0 },
		{ "dev/" A "/src/word", 0 },
		{ "dev/" A "/manifest.sha256", 0 },
		{ "dev/" A "/.status", 0 },
		{ "dev/.status", 0 },
		{ ".status", 0 },
		{ ".metrics", 0 },
		{ "dev/latest", 0 },
		{ "dev/.rollbacks/" A, 0 },
		{ "dev/.rollbacks/latest", 0 },
		{ "dev/latest-verified", -ENOENT },
		{ "dev/" C, -ENOENT },
		{ "dev/" A "/index.hxi", -ENOENT },
		{ "dev/" A "/src/.status", -ENOENT },
		{ "dev/" A "/src/.control", -ENOENT },
		{ "dev/.rollbacks/.control", -ENOENT },
		{ "dev/" A "/src/word/x", -ENOTDIR },
		{ "dev/.rollbacks/" B, -ENOENT },
		{ "dev/.rollbacks/.status", -ENOENT },
		{ "dev/.tmp", -ENOENT },
		{ "live", -ENOENT },
		{ "../store", -ENOENT },
		{ ".status/x", -ENOTDIR },
		{ "dev/latest/x", -ENOTDIR },
	};
	int64_t r;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		r = walk(fs, cases[i].path);
		is_int(r < 0 ? r : 0, cases[i].want, "%s", cases[i].path);
		if (r > 0)
			is_int(walk(fs, cases[i].path), r, "the same again");
	}
}

/* One file to who looks at it, another node for each who opens it. */
static void test_control(struct hxfs *fs)
{
	static const char *const paths[] = { ".control", "dev/.control",
					     "dev/" A "/.control",
					     "dev/.rollbacks/" A "/.control" };
	struct hxfs_control *control = fs->control;
	struct stat a, b;
	int64_t one, two;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(paths); i++) {
		one = walk(fs, paths[i]);
		two = walk(fs, paths[i]);
		ok(one > 0 && two > 0 && one != two, "%s is another node",
		   paths[i]);
		if (hxfs_stat(fs, (uint64_t)one, HXFS_NOW, &a, NULL) < 0 ||
		    hxfs_stat(fs, (uint64_t)two, HXFS_NOW, &b, NULL) < 0)
			scratch_die("cannot look at .control");
		ok(a.st_ino == b.st_ino, "and the same file");
		is_int(a.st_mode, S_IFREG | 0600, "for its owner alone");
		fs->control = NULL;
		is_int(walk(fs, paths[i]), -ENOENT, "nocontrol has none");
		fs->control = control;
	}
}

static void test_no_waiting(struct hxfs *fs)
{
	struct hxfs_found found;
	int64_t dir = walk(fs, "dev/" B);
	struct hxfs_slot *s;

	is_int(hxfs_lookup(fs, (uint64_t)dir, "src", HXFS_NOW, false, &found,
			   NULL),
	       -EAGAIN, "a snapshot that is not loaded wants a worker");
	is_int(hxfs_slots_enter(fs, (uint32_t)((uint64_t)dir >> 32), HXFS_HASH,
				&s, NULL),
	       0, "it is loaded");
	hxfs_slots_leave(fs, s);
	is_int(hxfs_lookup(fs, (uint64_t)dir, "src", HXFS_NOW, false, &found,
			   NULL),
	       0, "and needs none after that");
	ok(found.lasting, "what is found inside lasts");
	is_int(hxfs_lookup(fs, (uint64_t)dir, "none", HXFS_NOW, false, &found,
			   NULL),
	       -ENOENT, "what is not");
	ok(found.lasting, "lasts too");
	is_int(hxfs_lookup(fs, HXFS_ROOT, "nosuch", HXFS_NOW, false, &found,
			   NULL),
	       -ENOENT, "what is not in the root");
	ok(!found.lasting, "may come");
}

/* ---- listings ------------------------------------------------------------ */

struct seen {
	char text[512];
	uint64_t next;
	int room; /* entries before it is full */
};

static int see(void *ctx, const struct hxfs_dirent *d)
{
	struct seen *s = ctx;
	size_t len = strlen(s->text);

	if (s->room-- <= 0)
		return 1;
	(void)snprintf(s->text + len, sizeof(s->text) - len, "%s ", d->name);
	s->next = d->next;
	return 0;
}

static const char *list(struct hxfs *fs, const char *path, int step,
			struct seen *s)
{
	uint64_t dir = (uint64_t)walk(fs, path);
	size_t before;

	*s = (struct seen){ .next = 0 };
	do {
		before = strlen(s->text);
		s->room = step;
		if (hxfs_list(fs, dir, s->next, HXFS_HASH, step % 2, see, s,
			      NULL) < 0)
			return "failed";
	} while (strlen(s->text) > before);
	return s->text;
}

static void test_listings(struct hxfs *fs)
{
	static const char want_env[] = ". .. latest .rollbacks " A " " B " ";
	struct seen s;
	int step;

	for (step = 1; step <= 7; step++) {
		is_str(list(fs, "", step, &s),
		       ". .. .control .status .metrics dev ", "the root by %d",
		       step);
		is_str(list(fs, "dev", step, &s), want_env, "dev by %d", step);
		is_str(list(fs, "dev/.rollbacks", step, &s),
		       ". .. latest " A " ", "its rollbacks by %d", step);
		is_str(list(fs, "dev/" A, step, &s),
		       ". .. src manifest.sha256 ", "a snapshot by %d", step);
	}
	is_str(list(fs, "dev/" A "/src/word", 3, &s), "failed", "a file");
}

/* ---- following ----------------------------------------------------------- */

static void forget_notes(struct hxfs *fs)
{
	struct hxfs_note n;

	while (hxfs_notes_take(fs->notes, &n))
		;
}

/* Whether this was put down. */
static bool noted(struct hxfs *fs, enum hxfs_note_kind kind, uint64_t dir,
		  const char *name)
{
	struct hxfs_note n;
	bool found = false;

	while (!found && hxfs_notes_take(fs->notes, &n))
		found = n.kind == kind && n.dir == dir &&
			strcmp(n.name, name) == 0;
	return found;
}

static void test_following(struct hxfs *fs)
{
	uint64_t dev = (uint64_t)walk(fs, "dev");
	int64_t latest = walk(fs, "dev/latest"), b = walk(fs, "dev/" B), c;
	struct stat st;

	forget_notes(fs);
	make("backups/dev", C, "three");
	c = walk(fs, "dev/" C);
	ok(c > 0, "a new one is found before anybody told us");
	ok(walk(fs, "dev/latest") != latest, "and latest is another node");
	ok(noted(fs, HXFS_NOTE_NAME, dev, "latest"), "which is put down");
	ok(noted(fs, HXFS_NOTE_DIR, dev, ""), "and the listing");
	forget_notes(fs);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "a scan");
	ok(!noted(fs, HXFS_NOTE_DIR, dev, ""), "finds nothing more");

	drop("backups/dev", C);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "another scan");
	ok(noted(fs, HXFS_NOTE_GONE, dev, C), "finds it gone");
	is_int(walk(fs, "dev/" C), -ENOENT, "it has no name");
	is_int(hxfs_stat(fs, (uint64_t)c, HXFS_HASH, &st, NULL), -ESTALE,
	       "and its number is stale");
	is_int(walk(fs, "dev/latest"), latest, "latest is the old node again");

	make("backups/dev", C, "other");
	ok(walk(fs, "dev/" C) != c, "made anew it is another node");
	drop("backups/dev", C);
	is_int(walk(fs, "dev/" B), b, "the others stay what they were");
}

static void test_envs(struct hxfs *fs)
{
	int64_t live;

	forget_notes(fs);
	make("rollbacks/live", A, "live");
	live = walk(fs, "live");
	ok(live > 0, "a new environment is found");
	ok(walk(fs, "live/.rollbacks/" A "/src/word") > 0, "with what is in");
	is_int(walk(fs, "live/latest"), -ENOENT, "it has no backup");
	ok(noted(fs, HXFS_NOTE_DIR, HXFS_ROOT, ""), "the root has changed");
	drop("rollbacks", "live");
	is_int(hxfs_registry_scan(fs, NULL), 0, "a scan");
	is_int(walk(fs, "live"), -ENOENT, "it has gone");
	make("backups/live", A, "live");
	is_int(walk(fs, "live"), live, "come back it has its number");
	is_int(walk(fs, "live/.rollbacks"), -ENOENT, "and no rollbacks");
	drop("backups", "live");
	is_int(hxfs_registry_scan(fs, NULL), 0, "a scan");
}

/* ---- memory -------------------------------------------------------------- */

static uint32_t slot_of(struct hxfs *fs, const char *path)
{
	return (uint32_t)((uint64_t)walk(fs, path) >> 32);
}

static void test_budget(struct hxfs *fs)
{
	struct hxfs_slot *a, *b;

	is_int(hxfs_slots_enter(fs, slot_of(fs, "dev/" A), HXFS_HASH, &a, NULL),
	       0, "one is entered");
	is_int(hxfs_slots_enter(fs, slot_of(fs, "dev/" B), HXFS_HASH, &b, NULL),
	       0, "and another");
	fs->budget = 1;
	fs->loaded_min = 1;
	hxfs_slots_leave(fs, b);
	ok(b->state == HXFS_IDLE && fs->loaded == 1,
	   "over budget the one that is left is dropped");
	ok(a->state == HXFS_LOADED && a->snap, "the other is held");
	is_int(hxfs_slots_enter(fs, b->number, HXFS_HASH, &b, NULL), 0,
	       "it is loaded again");
	hxfs_slots_leave(fs, a);
	ok(a->state == HXFS_IDLE && b->state == HXFS_LOADED, "they change");
	hxfs_slots_leave(fs, b);
	is_int(fs->loaded, 1, "the last one is kept whatever it takes");
	ok(fs->loaded_bytes == b->bytes, "and it is what is counted");
	fs->budget = HXFS_BUDGET;
}

static void test_failures(struct hxfs *fs)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_slot *s;
	uint32_t number;

	make("backups/dev", C, "three");
	number = slot_of(fs, "dev/" C);
	scratch_file(AT_FDCWD, "store/backups/dev/" C "/manifest.sha256",
		     "nonsense\n");
	is_int(hxfs_slots_enter(fs, number, HXFS_HASH, &s, &err), -HXS_ECORRUPT,
	       "a bad manifest");
	ok(strstr(err.message, C) && strstr(err.message, "line 1"),
	   "is told of: %s", err.message);
	is_int(fs->failed, 1, "and counted");
	hxs_err_clear(&err);
	is_int(hxfs_slots_enter(fs, number, HXFS_NOW, &s, &err), -HXS_ECORRUPT,
	       "at once the second time");
	ok(strstr(err.message, "line 1") != NULL, "with the same reason");
	drop("backups/dev", C);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "it goes");
	is_int(fs->failed, 0, "and is counted no more");
	is_int(hxfs_slots_enter(fs, number, HXFS_HASH, &s, &err), -ESTALE,
	       "its slot is stale");
}

/* @fs has no descriptor left to load slot @number. */
static int enter_without_descriptors(struct hxfs *fs, uint32_t number,
				     struct hxs_err *err)
{
	struct rlimit old, none;
	struct hxfs_slot *s;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &old) < 0)
		scratch_die("cannot ask for a limit");
	none = old;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		scratch_die("cannot set a limit");
	r = hxfs_slots_enter(fs, number, HXFS_HASH, &s, err);
	if (setrlimit(RLIMIT_NOFILE, &old) < 0)
		scratch_die("cannot put a limit back");
	return r;
}

static void test_shortage(struct hxfs *fs)
{
	double until = hxs_clock_ticks() + 10;
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_slot *s;
	uint32_t number;
	int r;

	make("backups/dev", C, "three");
	number = slot_of(fs, "dev/" C);
	is_int(enter_without_descriptors(fs, number, &err), -EMFILE,
	       "no descriptor");
	ok(strstr(err.message, C) && strstr(err.message, strerror(EMFILE)),
	   "is told of: %s", err.message);
	is_int(fs->failed, 0, "and is no damage");
	hxs_err_clear(&err);
	is_int(hxfs_slots_enter(fs, number, HXFS_NOW, &s, &err), -EMFILE,
	       "not tried again at once");
	ok(strstr(err.message, strerror(EMFILE)), "with the same reason");
	do
		r = hxfs_slots_enter(fs, number, HXFS_HASH, &s, NULL);
	while (r == -EMFILE && hxs_clock_ticks() < until);
	is_int(r, 0, "it is there when descriptors are");
	if (r == 0)
		hxfs_slots_leave(fs, s);
	drop("backups/dev", C);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "it goes");
}

/* Foreign snapshots, written anew where they lie. */
static void test_written_anew(struct hxfs *fs)
{
	uint32_t first, second, third;
	struct hxfs_slot *s;

	make("backups/dev", C, "three");
	first = slot_of(fs, "dev/" C "/src/word");
	make("backups/dev", C, "three and more");
	second = slot_of(fs, "dev/" C "/src/word");
	ok(second && second != first, "what is loaded is another slot then");
	hxfs_slots_sweep(fs);
	is_int(hxfs_slots_enter(fs, first, HXFS_HASH, &s, NULL), -ESTALE,
	       "the old one is stale");

	fs->budget = 1;
	fs->loaded_min = 1;
	is_int(hxfs_slots_enter(fs, slot_of(fs, "dev/" A), HXFS_HASH, &s, NULL),
	       0, "another one is entered");
	ok(fs->slot[second] && fs->slot[second]->state == HXFS_IDLE,
	   "and it is dropped from memory");
	hxfs_slots_leave(fs, s);
	fs->budget = HXFS_BUDGET;
	fs->loaded_min = HXFS_LOADED_MIN;
	make("backups/dev", C, "3");
	is_int(hxfs_slots_enter(fs, second, HXFS_HASH, &s, NULL), -ESTALE,
	       "what was loaded once is stale too");
	third = slot_of(fs, "dev/" C "/src/word");
	ok(third && third != second, "and is another slot");
	is_int(hxfs_slots_enter(fs, third, HXFS_HASH, &s, NULL), 0,
	       "which can be entered");
	hxfs_slots_leave(fs, s);
	is_int(fs->failed, 0, "nothing is damaged");
	drop("backups/dev", C);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "it goes");
}

static void test_pinned(struct hxfs *fs)
{
	struct hxfs_handle *h;
	struct hxs_scratch scratch = { .mem = NULL };
	const void *bytes;
	uint64_t ino;

	make("backups/dev", C, "three");
	ino = (uint64_t)walk(fs, "dev/" C "/src/word");
	is_int(hxfs_files_open(fs, (uint32_t)(ino >> 32), (uint32_t)ino,
			       HXFS_HASH, NULL, &h, NULL),
	       0, "a file is opened");
	drop("backups/dev", C);
	is_int(hxfs_registry_scan_env(fs, 0, NULL), 0, "its snapshot goes");
	hxfs_slots_sweep(fs);
	is_int(hxfs_files_read(fs, h, 1, 100, &scratch, &bytes, NULL), 4,
	       "it can be read");
	ok(memcmp(bytes, "hree", 4) == 0, "and is what it was");
	hxfs_files_close(fs, h);
	ok(!fs->slot[ino >> 32], "the slot ends with the last user");
	hxs_scratch_release(&scratch);
}

/* ---- faults -------------------------------------------------------------- */

static int count(const struct hxfs_fault *f, void *ctx)
{
	*(int *)ctx += f->path[0] != '\0';
	return 0;
}

static void test_faults(struct hxfs *fs)
{
	struct hxs_fault fault = { .kind = HXS_FAULT_BLOCK, .reason = "bad" };
	struct hxfs_damage d;
	struct hxfs_slot *s;
	struct hxfs_fault f;
	int i, n = 0;

	is_int(hxfs_slots_enter(fs, slot_of(fs, "dev/" A), HXFS_HASH, &s, NULL),
	       0, "a snapshot");
	for (i = 0; i < 3; i++)
		hxfs_faults_add(fs, s, 2, &fault);
	hxfs_faults_damage(fs->faults, &d);
	ok(d.blocks == 1 && d.files == 1, "the same block is one");
	fault.offset = 65536;
	hxfs_faults_add(fs, s, 2, &fault);
	hxfs_faults_damage(fs->faults, &d);
	ok(d.blocks == 2 && d.files == 1, "another is another");
	fault.kind = HXS_FAULT_MISSING;
	hxfs_faults_add(fs, s, HXS_ENTRY_MANIFEST, &fault);
	hxfs_faults_damage(fs->faults, &d);
	ok(d.blocks == 2 && d.files == 2, "what is no block is a file");
	ok(hxfs_faults_find(fs->faults, s->number, 2, &f) &&
		   f.fault.offset == 0,
	   "the first of a file is found");
	ok(!hxfs_faults_find(fs->faults, s->number, 1, &f), "no other");
	for (i = 2; i < 3000; i++) {
		fault.kind = HXS_FAULT_BLOCK;
		fault.offset = (uint64_t)i << 16;
		hxfs_faults_add(fs, s, 2, &fault);
	}
	hxfs_faults_damage(fs->faults, &d);
	ok(d.blocks >= 3000 && d.files == 2, "thousands are counted");
	(void)hxfs_faults_each(fs->faults, HXFS_ANY, s->number, count, &n);
	is_int(n, HXFS_FAULTS_KEPT, "some are kept");
	hxfs_slots_leave(fs, s);
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxs_store *store = NULL;
	struct hxfs *fs = NULL;
	struct scratch dir;

	scratch_open(&dir);
	make("backups/dev", A, "one");
	make("backups/dev", B, "two");
	make("rollbacks/dev", A, "back");
	is_int(hxs_store_open("store", &store, &err), 0, "a store");
	is_int(hxfs_new(store, &options, "/mnt", &fs, &err), 0, "its tables");
	test_no_waiting(fs);
	test_names(fs);
	test_control(fs);
	test_listings(fs);
	test_following(fs);
	test_envs(fs);
	test_budget(fs);
	test_failures(fs);
	test_shortage(fs);
	test_written_anew(fs);
	test_pinned(fs);
	test_faults(fs);
	hxfs_free(fs);
	hxs_store_close(store);
	scratch_close(&dir);
	return tap_done();
}
