#include "tests/lib/tap.h"
#include "tests/unit/scratch.h"

#include "store/unconfirmed.h"

#define OLD "20260205T152900Z"
#define NEW "20260205T152901Z"
#define FILE_PATH "s/.hxsnap/unconfirmed/dev"

static struct scratch here;
static struct hxs_store *s;

static const char *const paths[] = { "events/\"a\n\\x\xff", "state" };

static struct hxs_unconfirmed record(enum hxs_unconfirmed_state state)
{
	struct hxs_unconfirmed u = {
		.state = state,
		.env = "dev",
		.reference = "dev/20260101T000000Z",
		.rollback_id = OLD,
		.deadline = 1770305340,
		.force = true,
	};

	return u;
}

static void put(enum hxs_unconfirmed_state state, const char *undo_id)
{
	struct hxs_unconfirmed u = record(state);
	struct hxs_err err = HXS_ERR_INIT;

	(void)snprintf(u.undo_id, sizeof(u.undo_id), "%s", undo_id);
	if (hxs_unconfirmed_write(s, &u, &err) < 0)
		scratch_die(err.message);
}

/* The state that is recorded, 0 for none. */
static int state_now(void)
{
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u = HXS_UNCONFIRMED_INIT;
	int r = hxs_unconfirmed_read(s, "dev", &u, NULL);

	return r > 0 ? (int)u.state : r;
}

static void test_round_trip(void)
{
	struct hxs_unconfirmed in = record(HXS_UNCONFIRMED_WAITING);
	HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed out = HXS_UNCONFIRMED_INIT;
	HXS_AUTO_NAMES struct hxs_names envs = HXS_NAMES_INIT;
	struct hxs_err err = HXS_ERR_INIT;

	is_int(hxs_unconfirmed_read(s, "dev", &out, &err), 0, "none at first");
	is_int(hxs_unconfirmed_drop(s, "dev", &err), 0, "which may go");
	ok(!hxs_unconfirmed_wants(s, "dev", OLD), "and wants nothing");
	is_int(hxs_unconfirmed_take_paths(&in, paths, 2), 0, "two paths");
	is_int(hxs_unconfirmed_write(s, &in, &err), 0, "written");
	is_int(hxs_unconfirmed_read(s, "dev", &out, &err), 1, "read");
	ok(out.state == in.state && out.force && out.deadline == in.deadline &&
		   strcmp(out.rollback_id, OLD) == 0 && !out.undo_id[0] &&
		   strcmp(out.reference, in.reference) == 0,
	   "what it says");
	ok(out.path_count == 2 && strcmp(out.paths[0], paths[0]) == 0 &&
		   strcmp(out.paths[1], paths[1]) == 0,
	   "whatever bytes the paths have");
	ok(hxs_unconfirmed_wants(s, "dev", OLD), "its old state is wanted");
	ok(!hxs_unconfirmed_wants(s, "dev", NEW), "and no other");
	is_int(hxs_unconfirmed_envs(s, &envs, &err), 0, "listed");
	ok(envs.count == 1 && strcmp(envs.name[0], "dev") == 0, "as dev");
	is_int(hxs_unconfirmed_read(s, "de", &out, &err), 0,
	       "of no other environment");
	hxs_unconfirmed_release(&in);
}

/* Whatever bit of it is wrong, and wherever it ends. */
static void test_damage(void)
{
	HXS_AUTO_FREE char *text = NULL;
	struct hxs_err err = HXS_ERR_INIT;
	HXS_AUTO_CLOSE int fd = -1;
	size_t len, i, believed = 0;

	put(HXS_UNCONFIRMED_WAITING, "");
	fd = openat(here.fd, FILE_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0 || hxs_io_read_all(fd, 1 << 20, &text, &len) < 0)
		scratch_die(FILE_PATH);
	for (i = 0; i < len; i++) {
		char wrong = (char)(text[i] ^ (1 << i % 8));

		if (pwrite(fd, &wrong, 1, (off_t)i) != 1)
			scratch_die("pwrite");
		believed += state_now() != -HXS_ECORRUPT;
		if (pwrite(fd, text + i, 1, (off_t)i) != 1)
			scratch_die("pwrite");
	}
	is_int(believed, 0, "no flipped bit is believed");
	is_int(state_now(), HXS_UNCONFIRMED_WAITING, "it is right again");
	for (i = len; i-- > 0;) {
		if (ftruncate(fd, (off_t)i) < 0)
			scratch_die("ftruncate");
		believed += state_now() != -HXS_ECORRUPT;
	}
	is_int(believed, 0, "nor is one that is cut short");
	ok(hxs_unconfirmed_wants(s, "dev", NEW),
	   "while it cannot be told, all is wanted");
	is_int(hxs_unconfirmed_undone(s, "dev", &err), 0,
	       "it keeps no restore from being undone");
	if (fchmod(fd, 0620) < 0)
		scratch_die("fchmod");
	is_int(state_now(), -HXS_EDENIED, "others may write it: refused");
}

static void test_turn(void)
{
	enum hxs_unconfirmed_state found;
	struct hxs_err err = HXS_ERR_INIT;

	put(HXS_UNCONFIRMED_WAITING, "");
	is_int(hxs_unconfirmed_turn(s, "dev", NEW, ~0u,
				    HXS_UNCONFIRMED_CONFIRMED, &found, &err),
	       0, "another restore's is left alone");
	is_int(found, 0, "and not told of");
	is_int(hxs_unconfirmed_turn(s, "dev", OLD,
				    1u << HXS_UNCONFIRMED_WAITING,
				    HXS_UNCONFIRMED_CONFIRMED, &found, &err),
	       1, "the one that waits is confirmed");
	is_int(hxs_unconfirmed_turn(s, "dev", OLD,
				    1u << HXS_UNCONFIRMED_WAITING,
				    HXS_UNCONFIRMED_UNDOING, &found, &err),
	       0, "then it is too late for the time to be over");
	is_int(found, HXS_UNCONFIRMED_CONFIRMED, "which is told");
	is_int(state_now(), HXS_UNCONFIRMED_CONFIRMED, "and stays");
}

/* What a crash leaves, with the journal undone or gone. */
static void test_crash(void)
{
	static const struct {
		const char *label;
		enum hxs_unconfirmed_state state;
		const char *undo_id;
		int undone, settled;
	} cases[] = {
		{ "begun", HXS_UNCONFIRMED_BEGUN, "", 0,
		  HXS_UNCONFIRMED_WAITING },
		{ "waiting", HXS_UNCONFIRMED_WAITING, "",
		  HXS_UNCONFIRMED_WAITING, HXS_UNCONFIRMED_WAITING },
		{ "rolled back", HXS_UNCONFIRMED_WAITING, NEW,
		  HXS_UNCONFIRMED_WAITING, HXS_UNCONFIRMED_TAKEN_BACK },
		{ "to be undone", HXS_UNCONFIRMED_UNDOING, "",
		  HXS_UNCONFIRMED_UNDOING, HXS_UNCONFIRMED_UNDOING },
		{ "being undone", HXS_UNCONFIRMED_UNDOING, NEW,
		  HXS_UNCONFIRMED_UNDOING, HXS_UNCONFIRMED_TAKEN_BACK },
		{ "failed", HXS_UNCONFIRMED_FAILED, "", HXS_UNCONFIRMED_FAILED,
		  HXS_UNCONFIRMED_FAILED },
	};
	struct hxs_err err = HXS_ERR_INIT;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		HXS_AUTO_UNCONFIRMED struct hxs_unconfirmed u =
			HXS_UNCONFIRMED_INIT;

		put(cases[i].state, cases[i].undo_id);
		is_int(hxs_unconfirmed_settle(s, "dev", &u, &err), 1, "%s",
		       cases[i].label);
		is_int(u.state, cases[i].settled, "%s: settled",
		       cases[i].label);
		is_int(state_now(), cases[i].settled, "%s: and recorded so",
		       cases[i].label);
		put(cases[i].state, cases[i].undo_id);
		is_int(hxs_unconfirmed_undone(s, "dev", &err), 0, "%s",
		       cases[i].label);
		is_int(state_now(), cases[i].undone, "%s: undone",
		       cases[i].label);
		ok(!hxs_unconfirmed_wants(s, "dev", NEW),
		   "%s: and is not being put back", cases[i].label);
	}
}

static void test_owner(void)
{
	HXS_AUTO(lock) struct hxs_lock *a = NULL, *b = NULL, *env = NULL;
	struct hxs_err err = HXS_ERR_INIT;

	is_int(hxs_unconfirmed_own(s, "dev", &a, &err), 0, "owned");
	is_int(hxs_unconfirmed_own(s, "dev", &b, &err), -HXS_EBUSY,
	       "by one at a time");
	is_str(err.message, "a restore of 'dev' waits for confirmation",
	       "it says what that means");
	is_int(hxs_lock_env(s, "dev", "create", &env, &err), 0,
	       "the environment is not locked by that");
	put(HXS_UNCONFIRMED_WAITING, "");
	is_int(state_now(), HXS_UNCONFIRMED_WAITING, "nor is the record");
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	scratch_open(&here);
	if (hxs_store_init("s", false, &err) < 0 ||
	    hxs_store_open("s", &s, &err) < 0)
		scratch_die(err.message);
	test_round_trip();
	test_damage();
	test_turn();
	test_crash();
	test_owner();
	hxs_store_close(s);
	scratch_close(&here);
	return tap_done();
}
