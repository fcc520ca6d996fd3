/*
 * wasm_agent.c - agents that are guests: letters, failures, reloads, what is saved.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm_agent_fix.h"

#include <string.h>

#include "store/wasm.h"

static enum mail_state
state_of(const char *name)
{
	struct office_shown x;
	int state = office_state(&guests.f, 0, 1, name, &x);

	return state < 0 ? AGENT_STOPPED : (enum mail_state)state;
}

/* Looks until it is so; a test that looks in vain is ended by its time. */
static void
until_state(const char *name, enum mail_state state)
{
	while (state_of(name) != state)
		;
}

static bool
is_ready(void *arg)
{
	(void)arg;
	return guests.ready_rc != 1;
}

static struct mail_books
books_of(const char *name)
{
	struct office_shown x;

	CHECK(office_state(&guests.f, 0, 1, name, &x) >= 0);
	return x.books;
}

static struct wasm_agents_stats
stats(void)
{
	struct wasm_agents_stats s;

	wasm_agents_stats(guests.agents, &s);
	return s;
}

/* One try again is enough. */
static void
send_once(const char *name, const char *what, bool durable)
{
	const struct str to = str_of(name);
	const struct acl m = { .act = ACL_REQUEST, .receivers = &to, .receivers_n = 1,
		.content = str_of(what), .delivery = { .max_retries = 1, .durable = durable } };

	CHECK_RC(office_send_wait(&guests.f, 0, 1, NULL, &m), OK);
}

static bool
waits(void *arg)
{
	(void)arg;
	return guests.waits != NULL;
}

/* ---- letters ------------------------------------------------------------------------------ */

TEST(wasm_agent_counts_and_replies)
{
	struct wasm_figures all = { 0 };

	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	CHECK_INT(guests.live, 1);           /* at once: the spawner sees its error */
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":1,\"v\":1}");
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":2,\"v\":1}");
	CHECK_STR(str_of(guests_ask("c", "tell ann")), "\"hi\"");
	CHECK_STR(str_of(guests_ask("c", "nothing")), "");
	CHECK_INT(guests.started, 1);
	CHECK_INT(stats().handled, 4);
	CHECK_INT(books_of("c").delivered, 4);
	wasm_figures_add(&all, guests.agents);
	wasm_figures_add(&all, guests.agents);
	CHECK_INT(all.agents.handled, 8);
	CHECK_INT(all.pool.calls, 2);
	guest_bed_close();
}

TEST(wasm_agent_has_a_store_and_its_tools)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c.d", false, RESTART_NEVER), OK);
	CHECK_STR(str_of(guests_ask("c.d", "get")), "{\"rc\":-1}");
	(void)guests_ask("c.d", "add");
	CHECK_STR(str_of(guests_ask("c.d", "put")), "{\"rc\":0}");
	CHECK_STR(str_of(guests_ask("c.d", "get")), "1");
	CHECK_STR(str_of(guests_ask("c.d", "tool calculate")), "2");
	CHECK_STR(str_of(guests_ask("c.d", "tool current_time")), "{\"rc\":-2}");
	guest_bed_close();
}

TEST(wasm_agent_that_cannot_be)
{
	struct office_spec spec = { .owner = 1, .name = S("x"), .kind = S("wasm"),
		.graph_id = S("nothing") };

	guest_bed_open();
	CHECK_RC(office_spawn_wait(&guests.f, 0, &spec, NULL), ERR_NOTFOUND);
	CHECK_STR(str_of(guests.f.e.text), "there is no module 'nothing'");
	spec.graph_id = S("m");
	spec.input_json = S("{}");
	CHECK_RC(office_spawn_wait(&guests.f, 0, &spec, NULL), ERR_INVALID);
	CHECK_STR(str_of(guests.f.e.text), "input: an agent of kind wasm has none: send it a "
	    "message");
	spec.input_json = STR_NONE;
	spec.owner = 2;                      /* another owner's module */
	CHECK_RC(office_spawn_wait(&guests.f, 0, &spec, NULL), ERR_NOTFOUND);
	guests.no_start = true;
	CHECK_RC(guests_spawn("y", false, RESTART_NEVER), OK);
	until_state("y", AGENT_FAILED);
	guests.no_start = false;
	guest_bed_close();
}

/* ---- failures ------------------------------------------------------------------------------ */

/* Goal: what fails is tried again and then dead; the others are handled as if nothing was. */
TEST(wasm_agent_fails_letters_and_lives_on)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	(void)guests_ask("c", "add");
	send_once("c", "\"fail\"", false);
	office_quiet(&guests.f);
	CHECK_INT(books_of("c").dead, 1);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":4,\"v\":1}");
	send_once("c", "\"trap\"", false);
	office_quiet(&guests.f);
	CHECK_INT(books_of("c").dead, 2);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":1,\"v\":1}");
	CHECK_INT(stats().trapped, 2);
	guest_bed_close();
}

/* Goal: a lost host costs a letter nothing, unless the letter is to blame for it. */
TEST(wasm_agent_loses_its_host)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	send_once("c", "\"lose\"", false);
	office_quiet(&guests.f);
	CHECK_INT(books_of("c").dead, 1);
	CHECK(stats().lost >= 3);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":1,\"v\":1}");
	guest_bed_close();
}

/* Goal: a supervisor decides how often an agent may trap. */
TEST(wasm_agent_is_started_again_by_its_supervisor)
{
	struct office_shown x;

	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_ON_FAILURE), OK);
	send_once("c", "\"trap\"", false);
	office_quiet(&guests.f);
	until_state("c", AGENT_READY);
	CHECK_INT(office_state(&guests.f, 0, 1, "c", &x), AGENT_READY);
	CHECK_INT(x.restarts, 2);
	CHECK_INT(x.books.dead, 1);
	send_once("c", "\"trap\"", false);
	until_state("c", AGENT_FAILED);      /* three a minute are allowed */
	guest_bed_close();
}

TEST(wasm_agent_waits_for_its_module_to_be_built)
{
	guest_bed_open();
	guests.building = true;
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	CHECK_RC(office_say(&guests.f, 0, 1, "ann", "c", ACL_REQUEST, "\"add\""), OK);
	CHECK_INT(guests.started, 0);
	guests.building = false;
	office_quiet(&guests.f);
	CHECK_INT(stats().handled, 1);
	guest_bed_close();
}

TEST(wasm_agent_keeps_to_its_rate)
{
	nsec began;

	guest_bed_open();
	guests.current->policy.rate = 20;
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	began = clock_mono();
	for (size_t i = 0; i < 26; i++)
		CHECK_RC(office_say(&guests.f, 0, 1, "ann", "c", ACL_REQUEST, "\"none\""), OK);
	office_quiet(&guests.f);
	CHECK(clock_mono() - began >= 250 * NS_PER_MS);      /* 20 at once, then 50 ms each */
	guest_bed_close();
}

/* Goal: stopped in the middle of a letter, nothing is left of it. */
TEST(wasm_agent_is_stopped_while_it_works)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	send_once("c", "\"wait\"", false);
	office_until(&guests.f, waits, NULL);
	CHECK_RC(office_stop_wait(&guests.f, 0, 1, "c", false, 0), OK);
	office_quiet(&guests.f);
	CHECK_INT(guests.live, 0);
	CHECK_INT(office_stats_of(&guests.f).books.dead, 1);
	guest_bed_close();
}

/* ---- reloads ----------------------------------------------------------------------------------- */

/* Goal: what waits is done by the old one, what comes later by the new one. */
TEST(wasm_agent_reload_graceful)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	send_once("c", "\"wait\"", false);
	office_until(&guests.f, waits, NULL);
	CHECK_RC(office_say(&guests.f, 0, 1, "ann", "c", ACL_REQUEST, "\"add\""), OK);
	guests_reload(WASM_GRACEFUL, 2);
	CHECK_INT(guests.started, 1);
	guests_go();
	office_quiet(&guests.f);
	CHECK_INT(guests.started, 1);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":1,\"v\":2}");
	CHECK_INT(books_of("c").dead, 0);
	CHECK_INT(stats().reloaded, 1);
	guest_bed_close();
}

/* Goal: a call under way is begun again by the new one. */
TEST(wasm_agent_reload_immediate)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	send_once("c", "\"wait\"", false);
	office_until(&guests.f, waits, NULL);
	guests.waits = NULL;
	guests_reload(WASM_IMMEDIATE, 2);
	office_until(&guests.f, waits, NULL);
	guests_go();
	office_quiet(&guests.f);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":1,\"v\":2}");
	CHECK_INT(books_of("c").delivered, 2);
	CHECK_INT(guests.live, 1);
	guest_bed_close();
}

TEST(wasm_agent_reload_parallel)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	CHECK_RC(guests_spawn("d", false, RESTART_NEVER), OK);
	(void)guests_ask("c", "add");
	guests_reload(WASM_PARALLEL, 2);
	office_until(&guests.f, is_ready, NULL);
	CHECK_INT(guests.ready_rc, OK);
	CHECK_INT(guests.live, 4);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":2,\"v\":1}");
	guests_switch(2, OK);
	CHECK_INT(guests.live, 2);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":1,\"v\":2}");
	guest_bed_close();
}

/* Goal: a release that cannot be started takes over nobody. */
TEST(wasm_agent_reload_parallel_in_vain)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	(void)guests_ask("c", "add");
	guests.no_start = true;
	guests_reload(WASM_PARALLEL, 2);
	office_until(&guests.f, is_ready, NULL);
	CHECK_INT(guests.ready_rc, ERR_INVALID);
	guests_switch(2, ERR_INVALID);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":2,\"v\":1}");
	CHECK_INT(guests.live, 1);
	guests.no_start = false;
	guest_bed_close();
}

/* Goal: each release of a split gets its share, and the winner all. */
TEST(wasm_agent_reload_split)
{
	size_t other = 0;

	guest_bed_open();
	CHECK_RC(guests_spawn("c", false, RESTART_NEVER), OK);
	guests_split(2, 3);
	for (size_t i = 0; i < 20; i++)
		other += strstr(guests_ask("c", "add"), "\"v\":2") != NULL;
	CHECK_INT(other, 6);
	CHECK_INT(guests.live, 2);
	guests.other = NULL;
	guests_reload(WASM_GRACEFUL, 2);
	CHECK_STR(str_of(guests_ask("c", "add")), "{\"n\":7,\"v\":2}");
	CHECK_INT(guests.live, 1);
	guests_split(3, 5);
	(void)guests_ask("c", "add");
	guests.other = NULL;
	guests_reload(WASM_GRACEFUL, 2);     /* the old one has won */
	CHECK(strstr(guests_ask("c", "add"), "\"v\":2") != NULL);
	CHECK_INT(guests.live, 1);
	CHECK_INT(books_of("c").dead, 0);
	guest_bed_close();
}

/* ---- durable ones --------------------------------------------------------------------------------- */

struct look { struct uuid id; char body[20]; int64_t number; int rc; };

static void
look(struct office_desk *d, void *arg)
{
	struct look *x = arg;
	struct arena a = ARENA(MB);
	struct store_wasm_image image;

	x->rc = store_wasm_image(d->reader, 1, &x->id, &a, &image);
	if (x->rc == OK) {
		(void)snprintf(x->body, sizeof x->body, "%.*s", FMT(image.body));
		x->number = image.number;
	}
	arena_release(&a);
}

static struct look
image_of(const char *name)
{
	struct office_shown s;
	struct look x = { .rc = OK };

	CHECK(office_state(&guests.f, 0, 1, name, &s) >= 0);
	x.id = s.spec.id;
	office_do(&guests.f, 0, look, &x);
	return x;
}

static void
add(const char *name, size_t times)
{
	for (size_t i = 0; i < times; i++)
		send_once(name, "\"add\"", true);
	office_quiet(&guests.f);
}

/* Goal: a durable guest goes on where it was, with the release that it was made with. */
TEST(wasm_agent_durable_goes_on_after_a_restart)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", true, RESTART_NEVER), OK);
	add("c", 3);
	CHECK_STR(str_of(image_of("c").body), "3");
	guests_release(2);
	guests_restart();
	add("c", 2);
	CHECK_STR(str_of(image_of("c").body), "5");
	CHECK_INT(image_of("c").number, 1);
	CHECK_INT(stats().restored, 1);
	guest_bed_close();
}

TEST(wasm_agent_durable_begins_anew_when_its_release_is_gone)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", true, RESTART_NEVER), OK);
	add("c", 3);
	guests_forget(1);
	guests_release(2);
	guests_restart();
	add("c", 2);
	CHECK_STR(str_of(image_of("c").body), "2");
	CHECK_INT(image_of("c").number, 2);
	guest_bed_close();
}

/* Goal: a trap, or a lost host, takes nothing of what was saved. */
TEST(wasm_agent_durable_is_restored_after_a_trap)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", true, RESTART_NEVER), OK);
	add("c", 2);
	send_once("c", "\"trap\"", true);
	add("c", 1);
	CHECK_STR(str_of(image_of("c").body), "3");
	CHECK_INT(stats().restored, 2);
	guest_bed_close();
}

/* Goal: a letter that was handled in vain has changed nothing, whether it comes again or not. */
TEST(wasm_agent_durable_forgets_what_failed)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", true, RESTART_NEVER), OK);
	send_once("c", "\"fail\"", true);
	add("c", 2);
	CHECK_STR(str_of(image_of("c").body), "2");
	send_once("c", "\"fail\"", true);
	add("c", 1);
	CHECK_STR(str_of(image_of("c").body), "3");
	CHECK_INT(books_of("c").dead, 2);
	guest_bed_close();
}

/* Goal: a guest of another release does not begin with what the old one had. */
TEST(wasm_agent_durable_is_reloaded)
{
	guest_bed_open();
	CHECK_RC(guests_spawn("c", true, RESTART_NEVER), OK);
	add("c", 2);
	guests_reload(WASM_GRACEFUL, 2);
	while (image_of("c").rc == OK)
		;                            /* it goes by itself */
	add("c", 1);
	CHECK_STR(str_of(image_of("c").body), "1");
	CHECK_INT(image_of("c").number, 2);
	guest_bed_close();
}
