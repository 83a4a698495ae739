#include "fs/options.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>

/*
 * What mount(8), mount.fuse3(8) and fstab(5) may pass along. nosuid and nodev
 * are forced whatever is said here, so suid and dev mean nothing either.
 */
static const char *const ignored[] = {
	"rw",	      "defaults",    "auto",	      "noauto",
	"user",	      "nouser",	     "users",	      "owner",
	"group",      "nofail",	     "_netdev",	      "atime",
	"noatime",    "diratime",    "nodiratime",    "relatime",
	"norelatime", "strictatime", "nostrictatime", "lazytime",
	"nolazytime", "exec",	     "suid",	      "nosuid",
	"dev",	      "nodev",	     "async",	      "sync",
	"dirsync",    "iversion",    "noiversion",    "mand",
	"nomand",     "silent",	     "loud",	      "default_permissions",
};

/* Words with a value, or a value of any kind after this beginning. */
static const char *const ignored_prefix[] = {
	"x-", "X-", "comment=", "fsname=", "subtype=", "uhelper=", "helper=",
};

static const struct {
	const char *word;
	size_t offset;
} flags[] = {
	{ "allow_other", offsetof(struct hxfs_options, allow_other) },
	{ "nocontrol", offsetof(struct hxfs_options, nocontrol) },
	{ "ro", offsetof(struct hxfs_options, read_only) },
	{ "noexec", offsetof(struct hxfs_options, noexec) },
	{ "debug", offsetof(struct hxfs_options, debug) },
};

static const char *const xattr_names[] = { "auto", "on", "off" };

const char *hxfs_options_xattr_name(enum hxfs_xattr x)
{
	return xattr_names[x];
}

static bool is_ignored(const char *word)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(ignored); i++)
		if (strcmp(word, ignored[i]) == 0)
			return true;
	for (i = 0; i < HXS_ARRAY_LEN(ignored_prefix); i++)
		if (strncmp(word, ignored_prefix[i],
			    strlen(ignored_prefix[i])) == 0)
			return true;
	return false;
}

static int set_string(char **to, const char *value, struct hxs_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return hxs_err_errno(err, ENOMEM, "cannot read the options");
	free(*to);
	*to = copy;
	return 0;
}

static int set_gid(struct hxfs_options *o, const char *value,
		   struct hxs_err *err)
{
	unsigned long n;
	struct group *g;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 &&
	    n < (gid_t)-1) {
		o->control_gid = (gid_t)n;
	} else {
		g = getgrnam(value); /* no thread has been started */
		if (!g)
			return hxs_err_set(err, HXS_EUSAGE,
					   "option 'control_gid': there is no "
					   "group '%s'",
					   value);
		o->control_gid = g->gr_gid;
	}
	o->has_control_gid = true;
	return 0;
}

static int set_xattr(struct hxfs_options *o, const char *value,
		     struct hxs_err *err)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(xattr_names); i++) {
		if (strcmp(value, xattr_names[i]) == 0) {
			o->xattr = (enum hxfs_xattr)i;
			return 0;
		}
	}
	return hxs_err_set(err, HXS_EUSAGE,
			   "option 'xattr' is auto, on or off, not '%s'",
			   value);
}

static int set_word(struct hxfs_options *o, const char *word,
		    struct hxs_err *err)
{
	size_t i;

	for (i = 0; i < HXS_ARRAY_LEN(flags); i++) {
		if (strcmp(word, flags[i].word) == 0) {
			*(bool *)((char *)o + flags[i].offset) = true;
			return 0;
		}
	}
	if (strncmp(word, "config=", 7) == 0 && word[7])
		return set_string(&o->config, word + 7, err);
	if (strncmp(word, "control_gid=", 12) == 0)
		return set_gid(o, word + 12, err);
	if (strncmp(word, "xattr=", 6) == 0)
		return set_xattr(o, word + 6, err);
	if (strcmp(word, "remount") == 0) {
		(void)hxs_err_set(err, HXS_EUSAGE,
				  "option 'remount' is not supported");
		hxs_err_hint(err, "unmount and mount again");
		return -HXS_EUSAGE;
	}
	if (is_ignored(word))
		return 0;
	return hxs_err_set(err, HXS_EUSAGE, "option '%s' is not known", word);
}

/* Words are joined by commas; a backslash keeps the character after it. */
static int set_words(struct hxfs_options *o, const char *list,
		     struct hxs_err *err)
{
	HXS_AUTO_FREE char *word = malloc(strlen(list) + 1);
	size_t len = 0;
	int r;

	if (!word)
		return hxs_err_errno(err, ENOMEM, "cannot read the options");
	for (;; list++) {
		if (*list == '\\' && list[1] != '\0') {
			word[len++] = *++list;
			continue;
		}
		if (*list != ',' && *list != '\0') {
			word[len++] = *list;
			continue;
		}
		word[len] = '\0';
		r = len ? set_word(o, word, err) : 0;
		if (r < 0 || *list == '\0')
			return r;
		len = 0;
	}
}

static int set_operand(struct hxfs_options *o, const char *word,
		       struct hxs_err *err)
{
	const char *hash;

	if (!o->store) {
		/* fstab's old form: hxsnapfs#/srv/store */
		hash = strncmp(word, "hxsnapfs#", 9) == 0 ? word + 9 : word;
		if (*hash == '\0')
			return hxs_err_set(err, HXS_EUSAGE,
					   "no store is named");
		return set_string(&o->store, hash, err);
	}
	if (!o->mountpoint)
		return set_string(&o->mountpoint, word, err);
	return hxs_err_set(err, HXS_EUSAGE, "one word too many: '%s'", word);
}

/* Single letters may be joined (-fd); -o takes the rest or the next word. */
static int set_letters(struct hxfs_options *o, int argc, char **argv, int *i,
		       struct hxs_err *err)
{
	const char *s = argv[*i] + 1;

	for (; *s; s++) {
		switch (*s) {
		case 'f':
			o->foreground = true;
			break;
		case 'd':
			o->foreground = true;
			o->debug = true;
			break;
		case 'h':
			o->help = true;
			break;
		case 'V':
			o->version = true;
			break;
		case 'o':
			if (s[1])
				return set_words(o, s + 1, err);
			if (*i + 1 >= argc)
				return hxs_err_set(err, HXS_EUSAGE,
						   "option '-o' wants a value");
			return set_words(o, argv[++*i], err);
		default:
			return hxs_err_set(err, HXS_EUSAGE,
					   "option '-%c' is not known", *s);
		}
	}
	return 0;
}

int hxfs_options_parse(int argc, char **argv, struct hxfs_options *out,
		       struct hxs_err *err)
{
	bool words = true;
	int i, r = 0;

	*out = (struct hxfs_options){ .xattr = HXFS_XATTR_AUTO };
	for (i = 1; i < argc && r == 0; i++) {
		if (words && strcmp(argv[i], "--") == 0)
			words = false;
		else if (words && strcmp(argv[i], "--help") == 0)
			out->help = true;
		else if (words && strcmp(argv[i], "--version") == 0)
			out->version = true;
		else if (words && strncmp(argv[i], "--", 2) == 0)
			r = hxs_err_set(err, HXS_EUSAGE,
					"option '%s' is not known", argv[i]);
		else if (words && argv[i][0] == '-' && argv[i][1] != '\0')
			r = set_letters(out, argc, argv, &i, err);
		else
			r = set_operand(out, argv[i], err);
	}
	if (r < 0 || out->help || out->version)
		return r;
	if (!out->store || !out->mountpoint)
		return hxs_err_set(err, HXS_EUSAGE, "no %s is named",
				   out->store ? "mount point" : "store");
	return 0;
}

void hxfs_options_release(struct hxfs_options *o)
{
	free(o->store);
	free(o->mountpoint);
	free(o->config);
	free(o->start);
	*o = (struct hxfs_options){ .xattr = HXFS_XATTR_AUTO };
}
