/*
 * files.c - see files.h and files_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/files_priv.h"

#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define YIELD_MAX  32                        /* given back for one that asks */
#define YIELD_PART 8                         /* or this part of what is idle */

#define LENDER_MARK 0x6c656e64u

struct files_lender {
	unsigned mark;
	struct shard_job job;
	struct shard *shard;
	enum files_rank rank;
	void (*yield)(void *ctx, size_t n);
	void *ctx;
	_Atomic size_t idle;
	bool posted, dead;                   /* under the lock */
	struct files_lender *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct files_lender *lenders;

/* ---- the plan ------------------------------------------------------------ */

static size_t
clients_of(size_t shared)
{
	size_t models = shared / 4 > 0 ? shared / 4 : 1;
	size_t clients = shared > models ? shared - models : 0;

	return clients < LIMIT_HTTP_CONNS ? clients : LIMIT_HTTP_CONNS;
}

int
files_plan_divide(struct files_plan *p, size_t allowed, size_t open,
    unsigned shards, struct err *e)
{
	size_t fixed = open + LIMIT_FILES_PROCESS + LIMIT_FILES_SPARE, least;

	assert(shards > 0);
	*p = (struct files_plan){ .allowed = allowed, .shards = shards };
	for (; p->shards > 0; p->shards--) {
		size_t reserved = fixed + (size_t)p->shards * LIMIT_FILES_SHARD;

		p->shared = allowed > reserved ? allowed - reserved : 0;
		p->clients = clients_of(p->shared);
		if (p->clients >= LIMIT_HTTP_CONNS_MIN)
			return OK;
	}
	for (least = LIMIT_HTTP_CONNS_MIN; clients_of(least) < LIMIT_HTTP_CONNS_MIN; )
		least++;
	return err_set(e, ERR_LIMIT, "%zu open files are allowed, and at least %zu are "
	    "needed to serve %d clients; raise the limit (ulimit -n, LimitNOFILE=)",
	    allowed, fixed + LIMIT_FILES_SHARD + least, LIMIT_HTTP_CONNS_MIN);
}

static size_t
limit_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 1024;                 /* the kernel's default */
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) < 0)
			getrlimit(RLIMIT_NOFILE, &r);
	}
	return r.rlim_cur;
}

size_t
files_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	if (d == NULL)
		return 3;                    /* without /proc: the standard ones */
	for (const struct dirent *de = readdir(d); de != NULL; de = readdir(d))
		n += de->d_name[0] != '.';
	closedir(d);
	return n - 1;                        /* the folder itself */
}

int
files_plan_make(struct files_plan *p, unsigned shards, size_t more, struct err *e)
{
	/* A shared one has a descriptor beside those of the shards. */
	int rc = files_plan_divide(p, limit_raise(), files_open() + more * (shards + 1), shards, e);

	if (rc == OK)
		account_set_capacity(&account_files, p->shared);
	return rc;
}

size_t
files_clients_max(void)
{
	return clients_of(account_files.capacity);
}

/* Half of the account, so that they seldom have to be asked for. */
size_t
files_models_kept(void)
{
	size_t half = account_files.capacity / 2;

	half = half > 0 ? half : 1;
	return half < LIMIT_LLM_CONCURRENCY ? half : LIMIT_LLM_CONCURRENCY;
}

/* ---- lenders --------------------------------------------------------------- */

static void
lender_free(struct files_lender *fl)
{
	CHECK_END(fl);
	free(fl);
}

static void
on_asked(struct shard_job *job)
{
	struct files_lender *fl = CONTAINER_OF(job, struct files_lender, job);
	size_t n = files_lender_idle(fl) / YIELD_PART + 1;
	bool dead;

	CHECK_MARK(fl, LENDER_MARK);
	pthread_mutex_lock(&lock);
	fl->posted = false;
	dead = fl->dead;
	pthread_mutex_unlock(&lock);
	if (dead)
		lender_free(fl);
	else
		fl->yield(fl->ctx, n < YIELD_MAX ? n : YIELD_MAX);
}

struct files_lender *
files_lender_new(struct shard *s, enum files_rank rank,
    void (*yield)(void *ctx, size_t n), void *ctx)
{
	struct files_lender *fl = mem_new(struct files_lender);

	assert(yield != NULL && rank <= FILES_CLIENTS);
	*fl = (struct files_lender){ .mark = LENDER_MARK, .job.run = on_asked,
		.shard = s, .rank = rank, .yield = yield, .ctx = ctx };
	pthread_mutex_lock(&lock);
	fl->next = lenders;
	lenders = fl;
	pthread_mutex_unlock(&lock);
	return fl;
}

/* A job under way frees it. */
void
files_lender_free(struct files_lender *fl)
{
	struct files_lender **at = &lenders;
	bool posted;

	if (fl == NULL)
		return;
	CHECK_MARK(fl, LENDER_MARK);
	assert(!fl->dead);
	pthread_mutex_lock(&lock);
	while (*at != fl)
		at = &(*at)->next;
	*at = fl->next;
	fl->dead = true;
	posted = fl->posted;
	pthread_mutex_unlock(&lock);
	if (!posted)
		lender_free(fl);
}

void
files_lender_set(struct files_lender *fl, size_t idle)
{
	CHECK_MARK(fl, LENDER_MARK);
	atomic_store_explicit(&fl->idle, idle, memory_order_relaxed);
}

size_t
files_lender_idle(const struct files_lender *fl)
{
	return atomic_load_explicit(&fl->idle, memory_order_relaxed);
}

void
files_ask(enum files_rank from)
{
	struct files_lender *best = NULL;

	pthread_mutex_lock(&lock);
	for (struct files_lender *fl = lenders; fl != NULL; fl = fl->next) {
		if (fl->rank < from || files_lender_idle(fl) == 0)
			continue;
		if (best == NULL || fl->rank < best->rank || (fl->rank == best->rank &&
		    files_lender_idle(fl) > files_lender_idle(best)))
			best = fl;
	}
	if (best != NULL && !best->posted) {
		best->posted = true;
		shard_post(best->shard, &best->job);
	}
	pthread_mutex_unlock(&lock);
}
