#include "fs/control_limit.h"

bool hxfs_limit_take(struct hxfs_limit *l, double now, uid_t uid, pid_t pid)
{
	l->used -= (now - l->then) * HXFS_LIMIT_RATE;
	if (l->used < 0)
		l->used = 0;
	l->then = now;
	if (l->used + 1 > HXFS_LIMIT_BURST) {
		l->left_out++;
		l->uid = uid;
		l->pid = pid;
		return false;
	}
	l->used++;
	return true;
}
