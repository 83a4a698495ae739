/*
 * What can be told of a database, and done to it, without SQLite: by its
 * header, by what lies beside it, and by the bytes its locks are on.
 */
#include "source/sqlite.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAGIC_LEN 16
#define WRITE_VERSION 18 /* where the header has it; the read version next */
#define MODE_ROLLBACK 1
#define MODE_WAL 2

/* The bytes that SQLite's locks are on, all past any page it writes. */
#define PENDING_BYTE 0x40000000
#define SHARED_FIRST (PENDING_BYTE + 2)
#define SHARED_SIZE 510

/* ---- what files say ---------------------------------------------------- */

int hxs_sqlite_look(int fd)
{
	unsigned char head[WRITE_VERSION + 2];
	ssize_t n = hxs_io_pread_full(fd, head, sizeof(head), 0);

	if (n < 0)
		return (int)n;
	if (n < MAGIC_LEN || memcmp(head, HXS_SQLITE_MAGIC, MAGIC_LEN) != 0)
		return HXS_SQLITE_NONE;
	if ((size_t)n < sizeof(head) ||
	    head[WRITE_VERSION] != head[WRITE_VERSION + 1])
		return HXS_SQLITE_OTHER;
	if (head[WRITE_VERSION] == MODE_ROLLBACK)
		return HXS_SQLITE_ROLLBACK;
	return head[WRITE_VERSION] == MODE_WAL ? HXS_SQLITE_WAL
					       : HXS_SQLITE_OTHER;
}

/* Set @out to "NAME-WHAT"; false if that is no name. */
static bool name_beside(const char *name, const char *what, char *out,
			size_t size)
{
	int n = snprintf(out, size, "%s%s", name, what);

	return n > 0 && (size_t)n < size;
}

bool hxs_sqlite_is_beside(int dirfd, const char *name)
{
	static const char *const whats[] = { "-wal", "-shm", "-journal" };
	HXS_AUTO_CLOSE int fd = -1;
	size_t len = strlen(name), i, n = 0;
	char base[256];

	for (i = 0; i < HXS_ARRAY_LEN(whats); i++) {
		n = strlen(whats[i]);
		if (len > n && len < sizeof(base) &&
		    strcmp(name + len - n, whats[i]) == 0)
			break;
	}
	if (i == HXS_ARRAY_LEN(whats))
		return false;
	memcpy(base, name, len - n);
	base[len - n] = '\0';
	fd = hxs_io_open_regular(dirfd, base, NULL);
	return fd >= 0 && hxs_sqlite_look(fd) > HXS_SQLITE_NONE;
}

/* The size of the regular file beside, 0 if there is none, or -errno. */
static int64_t size_beside(int dirfd, const char *name, const char *what,
			   bool *there)
{
	char beside[272];
	struct stat st;

	*there = false;
	if (!name_beside(name, what, beside, sizeof(beside)))
		return 0;
	if (fstatat(dirfd, beside, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -errno;
	*there = true;
	/* SQLite takes anything but an empty file for one with something. */
	return S_ISREG(st.st_mode) ? st.st_size : 1;
}

bool hxs_sqlite_lies_beside(int dirfd, const char *name, const char *what)
{
	bool there;

	(void)size_beside(dirfd, name, what, &there);
	return there;
}

bool hxs_sqlite_has_wal(int dirfd, const char *name)
{
	bool there;

	return size_beside(dirfd, name, "-wal", &there) != 0 || there;
}

int hxs_sqlite_needs_more(int dirfd, const char *name)
{
	bool there;
	int64_t n;

	n = size_beside(dirfd, name, "-wal", &there);
	if (n == 0)
		n = size_beside(dirfd, name, "-journal", &there);
	return n < 0 ? (int)n : n > 0;
}

/* ---- holding one ------------------------------------------------------- */

static int set_lock(int fd, short type, off_t first, off_t len)
{
	struct flock l = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = len,
	};

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

int hxs_sqlite_hold(int fd)
{
	int r = set_lock(fd, F_RDLCK, PENDING_BYTE, 1);

	if (r < 0)
		return r;
	r = set_lock(fd, F_RDLCK, SHARED_FIRST, SHARED_SIZE);
	(void)set_lock(fd, F_UNLCK, PENDING_BYTE, 1); /* of our own lock */
	return r;
}

void hxs_sqlite_let_go(int fd)
{
	/* Closing does it as well. */
	(void)set_lock(fd, F_UNLCK, SHARED_FIRST, SHARED_SIZE);
}

/* ---- its mode ---------------------------------------------------------- */

/*
 * What PRAGMA journal_mode=DELETE does to the header. By hand, since SQLite
 * would make a -wal beside the copy first, where other files are made.
 */
int hxs_sqlite_leave_wal_mode(int fd)
{
	static const unsigned char mode[2] = { MODE_ROLLBACK, MODE_ROLLBACK };
	int r = hxs_sqlite_look(fd);

	if (r != HXS_SQLITE_WAL)
		return r < 0 ? r : 0;
	r = hxs_io_pwrite_full(fd, mode, sizeof(mode), WRITE_VERSION);
	return r < 0 ? r : 1;
}

int hxs_sqlite_enter_wal_mode(int fd)
{
	static const unsigned char mode[2] = { MODE_WAL, MODE_WAL };
	int r = hxs_sqlite_look(fd);

	if (r != HXS_SQLITE_ROLLBACK)
		return r < 0 ? r : 0;
	return hxs_io_pwrite_full(fd, mode, sizeof(mode), WRITE_VERSION);
}
