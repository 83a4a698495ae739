#ifndef HXS_STORE_LOCK_H
#define HXS_STORE_LOCK_H

/*
 * Who may work on what: flock(2) on files in STORE/.hxsnap/locks, released
 * by the kernel when the holder dies. Never stolen, never by age or pid.
 */
#include "base/err.h"
#include "store/store.h"

struct hxs_lock;

/*
 * Take environment @env's lock for changing its snapshots or targets.
 * -HXS_EBUSY at once when another holds it, naming its command and pid as
 * far as it wrote them. @what names this operation ("create").
 */
HXS_MUST_CHECK
int hxs_lock_env(struct hxs_store *s, const char *env, const char *what,
		 struct hxs_lock **out, struct hxs_err *err);

/*
 * The same for one more lock of @env, which @use tells from the others and
 * from that one; its message is of no use to a person.
 */
HXS_MUST_CHECK
int hxs_lock_other(struct hxs_store *s, const char *env, const char *use,
		   struct hxs_lock **out, struct hxs_err *err);
void hxs_lock_release(struct hxs_lock *l);
HXS_AUTO_DEFINE(lock, struct hxs_lock *, hxs_lock_release)

/*
 * Whether some process of this machine seems to hold it, for who is only to
 * tell that: it may be otherwise a moment later. Takes no lock.
 */
bool hxs_lock_held(const struct hxs_store *s, const char *env);

#endif
