/*
 * issuer.c - see issuer_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/issuer_priv.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/client.h"

#include <assert.h>
#include <pthread.h>

#define KEEP_DEFAULT_MS (10 * 60 * 1000)

struct issuer {
	struct str source;
	bool remote;                         /* an address */
	pthread_rwlock_t lock;               /* of keys and serial */
	struct jwks *keys;
	unsigned serial;
	/* of an address: */
	pthread_mutex_t asking_lock;         /* of the next four */
	struct auth_wait *waiting;
	size_t waiting_n;
	bool asking;                         /* a fetch is under way or posted */
	nsec next;                           /* earliest fetch for another unknown key */
	struct shard *home;
	struct client *client;
	struct shard_job job;
	struct client_call *call;
	struct wheel_timer timer;            /* the fetch's end, or the next one */
	struct buf body;
	int64_t max_age;
};

static void
put_keys(struct issuer *i, struct jwks *keys)
{
	struct jwks *old;

	pthread_rwlock_wrlock(&i->lock);
	old = i->keys;
	i->keys = keys;
	i->serial++;
	pthread_rwlock_unlock(&i->lock);
	jwks_free(old);
}

static int
read_file(struct issuer *i, struct err *e)
{
	struct buf text = BUF(LIMIT_JWKS_BYTES);
	char *path = mem_cstr(i->source);
	struct jwks *keys = NULL;
	struct err why;
	int rc = file_add(path, &text, &why);

	if (rc == OK)
		rc = jwks_read(&keys, buf_str(&text), &why);
	if (rc < 0)
		err_set(e, rc, "auth.jwks: %s: %s", path, why.text);
	else
		put_keys(i, keys);
	free(path);
	buf_release(&text);
	return rc;
}

int
issuer_new(struct issuer **out, struct str source, struct err *e)
{
	struct issuer *i = mem_new(struct issuer);
	int rc = OK;

	i->source = source;
	i->remote = str_starts(source, S("https://")) || str_starts(source, S("http://"));
	i->body = BUF(LIMIT_JWKS_BYTES);
	pthread_rwlock_init(&i->lock, NULL);
	pthread_mutex_init(&i->asking_lock, NULL);
	if (!i->remote)
		rc = read_file(i, e);
	if (rc < 0) {
		issuer_free(i);
		i = NULL;
	}
	*out = i;
	return rc;
}

void
issuer_free(struct issuer *i)
{
	if (i == NULL)
		return;
	jwks_free(i->keys);
	buf_release(&i->body);
	pthread_rwlock_destroy(&i->lock);
	pthread_mutex_destroy(&i->asking_lock);
	free(i);
}

const struct jwks *
issuer_keys(struct issuer *i, unsigned *serial)
{
	pthread_rwlock_rdlock(&i->lock);
	*serial = i->serial;
	return i->keys;
}

void
issuer_done(struct issuer *i)
{
	pthread_rwlock_unlock(&i->lock);
}

/* ---- fetching, on the home shard --------------------------------------------------- */

msec
issuer_keep_ms(int64_t max_age)
{
	msec ms = max_age < 0 ? KEEP_DEFAULT_MS : max_age > LIMIT_JWKS_KEEP_MAX_MS / 1000 ?
	    LIMIT_JWKS_KEEP_MAX_MS : max_age * 1000;

	return ms < LIMIT_JWKS_KEEP_MIN_MS ? LIMIT_JWKS_KEEP_MIN_MS : ms;
}

static void
fetched(struct issuer *i, int rc, int status, const struct err *e)
{
	struct auth_wait *waiting;
	struct jwks *keys = NULL;
	struct err why = { 0 };

	if (rc < 0)
		err_set(&why, rc, "%s", e->text);
	else if (status != 200)
		rc = err_set(&why, ERR_BUSY, "it answered %d", status);
	else
		rc = jwks_read(&keys, buf_str(&i->body), &why);
	buf_release(&i->body);
	if (rc == OK) {
		log_info("auth", "jwks_fetched", "url=%.*s keys=%zu", FMT(i->source),
		    jwks_count(keys));
		put_keys(i, keys);
	} else {
		log_error("auth", "jwks_failed", "url=%.*s error=\"%s\"", FMT(i->source),
		    why.text);
	}
	shard_timer_set(i->home, &i->timer, rc == OK ? issuer_keep_ms(i->max_age) :
	    LIMIT_JWKS_PAUSE_MS);
	pthread_mutex_lock(&i->asking_lock);
	waiting = i->waiting;
	i->waiting = NULL;
	i->waiting_n = 0;
	i->asking = false;
	pthread_mutex_unlock(&i->asking_lock);
	waits_tell(waiting);
}

static void
on_head(void *ctx, const struct client_answer *a)
{
	struct issuer *i = ctx;

	i->max_age = a->max_age;
}

static void
on_data(void *ctx, struct str bytes)
{
	struct issuer *i = ctx;

	buf_add(&i->body, bytes);
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct issuer *i = ctx;

	i->call = NULL;
	fetched(i, rc, a->status, e);
}

static void
fetch(struct issuer *i)
{
	i->max_age = -1;
	i->call = client_start(i->client, &(struct client_request){ .method = S("GET"),
	    .url = i->source, .headers = S("Accept: application/json\r\n"),
	    .connect_ms = LIMIT_AUTH_ASK_MS, .silence_ms = LIMIT_AUTH_ASK_MS,
	    .body_max = LIMIT_JWKS_BYTES }, &(struct client_hooks){ .head = on_head,
	    .data = on_data, .done = on_done, .ctx = i });
	shard_timer_set(i->home, &i->timer, LIMIT_AUTH_ASK_MS);
}

static void
on_job(struct shard_job *job)
{
	struct issuer *i = CONTAINER_OF(job, struct issuer, job);

	if (i->client != NULL)
		fetch(i);
}

/* True: the caller has a fetch begun. */
static bool
begins(struct issuer *i)
{
	bool begins;

	pthread_mutex_lock(&i->asking_lock);
	begins = !i->asking;
	i->asking = true;
	pthread_mutex_unlock(&i->asking_lock);
	return begins;
}

static void
on_timer(struct wheel_timer *t)
{
	struct issuer *i = CONTAINER_OF(t, struct issuer, timer);
	struct err e;

	if (i->call != NULL) {
		client_cancel(i->call);
		i->call = NULL;
		err_set(&e, ERR_TIMEOUT, "it did not answer in time");
		fetched(i, ERR_TIMEOUT, 0, &e);
	} else if (begins(i)) {
		fetch(i);
	}
}

void
issuer_attach(struct issuer *i, struct shard *s, struct client *c)
{
	if (!i->remote || shard_id(s) != 0)
		return;
	i->home = s;
	i->client = c;
	i->job.run = on_job;
	i->timer.fire = on_timer;
	i->asking = true;
	fetch(i);
}

void
issuer_detach(struct issuer *i, struct shard *s)
{
	if (i->home != s)
		return;
	shard_timer_cancel(s, &i->timer);
	if (i->call != NULL)
		client_cancel(i->call);
	i->call = NULL;
	i->client = NULL;
}

int
issuer_reload(struct issuer *i, struct err *e)
{
	if (!i->remote)
		return read_file(i, e);
	if (i->home != NULL && begins(i))
		shard_post(i->home, &i->job);
	return OK;
}

bool
issuer_may_ask(struct issuer *i)
{
	bool may;

	if (!i->remote)
		return false;
	pthread_mutex_lock(&i->asking_lock);
	may = i->asking || clock_mono() >= i->next;
	pthread_mutex_unlock(&i->asking_lock);
	return may;
}

int
issuer_ask(struct issuer *i, struct auth_wait *w)
{
	bool begin = false;
	int rc = ERR_BUSY;

	assert(i->remote && i->home != NULL);
	pthread_mutex_lock(&i->asking_lock);
	if (i->waiting_n < LIMIT_AUTH_WAITING) {
		rc = OK;
		w->next = i->waiting;
		i->waiting = w;
		i->waiting_n++;
		begin = !i->asking;
		i->asking = true;
	}
	if (begin)
		i->next = clock_mono() + LIMIT_JWKS_PAUSE_MS * NS_PER_MS;
	pthread_mutex_unlock(&i->asking_lock);
	if (begin)
		shard_post(i->home, &i->job);
	return rc;
}
