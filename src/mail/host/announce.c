/*
 * announce.c - the directory over several nodes: what each office tells the others.
 *
 * Announcements of an office are numbered.  A node that missed one, or never got the whole
 * list, asks; the answer lists all agents, and those of that office that are not in it go.
 *
 *   {"t":"news","node":7,"shard":0,"n":12,"at":[op,...]}     one turn's changes
 *   {"t":"all","node":7,"shard":0,"n":12,"first":true,"last":true,"at":[op,...]}
 *   {"t":"who","node":7}        tell me all
 *   {"t":"look","node":7}       letters wait for you (carrier.c)
 *   {"t":"stop",..}             an agent is to stop (carrier_stop.c)
 *   op: {"put":id,"owner":o,"name":..,"caps":[..],"state":2,"load":0,"room":1000}
 *       {"is":id,"state":3}, {"is":id,"load":4}, {"del":id,"owner":o}
 *       {"over":id,"owner":o}       its run has ended here: whoever has the agent looks
 *
 * Where an announcement contradicts what is at home here the store decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/carrier_priv.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/node.h"

#define OPS_BYTES   ((size_t)LIMIT_CARRIER_BYTES / 2)    /* of one announcement, before its last op */
#define SILENT_MAX  10                       /* ticks of a node that is not known yet */

/* ---- announcing ---------------------------------------------------------------- */

static void
tell(struct office *o, int64_t to, const char *what, struct str more, struct str ops)
{
	struct carrier *c = o->all->carrier;
	struct buf b = BUF(LIMIT_CARRIER_BYTES);
	int64_t us = store_node(o->all->store);

	if (us <= 0)
		return;                      /* all is told when it is a node again */
	json_add_fmt(&b, "{'t':%s,'node':%lld,'shard':%u,'n':%llu%-.*s,'at':[%-.*s]}", what,
	    (long long)us, shard_id(o->shard), (unsigned long long)o->news.number, FMT(more),
	    FMT(ops));
	if (!b.failed)
		c->o.tell(c->o.ctx, to, buf_str(&b));
	buf_release(&b);
}

static void
add_id(struct buf *b, const char *key, const struct uuid *id)
{
	char text[UUID_TEXT];

	uuid_format(id, text);
	buf_add_fmt(b, "%s{\"%s\":\"%.*s\"", b->n > 0 ? "," : "", key, UUID_TEXT, text);
}

static void
add_put(struct buf *b, const struct office_agent *a)
{
	const struct office_spec *s = &a->spec;
	size_t waiting = post_waiting(a->o->post, a->ref);

	add_id(b, "put", &s->id);
	buf_add_fmt(b, ",\"owner\":%lld,\"state\":%u,\"load\":%zu,\"room\":%u",
	    (long long)s->owner, a->state, waiting,
	    s->mailbox_max > 0 ? s->mailbox_max : LIMIT_MAILBOX_LETTERS);
	if (s->name.n > 0)
		json_add_fmt(b, ",'name':%.*s", FMT(s->name));
	if (s->capabilities_n > 0) {
		buf_lit(b, ",\"caps\":[");
		for (size_t i = 0; i < s->capabilities_n; i++) {
			if (i > 0)
				buf_add_char(b, ',');
			json_add_str(b, s->capabilities[i]);
		}
		buf_add_char(b, ']');
	}
	buf_add_char(b, '}');
}

void
announce_flush(struct office *o)
{
	struct news *n = &o->news;

	if (n->ops.n == 0)
		return;
	n->number++;
	tell(o, 0, "news", STR_NONE, buf_str(&n->ops));
	buf_clear(&n->ops);
}

void
announce_noted(struct office *o)
{
	if (o->news.ops.n > OPS_BYTES)
		announce_flush(o);
	office_stir(o);
}

void
announce_state(struct office_agent *a)
{
	struct buf *b = &a->o->news.ops;

	if (a->o->all->carrier == NULL || a->hidden)
		return;
	if (!a->announced && a->state < AGENT_READY)
		return;
	if (!a->announced) {
		a->announced = true;
		add_put(b, a);
	} else {
		add_id(b, "is", &a->spec.id);
		buf_add_fmt(b, ",\"state\":%u}", a->state);
	}
	announce_noted(a->o);
}

void
announce_load(const struct office_agent *a, uint32_t waiting)
{
	struct buf *b = &a->o->news.ops;

	if (a->o->all->carrier == NULL || !a->announced)
		return;
	add_id(b, "is", &a->spec.id);
	buf_add_fmt(b, ",\"load\":%u}", waiting);
	announce_noted(a->o);
}

/* One that came from another node and goes before that was told of it: that one has it still. */
void
announce_gone(const struct office_agent *a)
{
	struct buf *b = &a->o->news.ops;

	if (a->hidden)
		office_over(a->o, a->spec.owner, &a->spec.id);
	if (a->o->all->carrier == NULL || !a->announced)
		return;
	add_id(b, "del", &a->spec.id);
	buf_add_fmt(b, ",\"owner\":%lld}", (long long)a->spec.owner);
	announce_noted(a->o);
}

void
announce_all(struct office *o, int64_t to)
{
	struct buf b = BUF(LIMIT_CARRIER_BYTES);
	const struct office_agent *a;
	bool first = true;
	size_t at = 0;

	announce_flush(o);
	while ((a = map_each(&o->agents, &at)) != NULL) {
		if (!a->announced)
			continue;
		if (b.n > OPS_BYTES) {
			tell(o, to, "all", first ? S(",\"first\":true") : STR_NONE, buf_str(&b));
			buf_clear(&b);
			first = false;
		}
		add_put(&b, a);
	}
	tell(o, to, "all", first ? S(",\"first\":true,\"last\":true") : S(",\"last\":true"),
	    buf_str(&b));
	buf_release(&b);
}

void
announce_ask(struct carrier *c, int64_t node)
{
	tell(c->first, node, "who", STR_NONE, STR_NONE);
}

/* ---- peers ---------------------------------------------------------------------- */

static struct peer *
peer_get(struct carrier *c, int64_t node, unsigned shard)
{
	struct peer *p = c->peers;

	for (size_t i = 0; i < c->peers_n; i++, p++)
		if (p->node == node && p->shard == shard)
			return p;
	mem_grow(c->peers, c->peers_n, c->peers_cap);
	p = &c->peers[c->peers_n++];
	*p = (struct peer){ .node = node, .shard = shard, .round = ++c->rounds };
	return p;
}

void
announce_drop(struct carrier *c, mail_owner owner, const struct uuid *id)
{
	struct offices *os = c->first->all;

	mail_directory_remove_if(os->directory, owner, id, mail_is_away);
	away_drop(c->away, id);
	atomic_fetch_add_explicit(&os->changes, 1, memory_order_release);
}

static void
stale_drop(struct carrier *c, int64_t node, int shard, uint32_t round)
{
	size_t n;
	struct away_agent *all = away_stale(c->away, node, shard, round, &n);

	for (size_t i = 0; i < n; i++)
		announce_drop(c, all[i].owner, &all[i].id);
	free(all);
}

/* ---- what contradicts what is here ------------------------------------------------- */

bool
announce_evict(struct office *o, const struct office_spec *s)
{
	struct carrier *c = o->all->carrier;
	struct mail_ref ref;
	struct uuid id;
	bool any = false;

	if (c == NULL)
		return false;
	if (mail_directory_id(o->all->directory, s->owner, &s->id, &ref) == OK &&
	    mail_is_away(ref)) {
		announce_drop(c, s->owner, &s->id);
		any = true;
		atomic_store(&c->ask, true);
	}
	if (s->name.n > 0 && mail_directory_find(o->all->directory, s->owner, s->name, &id,
	    &ref) == OK && mail_is_away(ref)) {
		announce_drop(c, s->owner, &id);
		any = true;
		atomic_store(&c->ask, true);
	}
	return any;
}

struct contest {
	struct parcel parcel;
	owner_t owner;
	struct uuid id;
	int64_t node;                        /* as the store says */
	bool ours;
};

static void
contest_open(void *here, struct parcel *p)
{
	struct contest *x = CONTAINER_OF(p, struct contest, parcel);
	struct office_agent *a = roster_find(here, x->owner, &x->id);

	if (a != NULL && x->ours) {
		a->announced = false;
		announce_state(a);
	} else if (a != NULL && !a->hidden) {
		log_info("mail", "yields", "agent=%.*s", UUID_TEXT, a->id_text);
		roster_yield(a, x->node);
	}
	free(x);
}

/* Another node says that it has an agent that is at home here.  Without a row it has had it,
 * and was faster. */
static void
contest(struct carrier *c, owner_t owner, const struct uuid *id, struct mail_ref ref,
    struct peer *from)
{
	struct office *o = c->first;
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	struct store_mailer m;
	struct contest *x;
	char text[UUID_TEXT];
	int rc;

	uuid_format(id, text);
	rc = store_mailer_get(o->reader, owner, (struct str){ text, UUID_TEXT }, &arena, &m);
	if (rc == OK) {
		x = mem_new(struct contest);
		*x = (struct contest){ .parcel.open = contest_open, .owner = owner, .id = *id,
		    .node = m.node, .ours = m.node == store_node(o->all->store) };
		office_mail(o, o->all->at[ref.shard], &x->parcel);
	} else if (rc == ERR_NOTFOUND) {
		over_heard(c, owner, id);
	}
	from->whole = false;                 /* until it says something else */
	arena_release(&arena);
}

/* ---- hearing ----------------------------------------------------------------------- */

void
announce_enter(struct carrier *c, const struct away_agent *x, const struct mail_entry *as,
    struct peer *from)
{
	struct mail_directory *d = c->first->all->directory;
	struct mail_entry entry = *as;
	struct mail_ref ref;
	struct uuid other;
	struct err e;

	if (mail_directory_id(d, x->owner, &x->id, &ref) == OK) {
		if (!mail_is_away(ref)) {
			contest(c, x->owner, &x->id, ref, from);
			return;
		}
		mail_directory_remove(d, x->owner, &x->id);
	}
	entry.ref = away_put(c->away, x);
	if (mail_directory_put(d, &entry, &e) == OK)
		goto done;
	/* A name that another agent had, which has gone or is about to. */
	if (entry.name.n > 0 && mail_directory_find(d, x->owner, entry.name, &other, &ref) == OK &&
	    mail_is_away(ref)) {
		announce_drop(c, x->owner, &other);
		if (mail_directory_put(d, &entry, &e) == OK)
			goto done;
	}
	away_drop(c->away, &x->id);
	from->whole = false;
	return;
done:
	mail_directory_load(d, &x->id, x->waiting);
	atomic_fetch_add_explicit(&c->first->all->changes, 1, memory_order_release);
}

static bool
read_id(jnode op, const char *key, struct uuid *out)
{
	return uuid_parse(json_str(json_get(op, str_of(key))), out);
}

static void
hear_put(struct carrier *c, struct peer *p, jnode op, const struct uuid *id)
{
	struct str caps[LIMIT_MAIL_CAPABILITIES];
	struct json_iter it = json_each(json_get(op, S("caps")));
	struct away_agent x = { .owner = json_int(json_get(op, S("owner"))), .id = *id,
		.node = p->node, .shard = p->shard, .round = p->round,
		.room = (uint32_t)json_int(json_get(op, S("room"))),
		.waiting = (uint32_t)json_int(json_get(op, S("load"))),
		.state = (enum mail_state)json_int(json_get(op, S("state"))) };
	struct mail_entry as = { .owner = x.owner, .id = *id,
		.name = json_str(json_get(op, S("name"))), .capabilities = caps,
		.state = x.state };

	while (as.capabilities_n < COUNT(caps) && json_next(&it))
		caps[as.capabilities_n++] = json_str(it.value);
	if (as.state <= AGENT_FAILED)
		announce_enter(c, &x, &as, p);
}

/* Does this node have it, as far as is known here? */
static bool
is_its(struct carrier *c, const struct peer *p, const struct uuid *id, mail_owner *owner)
{
	struct away_agent x;

	if (!away_by_id(c->away, id, &x) || x.node != p->node)
		return false;
	*owner = x.owner;
	return true;
}

static void
hear_is(struct carrier *c, struct peer *p, jnode op, const struct uuid *id)
{
	struct mail_directory *d = c->first->all->directory;
	jnode state = json_get(op, S("state")), load = json_get(op, S("load"));
	mail_owner owner;

	if (!is_its(c, p, id, &owner))
		return;
	if (!json_is_null(state) && json_int(state) >= 0 && json_int(state) <= AGENT_FAILED) {
		mail_directory_set_state(d, id, (enum mail_state)json_int(state));
		away_set_state(c->away, id, (enum mail_state)json_int(state));
	}
	if (!json_is_null(load)) {
		mail_directory_load(d, id, (uint32_t)json_int(load));
		away_load(c->away, id, (uint32_t)json_int(load));
	}
}

/* Ends count whatever else is missing: an agent that is at home here had gone there meanwhile, and
 * the store decides. */
static void
hear_ends(struct carrier *c, jnode at)
{
	struct json_iter it = json_each(at);
	struct uuid id;

	while (json_next(&it))
		if (read_id(it.value, "over", &id) || read_id(it.value, "del", &id))
			over_heard(c, json_int(json_get(it.value, S("owner"))), &id);
}

static void
hear_ops(struct carrier *c, struct peer *p, jnode at)
{
	struct json_iter it = json_each(at);
	mail_owner owner;
	struct uuid id;

	while (json_next(&it)) {
		if (read_id(it.value, "put", &id))
			hear_put(c, p, it.value, &id);
		else if (read_id(it.value, "is", &id))
			hear_is(c, p, it.value, &id);
		else if (read_id(it.value, "del", &id) && is_its(c, p, &id, &owner))
			announce_drop(c, owner, &id);
	}
}

static void
hear_news(struct carrier *c, struct peer *p, uint64_t number, jnode at)
{
	hear_ends(c, at);
	if (!p->whole)
		return;                      /* it was asked */
	if (number != p->number + 1) {
		p->whole = false;
		announce_ask(c, p->node);
		return;
	}
	p->number = number;
	hear_ops(c, p, at);
}

static void
hear_all(struct carrier *c, struct peer *p, uint64_t number, jnode m)
{
	if (!json_is_null(json_get(m, S("first")))) {
		p->round = ++c->rounds;
		p->whole = true;
		p->number = number;
	}
	if (!p->whole || p->number != number)
		return;                      /* a part is missing */
	hear_ops(c, p, json_get(m, S("at")));
	if (!json_is_null(json_get(m, S("last"))))
		stale_drop(c, p->node, (int)p->shard, p->round);
}

struct telling {
	struct parcel parcel;
	int64_t to;
	bool missed;                         /* what others said may have been */
};

static void
telling_open(void *here, struct parcel *p)
{
	struct telling *x = CONTAINER_OF(p, struct telling, parcel);

	announce_all(here, x->to);
	if (x->missed)
		over_look(here);
	free(x);
}

static void
tell_all(struct carrier *c, int64_t to, bool missed)
{
	struct offices *os = c->first->all;

	for (size_t i = 0; i < COUNT(os->at); i++)
		if (os->at[i] != NULL) {
			struct telling *x = mem_new(struct telling);

			*x = (struct telling){ .parcel.open = telling_open, .to = to,
			    .missed = missed };
			office_mail(c->first, os->at[i], &x->parcel);
		}
}

static void
hear_look(struct carrier *c, int64_t node, unsigned shard, uint64_t token, bool ack)
{
	if (ack)
		carrier_ack_later(c, node, shard, token);
	carrier_look(c->first);
}

void
office_heard(struct office *o, struct str bytes)
{
	struct carrier *c = o->all->carrier;
	struct json_doc doc;
	struct err e;

	if (json_parse(&doc, bytes, &e) == OK) {
		struct str t = json_str(json_get(doc.root, S("t")));
		int64_t node = json_int(json_get(doc.root, S("node")));
		int64_t shard = json_int(json_get(doc.root, S("shard")));
		uint64_t n = (uint64_t)json_int(json_get(doc.root, S("n")));
		bool good = node > 0 && node != store_node(o->all->store) && shard >= 0 &&
		    shard < LIMIT_SHARDS;

		if (good && str_eq(t, S("news")))
			hear_news(c, peer_get(c, node, (unsigned)shard), n,
			    json_get(doc.root, S("at")));
		else if (good && str_eq(t, S("all")))
			hear_all(c, peer_get(c, node, (unsigned)shard), n, doc.root);
		else if (good && str_eq(t, S("who")))
			tell_all(c, node, false);
		else if (good && str_eq(t, S("looked")))
			carrier_looked(c, (unsigned)shard, n);
		else if (good && str_eq(t, S("stop")))
			carrier_stop_asked(c, node, (unsigned)shard, n, doc.root);
		else if (good && str_eq(t, S("stopped")))
			carrier_stopped(c, (unsigned)shard, n, json_int(json_get(doc.root, S("rc"))),
			    json_str(json_get(doc.root, S("error"))));
		else if (good && str_eq(t, S("look")))
			hear_look(c, node, (unsigned)shard, n,
			    !json_is_null(json_get(doc.root, S("ack"))));
	}
	json_release(&doc);
}

/* ---- ticks -------------------------------------------------------------------------- */

/* A node that is gone has no agents; others take those of the store. */
static bool
peer_is_gone(struct carrier *c, struct peer *p)
{
	if (c->o.alive(c->o.ctx, p->node)) {
		p->lived = true;
		p->silent = 0;
		return false;
	}
	return p->lived || ++p->silent > SILENT_MAX;
}

void
announce_tick(struct carrier *c)
{
	bool gone = false;

	over_unread(c);
	if (atomic_exchange(&c->ask, false))
		announce_ask(c, 0);
	for (size_t i = c->peers_n; i-- > 0;) {
		struct peer *p = &c->peers[i];

		if (peer_is_gone(c, p)) {
			stale_drop(c, p->node, -1, 0);
			*p = c->peers[--c->peers_n];
			gone = true;
		} else if (!p->whole && c->up) {
			announce_ask(c, p->node);
		}
	}
	if (gone)
		carrier_take(c);
}

void
office_bus(struct office *o, bool up)
{
	struct carrier *c = o->all->carrier;

	c->up = up;
	if (!up)
		return;
	for (size_t i = 0; i < c->peers_n; i++)
		c->peers[i].whole = false;
	announce_ask(c, 0);
	tell_all(c, 0, true);
	carrier_look(o);
}
