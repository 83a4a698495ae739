/* The two threads: who decides, and who works. */
#include "base/clock.h"
#include "base/log.h"
#include "fs/control_parts.h"
#include "verbs/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE 60.0 /* seconds for a cancelled command at the end of all */

static void lock(struct hxfs_control *c)
{
	(void)pthread_mutex_lock(&c->lock); /* a plain mutex: cannot fail */
}

static void unlock(struct hxfs_control *c)
{
	(void)pthread_mutex_unlock(&c->lock);
}

/* ---- the end of a command ------------------------------------------------ */

static void finish(struct hxfs_control *c, struct hxfs_ticket *t,
		   struct hxfs_outcome *o)
{
	hxfs_control_record(c, t, o);
	hxfs_control_show(c, t, o);
	hxfs_outcome_release(o);
	t->answer(t, o->status);
}

/* ---- cancelling ---------------------------------------------------------- */

/* @in_time: the command under way ended because of it. */
static void finish_cancel(struct hxfs_control *c, struct hxfs_ticket *t,
			  bool was_one, bool in_time)
{
	struct hxfs_outcome o = {
		.command = hxfs_verb_name(HXFS_CANCEL),
		.cancelled = in_time,
	};

	(void)snprintf(o.err.message, sizeof(o.err.message), "%s",
		       !was_one	 ? "no command was under way"
		       : in_time ? "the command under way was cancelled"
				 : "the command under way had come to its end");
	finish(c, t, &o);
}

static void cancel(struct hxfs_control *c, struct hxfs_ticket *t)
{
	bool busy;

	lock(c);
	busy = c->busy;
	if (busy) {
		atomic_store(&c->cancelled, true);
		t->next = c->cancels;
		c->cancels = t;
	}
	unlock(c);
	if (!busy)
		finish_cancel(c, t, false, false);
}

/* ---- the desk ------------------------------------------------------------ */

static void refuse(struct hxfs_control *c, struct hxfs_ticket *t, int r,
		   const char *command)
{
	struct hxfs_outcome o = {
		.command = command,
		.status = r,
		.err = t->err,
	};

	finish(c, t, &o);
}

/*
 * A confirmation must not wait for a command, for the time goes on; it is
 * carried out here, and takes seconds at the most.
 */
static void confirm(struct hxfs_control *c, struct hxfs_ticket *t,
		    struct hxfs_command *cmd)
{
	struct hxfs_outcome o = { .command = hxfs_verb_name(cmd->verb) };
	double began = hxs_clock_ticks();

	hxfs_control_confirm(c, t, cmd, &o);
	o.seconds = hxs_clock_ticks() - began;
	hxfs_command_release(cmd);
	finish(c, t, &o);
}

/* With the lock held: why @t must not begin now, or 0. */
static int is_hindered(const struct hxfs_control *c, struct hxs_err *err)
{
	if (c->stopping)
		return hxs_err_set(err, ECANCELED, "the mount is about to end");
	if (c->busy)
		return hxs_err_set(err, HXS_EBUSY,
				   "another command is under way: '%s%s%s'",
				   hxfs_verb_name(c->now.verb),
				   c->now.env[0] ? " " : "",
				   c->now.reference[0] ? c->now.reference
						       : c->now.env);
	return 0;
}

static void hand_to_worker(struct hxfs_control *c, struct hxfs_ticket *t,
			   struct hxfs_command *cmd)
{
	struct timespec now;
	int r;

	hxs_clock_now(&now);
	lock(c);
	r = is_hindered(c, &t->err);
	if (r == 0) {
		c->busy = c->working = true;
		c->began = hxs_clock_ticks();
		c->now = (struct hxfs_operation){ .verb = cmd->verb,
						  .started = now.tv_sec };
		atomic_store(&c->cancelled, false);
		c->job = t;
		c->command = *cmd;
		(void)pthread_cond_signal(&c->to_worker);
	}
	unlock(c);
	if (r == 0)
		return;
	refuse(c, t, r, hxfs_verb_name(cmd->verb));
	hxfs_command_release(cmd);
}

static void look_at(struct hxfs_control *c, struct hxfs_ticket *t)
{
	struct hxfs_command cmd = { .word = NULL };
	int r = t->status;

	if (r == 0)
		r = hxfs_command_parse(t->line, t->len,
				       hxfs_control_place(&t->h->node), &cmd,
				       &t->err);
	if (r < 0) {
		refuse(c, t, r, NULL);
	} else if (cmd.verb == HXFS_CANCEL) {
		hxfs_command_release(&cmd);
		cancel(c, t);
	} else if (cmd.verb == HXFS_CONFIRM) {
		confirm(c, t, &cmd);
	} else {
		hand_to_worker(c, t, &cmd);
	}
}

static void *run_desk(void *arg)
{
	struct hxfs_control *c = arg;
	struct hxfs_ticket *t;

	lock(c);
	for (;;) {
		while (!c->first && !c->ending)
			(void)pthread_cond_wait(&c->to_desk, &c->lock);
		t = c->first;
		if (!t)
			break;
		c->first = t->next;
		if (!c->first)
			c->tail = &c->first;
		unlock(c);
		look_at(c, t);
		lock(c);
	}
	unlock(c);
	return NULL;
}

void hxfs_control_submit(struct hxfs_control *c, struct hxfs_ticket *t)
{
	lock(c);
	t->next = NULL;
	*c->tail = t;
	c->tail = &t->next;
	(void)pthread_cond_signal(&c->to_desk);
	unlock(c);
}

/* ---- the worker ---------------------------------------------------------- */

static void work(struct hxfs_control *c, struct hxfs_ticket *t,
		 struct hxfs_command *cmd)
{
	struct hxfs_outcome o = { .command = hxfs_verb_name(cmd->verb) };
	struct hxfs_ticket *cancels, *next;
	bool cancelled;

	hxfs_control_run(c, t, cmd, &o);
	o.seconds = hxs_clock_ticks() - c->began;
	cancelled = o.status == -ECANCELED;
	lock(c);
	o.began = c->now.progress.phase != NULL;
	unlock(c);
	hxfs_control_record(c, t, &o);
	hxfs_control_show(c, t, &o);
	hxfs_outcome_release(&o);
	hxfs_command_release(cmd);
	/* Whoever hears the answer may give the next command. */
	lock(c);
	c->busy = false;
	cancels = HXS_STEAL(c->cancels);
	unlock(c);
	t->answer(t, o.status);
	for (; cancels; cancels = next) {
		next = cancels->next;
		finish_cancel(c, cancels, true, cancelled);
	}
}

static void *run_worker(void *arg)
{
	struct hxfs_control *c = arg;
	struct hxfs_command cmd;
	struct hxfs_ticket *t;

	lock(c);
	for (;;) {
		c->working = c->job != NULL;
		while (!c->job && !c->ending)
			(void)pthread_cond_wait(&c->to_worker, &c->lock);
		t = HXS_STEAL(c->job);
		if (!t)
			break;
		cmd = c->command;
		unlock(c);
		work(c, t, &cmd);
		lock(c);
	}
	unlock(c);
	return NULL;
}

/* ---- beginning and end --------------------------------------------------- */

int hxfs_control_start(struct hxfs_control *c, void (*tell)(void *ctx),
		       void *ctx)
{
	int r;

	c->tell = tell;
	c->tell_ctx = ctx;
	r = pthread_create(&c->desk, NULL, run_desk, c);
	if (r != 0)
		return -r;
	r = pthread_create(&c->worker, NULL, run_worker, c);
	if (r != 0) {
		lock(c);
		c->ending = true;
		(void)pthread_cond_signal(&c->to_desk);
		unlock(c);
		(void)pthread_join(c->desk, NULL); /* ours, not joined yet */
		return -r;
	}
	c->started = true;
	return 0;
}

/*
 * With the lock held: whether hooks are running. They have time limits of
 * their own, and may be about to start again what was stopped.
 */
static bool is_at_hooks(const struct hxfs_control *c)
{
	const char *phase = c->now.progress.phase;

	return phase && strcmp(phase, HXS_HOOKS_PHASE) == 0;
}

void hxfs_control_stop(struct hxfs_control *c)
{
	struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	double until = hxs_clock_ticks() + PATIENCE;
	bool working;

	if (!c)
		return;
	for (;;) {
		lock(c);
		c->stopping = true;
		working = c->working && !c->given_up;
		if (working)
			atomic_store(&c->cancelled, true);
		if (working && is_at_hooks(c))
			until = hxs_clock_ticks() + PATIENCE;
		unlock(c);
		if (!working)
			return;
		if (hxs_clock_ticks() > until)
			break;
		(void)nanosleep(&pause, NULL);
	}
	lock(c);
	c->given_up = true;
	unlock(c);
	hxs_log_warn("the command under way did not end: what it left will be "
		     "put right by the next one, or the next mount");
}

void hxfs_control_end(struct hxfs_control *c)
{
	if (!c || !c->started)
		return;
	lock(c);
	c->stopping = c->ending = true;
	(void)pthread_cond_signal(&c->to_desk);
	(void)pthread_cond_signal(&c->to_worker);
	unlock(c);
	(void)pthread_join(c->desk, NULL); /* ours, not joined yet */
	(void)pthread_join(c->worker, NULL);
	hxfs_control_record_end(c);
	c->started = false;
}
