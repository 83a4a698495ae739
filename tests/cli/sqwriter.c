/*
 * sqwriter write DB MODE READY
 *	Put DB into journal mode MODE (or, with "same", leave it) and commit
 *	transactions until told to end by SIGTERM. Each inserts ROWS rows into t
 *	whose values add up to 0, with its own number, and puts that number into
 *	last; old ones are deleted. READY is created after the first.
 *
 * sqwriter hold DB MODE READY
 *	Keep DB locked, even from readers, until SIGTERM.
 *
 * It shares nothing with hxsnap but the library whose locks both obey.
 */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 8
#define KEEP 500 /* transactions */

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static void die(sqlite3 *db, const char *what)
{
	fprintf(stderr, "sqwriter: %s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	int rc;

	/* A reader in rollback mode may make a commit wait: again. */
	do
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	while (rc == SQLITE_BUSY && !ended);
	if (rc != SQLITE_OK && !ended)
		die(db, sql);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	if (fd < 0 || close(fd) < 0) {
		perror(path);
		exit(1);
	}
}

static long ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	long n;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		die(db, sql);
	n = (long)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt); /* step told */
	return n;
}

static void commit(sqlite3 *db, long n)
{
	char sql[256];
	int i;

	run(db, "BEGIN IMMEDIATE");
	for (i = 0; i < ROWS; i++) {
		(void)snprintf(sql, sizeof(sql),
			       "INSERT INTO t(n, value, fill) VALUES "
			       "(%ld, %ld, randomblob(200))",
			       n, i < ROWS - 1 ? n + i : -(ROWS - 1) * n - 21L);
		run(db, sql);
	}
	(void)snprintf(sql, sizeof(sql),
		       "UPDATE last SET n = %ld; DELETE FROM t WHERE n <= %ld",
		       n, n - KEEP);
	run(db, sql);
	run(db, "COMMIT");
}

static void write_on(sqlite3 *db, const char *ready)
{
	long n;

	run(db, "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=100;"
		"CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, n, value,"
		" fill); CREATE INDEX IF NOT EXISTS by_n ON t(n);"
		"CREATE TABLE IF NOT EXISTS last(n);"
		"INSERT INTO last SELECT 0 WHERE NOT EXISTS "
		"(SELECT * FROM last)");
	for (n = ask(db, "SELECT n FROM last") + 1; !ended; n++) {
		commit(db, n);
		if (ready)
			touch(ready);
		ready = NULL;
	}
}

static void hold(sqlite3 *db, const char *ready)
{
	sigset_t term, before;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, &before);
	run(db, "PRAGMA locking_mode=EXCLUSIVE;"
		"CREATE TABLE IF NOT EXISTS held(x);"
		"BEGIN EXCLUSIVE; INSERT INTO held VALUES (1)");
	touch(ready);
	while (!ended)
		(void)sigsuspend(&before);
	run(db, "ROLLBACK");
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = end };
	char sql[64];
	sqlite3 *db;

	if (argc != 5) {
		fprintf(stderr, "usage: sqwriter write|hold DB MODE READY\n");
		return 2;
	}
	(void)sigaction(SIGTERM, &sa, NULL);
	if (sqlite3_open(argv[2], &db) != SQLITE_OK)
		die(db, argv[2]);
	(void)sqlite3_busy_timeout(db, 10000);
	(void)snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", argv[3]);
	if (strcmp(argv[3], "same") != 0)
		run(db, sql);
	if (strcmp(argv[1], "write") == 0)
		write_on(db, argv[4]);
	else
		hold(db, argv[4]);
	return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
