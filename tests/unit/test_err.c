#include "base/err.h"
#include "tests/lib/tap.h"

#include <errno.h>

static const struct {
	const char *label;
	int r, as_errno, as_exit;
} cases[] = {
	{ "success", 0, 0, 0 },
	{ "a count", 17, 0, 0 },
	{ "usage", -HXS_EUSAGE, EINVAL, 2 },
	{ "damage", -HXS_ECORRUPT, EIO, 3 },
	{ "no such snapshot", -HXS_ENOSUCH, ENOENT, 4 },
	{ "denied", -HXS_EDENIED, EACCES, 5 },
	{ "confirmation", -HXS_ECONFIRM, EPERM, 5 },
	{ "busy", -HXS_EBUSY, EBUSY, 6 },
	{ "a plain ENOENT is not status 4", -ENOENT, ENOENT, 1 },
	{ "a plain EBUSY is not status 6", -EBUSY, EBUSY, 1 },
	{ "cancelled", -ECANCELED, ECANCELED, 1 },
	{ "no space", -ENOSPC, ENOSPC, 1 },
	{ "the last errno", -4095, 4095, 1 },
	{ "between errno and ours", -4096, EIO, 1 },
	{ "stopped by a hook", -HXS_EHOOK, ECANCELED, 1 },
	{ "done, a hook failed", -HXS_EAFTER, EIO, 7 },
	{ "beyond ours", -HXS_EAFTER - 1, EIO, 1 },
	{ "the smallest number", -2147483647 - 1, EIO, 1 },
};

static void test_messages(void)
{
	struct hxs_err err = HXS_ERR_INIT;

	is_int(hxs_err_set(&err, HXS_ECORRUPT, "'%s' is damaged", "a"),
	       -HXS_ECORRUPT, "set returns the negative code");
	is_str(err.message, "'a' is damaged", "the sentence");
	is_int(err.code, -HXS_ECORRUPT, "the code");
	hxs_err_hint(&err, "run '%s'", "hxsnap verify");
	is_int(hxs_err_prefix(&err, -HXS_ECORRUPT, "snapshot '%s'", "s"),
	       -HXS_ECORRUPT, "prefix returns its status");
	is_int(hxs_err_suffix(&err, -HXS_ECORRUPT, "nothing was %s", "changed"),
	       -HXS_ECORRUPT, "suffix returns its status");
	is_str(err.message, "snapshot 's': 'a' is damaged; nothing was changed",
	       "prefix and suffix");
	is_str(err.hint, "run 'hxsnap verify'", "the hint");
	is_int(err.code, -HXS_ECORRUPT, "the code stays");

	(void)hxs_err_set(&err, EIO, "again: %s", err.message);
	is_str(err.message,
	       "again: snapshot 's': 'a' is damaged; nothing was changed",
	       "an argument may be the message itself");
	is_str(err.hint, "", "a new failure has no old hint");

	is_int(hxs_err_errno(&err, EACCES, "cannot open '%s'", "x"), -EACCES,
	       "errno returns the negative errno");
	is_str(err.message, "cannot open 'x': Permission denied",
	       "the system's reason");
	(void)hxs_err_errno(&err, HXS_ECORRUPT, "cannot read 'x'");
	is_str(err.message, "cannot read 'x': stored bytes are damaged",
	       "a code of ours has a reason too");

	hxs_err_clear(&err);
	is_int(err.code, 0, "clear: code");
	is_str(err.message, "", "clear: message");
}

static void test_null(void)
{
	is_int(hxs_err_set(NULL, HXS_EUSAGE, "x"), -HXS_EUSAGE, "NULL: set");
	is_int(hxs_err_errno(NULL, EIO, "x"), -EIO, "NULL: errno");
	is_int(hxs_err_prefix(NULL, -EIO, "x"), -EIO, "NULL: prefix");
	is_int(hxs_err_suffix(NULL, -EIO, "x"), -EIO, "NULL: suffix");
	hxs_err_hint(NULL, "x");
	hxs_err_clear(NULL);
}

static void test_long(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	char longer[2 * sizeof(err.message)];
	size_t i;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	(void)hxs_err_set(&err, EIO, "%s", longer);
	is_int((long long)strlen(err.message), sizeof(err.message) - 1,
	       "a message that is too long is cut");
	(void)hxs_err_prefix(&err, -EIO, "short");
	ok(strncmp(err.message, "short: xxx", 10) == 0 &&
		   strlen(err.message) == sizeof(err.message) - 1,
	   "a prefix of a full message stands, its end is cut");
	(void)hxs_err_prefix(&err, -EIO, "%s", longer);
	(void)hxs_err_suffix(&err, -EIO, "more");
	(void)hxs_err_errno(&err, EIO, "%s", longer);
	for (i = 0; err.message[i] == 'x'; i++)
		;
	is_int((long long)i, sizeof(err.message) - 1, "no overflow, no break");
	hxs_err_hint(&err, "%s", longer);
	is_int((long long)strlen(err.hint), sizeof(err.hint) - 1,
	       "a hint that is too long is cut");
}

int main(void)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		is_int(hxs_err_to_errno(cases[i].r), cases[i].as_errno,
		       "%s: errno", cases[i].label);
		is_int(hxs_err_to_exit(cases[i].r), cases[i].as_exit,
		       "%s: exit status", cases[i].label);
	}
	test_messages();
	test_null();
	test_long();
	return tap_done();
}
