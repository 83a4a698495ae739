/* Reading what the kernel says is mounted. */
#include "fs/mountinfo.h"
#include "tests/lib/tap.h"

static const char text[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n"
	"40 27 0:50 / /mnt rw - fuse.hxsnapfs /srv/one rw,user_id=0\n"
	"47 27 0:57 / /own rw - fuse.hxsnapfs /s rw,user_id=7,group_id=8\n"
	"48 27 0:58 / /all rw - fuse.hxsnapfs /s user_id=7,xallow_other,"
	"default_permissions,allow_other,group_id=9,max_read=1\n"
	"41 27 0:51 / /mnt rw shared:2 master:3 - fuse.hxsnapfs /srv/two rw\n"
	"42 27 0:52 / /a\\040b\\134c ro - fuse.hxsnapfs /s\\040t,u rw\n"
	"43 27 0:53 / /mnt2 rw - tmpfs  rw\n"
	"44 27 0:54 / /cut rw\n"
	"45 27 x:y / /bad rw - tmpfs tmpfs rw\n"
	"\n"
	"46 27 0:56 / /end rw - tmpfs tmpfs rw"; /* no newline */

static const struct {
	const char *path;
	bool there;
	unsigned minor;
	const char *type, *source;
} cases[] = {
	{ "/proc", true, 21, "proc", "proc" },
	{ "/", true, 0, "ext4", "/dev/vda" },
	{ "/mnt", true, 51, "fuse.hxsnapfs", "/srv/two" },
	{ "/a b\\c", true, 52, "fuse.hxsnapfs", "/s t,u" },
	{ "/mn", false, 0, NULL, NULL },
	{ "/mnt/", false, 0, NULL, NULL },
	{ "/cut", false, 0, NULL, NULL },
	{ "/bad", false, 0, NULL, NULL },
	{ "/end", false, 0, NULL, NULL },
	{ "", false, 0, NULL, NULL },
};

int main(void)
{
	struct hxfs_mounted m;
	size_t i, cut;

	for (i = 0; i < HXS_ARRAY_LEN(cases); i++) {
		ok(hxfs_mountinfo_find(text, sizeof(text) - 1, cases[i].path,
				       &m) == cases[i].there,
		   "'%s' is %sthere", cases[i].path,
		   cases[i].there ? "" : "not ");
		if (!cases[i].there)
			continue;
		is_int(m.minor, cases[i].minor, "its number");
		is_str(m.type, cases[i].type, "its type");
		is_str(m.source, cases[i].source, "its source");
	}
	ok(hxfs_mountinfo_find(text, sizeof(text) - 1, "/own", &m) &&
		   m.uid == 7 && m.gid == 8 && !m.allow_other,
	   "a user's own");
	ok(hxfs_mountinfo_find(text, sizeof(text) - 1, "/all", &m) &&
		   m.uid == 7 && m.gid == 9 && m.allow_other,
	   "one for all");
	ok(hxfs_mountinfo_find(text, sizeof(text) - 1, "/proc", &m) &&
		   m.uid == 0 && m.gid == 0 && !m.allow_other,
	   "one that says nothing of it");
	for (cut = 0; cut < sizeof(text); cut++)
		(void)hxfs_mountinfo_find(text, cut, "/mnt", &m);
	ok(true, "cut off at every length");
	return tap_done();
}
