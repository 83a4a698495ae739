/* The command line of hxsnapfs. */
#include "fs/options.h"
#include "tests/lib/tap.h"

#define ARGS_MAX 8

static const struct {
	const char *label;
	char *argv[ARGS_MAX];
	int want;
	const char *says; /* in the message */
} cases[] = {
	{ "store and place", { "p", "a", "b" }, 0, NULL },
	{ "options first", { "p", "-o", "ro", "a", "b" }, 0, NULL },
	{ "options last", { "p", "a", "b", "-oro" }, 0, NULL },
	{ "options between", { "p", "a", "-o", "ro", "b", "-f" }, 0, NULL },
	{ "letters together", { "p", "-fd", "a", "b" }, 0, NULL },
	{ "empty words", { "p", "a", "b", "-o", ",,ro,," }, 0, NULL },
	{ "no words at all", { "p", "a", "b", "-o", "" }, 0, NULL },
	{ "all that mount(8) says",
	  { "p", "a", "b", "-o",
	    "rw,suid,dev,exec,auto,nouser,async,_netdev,nofail,x-a.b=c,"
	    "X-d,comment=e,user,users,owner,group,lazytime,relatime" },
	  0,
	  NULL },
	{ "a name with a dash", { "p", "--", "-a", "-b" }, 0, NULL },
	{ "nothing", { "p" }, -HXS_EUSAGE, "no store" },
	{ "no place", { "p", "a" }, -HXS_EUSAGE, "no mount point" },
	{ "three", { "p", "a", "b", "c" }, -HXS_EUSAGE, "'c'" },
	{ "a letter", { "p", "-z" }, -HXS_EUSAGE, "'-z'" },
	{ "a long one", { "p", "--zap" }, -HXS_EUSAGE, "'--zap'" },
	{ "a word", { "p", "a", "b", "-o", "ro,zap" }, -HXS_EUSAGE, "'zap'" },
	{ "a beginning of a word",
	  { "p", "a", "b", "-o", "r" },
	  -HXS_EUSAGE,
	  "'r'" },
	{ "a word that goes on",
	  { "p", "a", "b", "-o", "nocontrolx" },
	  -HXS_EUSAGE,
	  "nocontrolx" },
	{ "a value missing",
	  { "p", "a", "b", "-o", "config=" },
	  -HXS_EUSAGE,
	  "config=" },
	{ "a value missing", { "p", "-o" }, -HXS_EUSAGE, "'-o'" },
	{ "xattr", { "p", "a", "b", "-o", "xattr=yes" }, -HXS_EUSAGE, "yes" },
	{ "no gid",
	  { "p", "a", "b", "-o", "control_gid=" },
	  -HXS_EUSAGE,
	  "control_gid" },
	{ "a negative gid",
	  { "p", "a", "b", "-o", "control_gid=-1" },
	  -HXS_EUSAGE,
	  "control_gid" },
	{ "gid -1",
	  { "p", "a", "b", "-o", "control_gid=4294967295" },
	  -HXS_EUSAGE,
	  "control_gid" },
	{ "remount",
	  { "p", "a", "b", "-o", "remount,ro" },
	  -HXS_EUSAGE,
	  "remount" },
	{ "an empty store", { "p", "hxsnapfs#", "b" }, -HXS_EUSAGE, "store" },
};

static int parse(char *const *argv, struct hxfs_options *o, struct hxs_err *err)
{
	char *copy[ARGS_MAX + 1] = { NULL };
	int argc = 0;

	while (argc < ARGS_MAX && argv[argc]) {
		copy[argc] = argv[argc];
		argc++;
	}
	hxs_err_clear(err);
	return hxfs_options_parse(argc, copy, o, err);
}

static void test_values(void)
{
	char *argv[ARGS_MAX] = {
		"p",
		"hxsnapfs#/s,t",
		"/m",
		"-d",
		"-o",
		("config=/a\\,b\\\\c,xattr=off,control_gid=12,allow_other,"
		 "nocontrol,noexec,ro"),
	};
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_options o;

	is_int(parse(argv, &o, &err), 0, "every option");
	is_str(o.store, "/s,t", "the old form of a store");
	is_str(o.mountpoint, "/m", "the place");
	is_str(o.config, "/a,b\\c", "escaped commas and backslashes");
	is_int(o.xattr, HXFS_XATTR_OFF, "xattr");
	ok(o.has_control_gid && o.control_gid == 12, "control_gid");
	ok(o.allow_other && o.nocontrol && o.noexec && o.read_only && o.debug &&
		   o.foreground,
	   "the flags");
	hxfs_options_release(&o);
}

static void test_defaults(void)
{
	char *argv[ARGS_MAX] = { "p", "s", "m" };
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_options o;

	is_int(parse(argv, &o, &err), 0, "no option");
	ok(o.xattr == HXFS_XATTR_AUTO && !o.has_control_gid && !o.config &&
		   !o.allow_other && !o.nocontrol && !o.noexec &&
		   !o.read_only && !o.debug && !o.foreground && !o.help &&
		   !o.version,
	   "the defaults");
	hxfs_options_release(&o);
}

int main(void)
{
	struct hxs_err err = HXS_ERR_INIT;
	struct hxfs_options o;
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		is_int(parse(cases[i].argv, &o, &err), cases[i].want, "%s",
		       cases[i].label);
		if (cases[i].says)
			ok(strstr(err.message, cases[i].says) != NULL,
			   "%s: says '%s'", cases[i].label, err.message);
		hxfs_options_release(&o);
	}
	test_values();
	test_defaults();
	return tap_done();
}
