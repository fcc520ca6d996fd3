/*
 * node.c - see node.h: the lease.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/node_priv.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define JOIN_TRIES 8                         /* at a start, to renew a lease that took long */

/* ---- the thread that beats ----------------------------------------------------- */

/* From here on nothing of runs is written; then all shards are told. */
static void
lease_lost(struct cluster *c, int64_t node, const char *why)
{
	if (atomic_exchange(&c->losing, true))
		return;
	atomic_store(&c->node, NODE_NONE);
	atomic_store(&c->until, 0);
	store_set_node(c->st, NODE_NONE);
	atomic_fetch_add(&c->counts.lost, 1);
	c->before = node;
	log_error("cluster", "lease_lost", "node=%lld reason=%s", (long long)node, why);
	shard_post(c->home, &c->lost_job);
}

static void
beat_sleep(struct cluster *c)
{
	struct timespec t = { c->pace.next / NS_PER_S, c->pace.next % NS_PER_S };

	if (c->pace.next == NEVER)
		pthread_cond_wait(&c->wake, &c->lock);
	else
		pthread_cond_timedwait(&c->wake, &c->lock, &t);
}

/* One beat, and what it means.  Under the lock, but for the beat. */
static void
beat(struct cluster *c)
{
	int64_t node = atomic_load(&c->node);
	nsec sent = clock_mono(), patience = pace_patience(&c->pace, sent);
	struct err e = { 0 };
	int rc;

	pthread_mutex_unlock(&c->lock);
	rc = patience <= 0 ? ERR_TIMEOUT : store_pulse_beat(c->pulse, node, c->o.lease,
	    patience, &e);
	pthread_mutex_lock(&c->lock);
	if (atomic_load(&c->node) != node)
		return;                      /* it has left meanwhile */
	atomic_fetch_add(rc == OK ? &c->counts.beats : &c->counts.failed, 1);
	if (pace_beaten(&c->pace, rc, sent, clock_mono()) == PACE_LOST)
		lease_lost(c, node, rc == ERR_NOTFOUND ? e.text :
		    "the database was not reached in time");
	else
		atomic_store(&c->until, c->pace.until);
}

/* Its row was written some time ago: it is that node if nobody has marked it.  Under the lock,
 * but for the beat. */
static void
confirm(struct cluster *c)
{
	int64_t node = c->confirm;
	nsec sent = clock_mono();
	struct err e = { 0 };
	int rc;

	pthread_mutex_unlock(&c->lock);
	rc = store_pulse_beat(c->pulse, node, c->o.lease, c->o.lease * NS_PER_MS / 4, &e);
	pthread_mutex_lock(&c->lock);
	c->confirm = 0;
	c->confirm_sent = sent;
	c->confirm_rc = rc;
	shard_post(c->home, &c->confirm_job);
}

/* Loses the lease, unless that lasts beyond `now`. */
static void
end_lease(struct cluster *c, nsec now, const char *why)
{
	int64_t node;

	pthread_mutex_lock(&c->lock);
	node = atomic_load(&c->node);
	if (node > 0 && now >= c->pace.until) {
		c->pace.next = NEVER;
		lease_lost(c, node, why);
	}
	pthread_mutex_unlock(&c->lock);
}

bool
cluster_holds(struct cluster *c)
{
	if (clock_mono() < atomic_load_explicit(&c->until, memory_order_relaxed))
		return true;
	end_lease(c, clock_mono(), "the process stood still");
	return false;
}

void
cluster_give_up(struct cluster *c, const char *why)
{
	end_lease(c, NEVER, why);
}

static void *
beat_main(void *arg)
{
	struct cluster *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (c->confirm > 0)
			confirm(c);
		else if (clock_mono() < c->pace.next)
			beat_sleep(c);
		else
			beat(c);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* We are this node, as far as we know since `sent`. */
static void
lease_begin(struct cluster *c, int64_t node, nsec sent)
{
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->node, node);
	store_set_node(c->st, node);
	pace_begin(&c->pace, sent);
	atomic_store(&c->until, c->pace.until);
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	atomic_fetch_add(&c->counts.joined, 1);
	atomic_store(&c->losing, false);
	log_info("cluster", "joined", "node=%lld name=%s lease_ms=%lld", (long long)node,
	    c->name, (long long)c->o.lease);
}

/* ---- lost, and joining again ------------------------------------------------------- */

static void join_begin(struct cluster *c);

static void
on_again(struct wheel_timer *t)
{
	join_begin(CONTAINER_OF(t, struct cluster, again));
}

static void
shard_resume(struct shard_job *job)
{
	runs_resume(CONTAINER_OF(job, struct cluster_shard, resume)->runs);
}

static void
all_resume(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < LIMIT_SHARDS; i++) {
		struct cluster_shard *s = &c->shard[i];

		if (s->runs == NULL)
			continue;
		s->resume.run = shard_resume;
		shard_post(runs_shard(s->runs), &s->resume);
	}
	pthread_mutex_unlock(&c->lock);
}

static void
join_again(struct cluster *c, int rc, const char *why)
{
	log_fails(&c->not_joined, "cluster", "not_joined", "rc=%s reason=%s", rc_name(rc), why);
	c->again.fire = on_again;
	shard_timer_set(c->home, &c->again, pace_rejoin());
}

/* This process is the node of the last join, as was true when `sent` was. */
static void
join_holds(struct cluster *c, nsec sent)
{
	log_works(&c->not_joined, "cluster", "not_joined");
	lease_begin(c, c->join.node, sent);
	c->spares = pace_spares(c->o.lease, clock_mono());
	if (c->o.changed != NULL)
		c->o.changed(c->o.ctx, c->join.node);
	all_resume(c);
	if (c->serves)
		take_look_soon(c);
	peers_tell(c, 0);
}

static void
confirmed(struct shard_job *job)
{
	struct cluster *c = CONTAINER_OF(job, struct cluster, confirm_job);
	nsec sent;
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = c->confirm_rc;
	sent = c->confirm_sent;
	pthread_mutex_unlock(&c->lock);
	if (rc == OK && pace_is_stale(&c->pace, sent, clock_mono()))
		rc = ERR_TIMEOUT;
	if (c->leaves)
		return;
	if (rc == OK)
		join_holds(c, sent);
	else
		join_again(c, rc, "it took too long");
}

static void
joined(struct store_cmd *cmd)
{
	struct cluster *c = CONTAINER_OF(cmd, struct cluster, join.cmd);

	if (c->leaves)
		return;                      /* its row is over with its lease */
	if (cmd->rc != OK) {
		join_again(c, cmd->rc, cmd->err.text);
		if (cmd->rc == ERR_CONFLICT && c->o.outdated != NULL)
			c->o.outdated(c->o.ctx);
		return;
	}
	if (!pace_is_stale(&c->pace, c->joining, clock_mono())) {
		join_holds(c, c->joining);
		return;
	}
	c->before = c->join.node;            /* it leaves that if it joins again */
	pthread_mutex_lock(&c->lock);
	c->confirm = c->join.node;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

static void
join_fill(struct cluster *c)
{
	c->join = (struct store_node_join){ .cmd = { .op = STORE_NODE_JOIN },
	    .name = str_of(c->name), .address = str_of(c->address),
	    .info = str_of(c->info), .lease = c->o.lease, .before = c->before };
	c->joining = clock_mono();
}

static void
join_begin(struct cluster *c)
{
	int rc;

	join_fill(c);
	c->join.cmd.done = joined;
	rc = store_submit(c->st, c->home, &c->join.cmd, true);
	assert(rc == OK);                    /* forced */
}

static void
abandoned(struct cluster *c)
{
	if (atomic_fetch_sub(&c->left, 1) == 1)
		shard_post(c->home, &c->lost_job);
}

static void
shard_abandon(struct shard_job *job)
{
	struct cluster_shard *s = CONTAINER_OF(job, struct cluster_shard, abandon);

	runs_abandon(s->runs);
	abandoned(s->c);
}

/* Before all have, nothing is posted to them again. */
static void
all_abandon(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->left, c->shards + 1);
	for (unsigned i = 0; i < LIMIT_SHARDS; i++) {
		struct cluster_shard *s = &c->shard[i];

		if (s->runs == NULL)
			continue;
		s->abandon.run = shard_abandon;
		shard_post(runs_shard(s->runs), &s->abandon);
	}
	pthread_mutex_unlock(&c->lock);
	abandoned(c);
}

static void lost_told(struct shard_job *job);

/* All shards have abandoned their runs. */
static void
lost_over(struct shard_job *job)
{
	struct cluster *c = CONTAINER_OF(job, struct cluster, lost_job);

	c->lost_job.run = lost_told;
	if (!c->leaves)
		join_begin(c);
}

static void
lost_told(struct shard_job *job)
{
	struct cluster *c = CONTAINER_OF(job, struct cluster, lost_job);

	peers_forget(c);
	if (c->o.changed != NULL)
		c->o.changed(c->o.ctx, NODE_NONE);
	c->lost_job.run = lost_over;
	all_abandon(c);
}

/* ---- life ----------------------------------------------------------------------------- */

/* Takes turns until the command is back. */
static int
wait_for(struct cluster *c, struct store_cmd *cmd, struct err *e)
{
	int rc = store_submit(c->st, c->home, cmd, true);

	if (rc != OK)
		return err_set(e, rc, "joining the cluster: %s", rc_text(rc));
	while (cmd->under_way)
		shard_turn(c->home);
	return cmd->rc == OK ? OK : err_set(e, cmd->rc, "joining the cluster: %s",
	    cmd->err.text);
}

/* Earlier starts on this machine that have ended: nobody need wait for their leases. */
static int
find_dead(struct cluster *c, int64_t **out, size_t *n, struct err *e)
{
	size_t cap = 0;
	int rc;

	c->list = (struct store_node_list){ .cmd = { .op = STORE_NODE_LIST,
	    .arena = &c->list_arena } };
	rc = wait_for(c, &c->list.cmd, e);
	if (rc == ERR_TIMEOUT) {             /* a busy database: their leases end by themselves */
		log_warn("cluster", "dead_not_looked_for", "reason=%s", e->text);
		rc = OK;
	}
	for (size_t i = 0; rc == OK && i < c->list.nodes_n; i++) {
		struct json_doc d = { 0 };

		if (c->list.nodes[i].state == NODE_LIVE &&
		    json_parse(&d, c->list.nodes[i].info, NULL) == OK &&
		    self_is_dead(json_str(json_get(d.root, S("process"))))) {
			mem_grow(*out, *n, cap);
			(*out)[(*n)++] = c->list.nodes[i].node;
		}
		json_release(&d);
	}
	arena_clear(&c->list_arena);
	return rc;
}

static int
join_first(struct cluster *c, struct err *e)
{
	int64_t *dead = NULL;
	size_t n = 0;
	int rc = find_dead(c, &dead, &n, e);

	join_fill(c);
	c->join.dead = dead;
	c->join.dead_n = n;
	if (rc == OK)
		rc = wait_for(c, &c->join.cmd, e);
	for (unsigned i = 0; rc == OK && i < JOIN_TRIES &&
	    pace_is_stale(&c->pace, c->joining, clock_mono()); i++) {
		c->joining = clock_mono();
		rc = store_pulse_beat(c->pulse, c->join.node, c->o.lease,
		    c->o.lease * NS_PER_MS / 4, e);
	}
	if (rc == OK)
		lease_begin(c, c->join.node, c->joining);
	free(dead);
	return rc;
}

/* The object, with a member about this process. */
static char *
info_make(struct str info)
{
	struct buf b = BUF(64 * KB), mark = BUF(4 * KB);
	char *text;

	self_add_mark(&mark);
	buf_lit(&b, "{\"process\":");
	json_add_str(&b, buf_str(&mark));
	if (info.n > 2)
		buf_add_char(&b, ',');
	buf_add(&b, info.n > 2 ? str_sub(info, 1, info.n - 1) : S("}"));
	text = mem_cstr(buf_str(&b));
	buf_release(&mark);
	buf_release(&b);
	return text;
}

int
cluster_open(struct cluster **out, struct store *st, struct shard *s,
    const struct cluster_options *o, struct err *e)
{
	struct cluster *c = mem_new(struct cluster);
	pthread_condattr_t attr;
	int rc;

	*out = NULL;
	c->st = st;
	c->home = s;
	c->o = *o;
	c->pace.lease = o->lease;
	c->name = mem_cstr(o->name);
	c->address = mem_cstr(o->address);
	c->info = info_make(o->info);
	c->pace.next = NEVER;
	c->lost_job.run = lost_told;
	c->confirm_job.run = confirmed;
	atomic_init(&c->node, NODE_NONE);
	c->list_arena = c->wanted_arena = c->take_arena = ARENA(LIMIT_STATE_BYTES);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = store_pulse_open(st, &c->pulse, e);
	if (rc == OK)
		rc = join_first(c, e);
	if (rc == OK) {
		rc = pthread_create(&c->thread, NULL, beat_main, c);
		c->runs = rc == 0;
		if (rc != 0)
			rc = err_set(e, ERR_IO, "thread: %s", strerror(rc));
	}
	if (rc != OK) {
		cluster_stop(c);
		cluster_free(c);
		return rc;
	}
	if (o->changed != NULL)
		o->changed(o->ctx, c->join.node);
	*out = c;
	return OK;
}

static void
thread_end(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	if (c->runs)
		pthread_join(c->thread, NULL);
	c->runs = false;
}

void
cluster_stop(struct cluster *c)
{
	if (c == NULL)
		return;
	thread_end(c);
	store_pulse_close(c->pulse);
	c->pulse = NULL;
}

void
cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	assert(!c->runs && c->pulse == NULL);
	arena_release(&c->list_arena);
	arena_release(&c->wanted_arena);
	arena_release(&c->take_arena);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	missed_clear(&c->missed);
	free(c->lost);
	free(c->peers);
	free(c->name);
	free(c->address);
	free(c->info);
	free(c);
}

void
cluster_attach(struct cluster *c, struct runs *rs)
{
	struct cluster_shard *s = &c->shard[shard_id(runs_shard(rs))];

	assert(shard_id(runs_shard(rs)) < LIMIT_SHARDS && s->runs == NULL);
	pthread_mutex_lock(&c->lock);
	s->c = c;
	s->runs = rs;
	c->shards++;
	pthread_mutex_unlock(&c->lock);
}

void
cluster_serve(struct cluster *c)
{
	c->serves = true;
	peers_listen(c);
	take_look_soon(c);
}

void
cluster_drain(struct cluster *c)
{
	c->drains = true;
}

static void
left(struct store_cmd *cmd)
{
	struct cluster *c = CONTAINER_OF(cmd, struct cluster, leave.cmd);

	if (cmd->rc != OK)
		log_warn("cluster", "not_left", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
	else
		log_info("cluster", "left", "node=%lld", (long long)c->leave.node);
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->node, NODE_NONE);
	store_set_node(c->st, NODE_NONE);
	atomic_store(&c->until, 0);
	c->pace.next = NEVER;
	pthread_mutex_unlock(&c->lock);
	peers_tell(c, 0);
	c->left_done(c->left_ctx);
}

void
cluster_leave(struct cluster *c, void (*done)(void *ctx), void *ctx)
{
	int64_t node = atomic_load(&c->node);
	int rc;

	c->leaves = true;
	c->left_done = done;
	c->left_ctx = ctx;
	take_stop(c);
	shard_timer_cancel(c->home, &c->again);
	if (node <= 0) {                     /* lost: its row is over by itself */
		done(ctx);
		return;
	}
	c->leave = (struct store_node_leave){ .cmd = { .op = STORE_NODE_LEAVE,
	    .done = left }, .node = node };
	rc = store_submit(c->st, c->home, &c->leave.cmd, true);
	assert(rc == OK);                    /* forced */
}

void
cluster_stats(struct cluster *c, struct cluster_stats *out)
{
	nsec now = clock_mono();

	*out = (struct cluster_stats){ .node = cluster_node(c), .lease = c->o.lease,
	    .beats = atomic_load(&c->counts.beats),
	    .beats_failed = atomic_load(&c->counts.failed),
	    .lost = atomic_load(&c->counts.lost), .joined = atomic_load(&c->counts.joined),
	    .took_threads = atomic_load(&c->counts.took),
	    .marked = atomic_load(&c->counts.marked) };
	pthread_mutex_lock(&c->lock);
	out->left = out->node > 0 ? (c->pace.until - now) / NS_PER_MS : 0;
	for (size_t i = 0; i < c->peers_n; i++)
		out->others += c->peers[i].until > now;
	pthread_mutex_unlock(&c->lock);
}
