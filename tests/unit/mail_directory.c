/*
 * mail_directory.c - agents are found by id, name and capability, by their owner only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/buf.h"
#include "mail/directory.h"

#include <pthread.h>
#include <string.h>

static struct mail_directory *d;
static struct err e;

/* ids are numbers here, and refs say the same. */
static struct uuid
id_of(uint32_t n)
{
	struct uuid id = { { 1 } };

	memcpy(id.b + 12, &n, sizeof n);
	return id;
}

static int
put_full(mail_owner o, uint32_t n, const char *name, const char *capabilities, enum mail_state s)
{
	struct str caps[80], rest = str_of(capabilities);
	size_t caps_n = 0;

	while (rest.n > 0 && str_next(&rest, ' ', &caps[caps_n]))
		caps_n++;
	return mail_directory_put(d, &(struct mail_entry){ .owner = o, .id = id_of(n),
		.ref = { .uses = n, .place = 1 }, .name = str_of(name), .capabilities = caps,
		.capabilities_n = caps_n, .state = s }, &e);
}

static int
put(mail_owner o, uint32_t n, const char *name, const char *capabilities)
{
	return put_full(o, n, name, capabilities, AGENT_READY);
}

static void
remove_id(mail_owner o, uint32_t n)
{
	struct uuid id = id_of(n);

	mail_directory_remove(d, o, &id);
}

static void
load(uint32_t n, uint32_t waiting)
{
	struct uuid id = id_of(n);

	mail_directory_load(d, &id, waiting);
}

static void
set_state(uint32_t n, enum mail_state s)
{
	struct uuid id = id_of(n);

	mail_directory_set_state(d, &id, s);
}

static void
each_add(void *ctx, const struct uuid *id, struct mail_ref ref)
{
	struct uuid want = id_of(ref.uses);

	CHECK(uuid_eq(id, &want) && ref.place == 1);
	buf_add_fmt(ctx, "%s%u", ((struct buf *)ctx)->n > 0 ? " " : "", ref.uses);
}

/* Who is at an address: "1 2", or "-". */
static const char *
at(mail_owner o, const char *address)
{
	static char text[4][256];
	static unsigned turn;
	char *out = text[turn++ % 4];
	struct buf b = BUF(255);
	int rc;

	rc = mail_directory_resolve(d, o, str_of(address), each_add, &b, &e);
	CHECK(rc == OK || (rc == ERR_NOTFOUND && b.n == 0));
	memcpy(out, rc == OK ? b.p : "-", rc == OK ? b.n : 1);
	out[rc == OK ? b.n : 1] = '\0';
	buf_release(&b);
	return out;
}

#define CHECK_AT(owner, address, who) CHECK_STR(str_of(at(owner, address)), who)

TEST(directory_by_id_and_name)
{
	char text[UUID_TEXT + 1] = { 0 };
	struct mail_ref ref;
	struct uuid id = id_of(1);

	d = mail_directory_new();
	CHECK_RC(put(7, 1, "ann", ""), OK);
	CHECK_RC(put(7, 2, "", ""), OK);
	uuid_format(&id, text);
	CHECK_AT(7, "ann", "1");
	CHECK_AT(7, text, "1");
	CHECK_RC(mail_directory_find(d, 7, str_of(text), &id, &ref), OK);
	CHECK_INT(ref.uses, 1);
	id = id_of(2);
	CHECK_RC(mail_directory_id(d, 7, &id, &ref), OK);
	CHECK_INT(ref.uses, 2);
	CHECK_RC(put(7, 3, "ann", ""), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "the name \"ann\" is taken");
	CHECK_RC(put(7, 1, "", ""), ERR_CONFLICT);
	id = id_of(3);
	CHECK_RC(mail_directory_id(d, 7, &id, &ref), ERR_NOTFOUND);
	remove_id(7, 1);
	CHECK_AT(7, "ann", "-");
	CHECK_RC(put(7, 3, "ann", ""), OK);
	CHECK_AT(7, "ann", "3");
	remove_id(7, 99);
	mail_directory_free(d);
}

TEST(directory_refuses_what_could_not_be_found)
{
	static const struct { const char *name, *capabilities; int rc; const char *words; } bad[] = {
		{ "01234567-89ab-7def-8123-456789abcdef", "", ERR_INVALID,
		    "name: expected a name, got the id 01234567-89ab-7def-8123-456789abcdef" },
		{ "cap:x", "", ERR_INVALID, "name: \"cap:\" begins an address by capability, not a name" },
		{ "all:", "", ERR_INVALID, "name: \"all:\" begins an address by capability, not a name" },
		{ "a", "x :v1", ERR_INVALID, "capabilities[1]: expected NAME or NAME:VERSION, got \":v1\"" },
		{ "a", "x:", ERR_INVALID, "capabilities[0]: expected NAME or NAME:VERSION, got \"x:\"" },
		{ "a", "x y x", ERR_INVALID, "capabilities[2]: \"x\" is there twice" },
	};
	struct str many[LIMIT_MAIL_CAPABILITIES + 1] = { 0 };

	d = mail_directory_new();
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK_RC(put(1, 1, bad[i].name, bad[i].capabilities), bad[i].rc);
		CHECK_STR(str_of(e.text), bad[i].words);
	}
	CHECK_RC(mail_directory_put(d, &(struct mail_entry){ .id = id_of(1), .capabilities = many,
		.capabilities_n = COUNT(many) }, &e), ERR_LIMIT);
	CHECK_RC(put(1, 1, "a", "x"), OK);
	mail_directory_free(d);
}

TEST(directory_one_is_the_least_loaded_in_turn)
{
	d = mail_directory_new();
	for (uint32_t i = 1; i <= 3; i++)
		CHECK_RC(put(1, i, "", "sum"), OK);
	CHECK_AT(1, "cap:sum", "1");
	CHECK_AT(1, "cap:sum", "2");
	CHECK_AT(1, "cap:sum", "3");
	CHECK_AT(1, "cap:sum", "1");
	load(1, 9);
	load(3, 1);
	CHECK_AT(1, "cap:sum", "2");
	CHECK_AT(1, "cap:sum", "2");
	load(2, 8);                                  /* as many as 9: a power of two */
	CHECK_AT(1, "cap:sum", "3");
	load(3, 1000000);
	CHECK_AT(1, "cap:sum", "1");
	CHECK_AT(1, "cap:sum", "2");
	CHECK_AT(1, "all:sum", "1 2 3");
	load(3, 0);
	CHECK_AT(1, "cap:sum", "3");
	mail_directory_free(d);
}

TEST(directory_those_who_end_are_not_chosen)
{
	d = mail_directory_new();
	CHECK_RC(put(1, 1, "ann", "sum"), OK);
	CHECK_RC(put_full(1, 2, "bob", "sum", AGENT_DRAINING), OK);
	CHECK_AT(1, "all:sum", "1");
	CHECK_AT(1, "bob", "2");
	set_state(2, AGENT_RUNNING);
	CHECK_AT(1, "all:sum", "1 2");
	set_state(1, AGENT_FAILED);
	load(1, 3);
	CHECK_AT(1, "all:sum", "2");
	set_state(2, AGENT_STOPPED);
	CHECK_AT(1, "cap:sum", "-");
	CHECK_STR(str_of(e.text), "no agent has the capability \"sum\"");
	set_state(1, AGENT_READY);
	CHECK_AT(1, "cap:sum", "1");
	mail_directory_free(d);
}

TEST(directory_versions_fall_back)
{
	d = mail_directory_new();
	CHECK_RC(put(1, 1, "", "sum"), OK);
	CHECK_AT(1, "cap:sum:v2", "1");              /* no version at all */
	CHECK_RC(put(1, 2, "", "sum:v2"), OK);
	CHECK_RC(put(1, 10, "", "sum:v10"), OK);
	CHECK_RC(put(1, 9, "", "sum:v9 sum:v9.1"), OK);
	CHECK_AT(1, "all:sum:v2", "2");
	CHECK_AT(1, "all:sum:v9", "9");
	CHECK_AT(1, "all:sum:v9.5", "9");
	CHECK_AT(1, "all:sum:v09", "9");
	CHECK_AT(1, "all:sum:v3", "2");              /* the next older one */
	CHECK_AT(1, "all:sum:v99", "10");
	CHECK_AT(1, "all:sum:v1", "2");              /* else the next newer one */
	CHECK_AT(1, "all:sum", "1 2 10 9");          /* each once */
	set_state(10, AGENT_DRAINING);
	CHECK_AT(1, "all:sum:v10", "9");
	remove_id(1, 9);
	CHECK_AT(1, "all:sum:v10", "2");
	remove_id(1, 2);
	CHECK_AT(1, "all:sum:v10", "1");
	remove_id(1, 1);
	CHECK_AT(1, "cap:sum", "-");
	CHECK_AT(1, "cap:sum:v1", "-");
	mail_directory_free(d);
}

TEST(directory_near_matches)
{
	d = mail_directory_new();
	CHECK_RC(put(1, 1, "worker", "translate:v1"), OK);
	CHECK_RC(put(1, 2, "walker", ""), OK);
	CHECK_RC(put(1, 3, "manager", ""), OK);
	CHECK_RC(put(1, 4, "worker-2", ""), OK);
	CHECK_RC(put(1, 5, "talker", ""), OK);
	CHECK_RC(put(1, 6, "w1", ""), OK);
	CHECK_RC(put(1, 7, "w2", ""), OK);
	CHECK_RC(put(1, 8, "w3", ""), OK);
	CHECK_RC(put(1, 9, "w4", ""), OK);
	CHECK_RC(put(2, 10, "workers", "translat"), OK);
	CHECK_AT(1, "wrker", "-");
	CHECK_STR(str_of(e.text), "there is no agent \"wrker\"; did you mean \"worker\" or "
	    "\"walker\"?");
	CHECK_AT(1, "manger", "-");
	CHECK_STR(str_of(e.text), "there is no agent \"manger\"; did you mean \"manager\"?");
	CHECK_AT(1, "cap:translat", "-");
	CHECK_STR(str_of(e.text), "no agent has the capability \"translat\"; did you mean "
	    "\"cap:translate\" or \"cap:translate:v1\"?");
	CHECK_AT(1, "w5", "-");                      /* three are enough */
	CHECK_STR(str_of(e.text), "there is no agent \"w5\"; did you mean \"w4\", \"w3\" or \"w2\"?");
	CHECK_AT(3, "worker", "-");
	CHECK_STR(str_of(e.text), "there is no agent \"worker\"");
	mail_directory_free(d);
}

/* ---- two owners ----------------------------------------------------------------- */

/* Every way to find an agent, for each owner, with and without an own agent that fits. */
TEST(directory_owners_never_meet)
{
	static const char *const ways[] = { "same", "only-a", "only-b", "cap:sum", "cap:sum:v1",
		"cap:sum:v2", "all:sum", "all:sum:v2", "cap:mul", "cap:div", "onl", "cap:mu",
		"00000000-0000-0000-0000-000000000000" };
	static const char *const mine[2][COUNT(ways)] = {
		{ "1", "2", "-", "1", "1", "1", "1", "1", "2", "-", "-", "-", "-" },
		{ "11", "-", "12", "11", "11", "11", "11", "11", "-", "12", "-", "-", "-" },
	};
	static const mail_owner owners[2] = { 1, 17 };       /* of one part */
	char text[UUID_TEXT + 1] = { 0 };
	const char *words;
	struct mail_ref ref;
	size_t near = 0;

	d = mail_directory_new();
	CHECK_RC(put(1, 1, "same", "sum:v1"), OK);
	CHECK_RC(put(1, 2, "only-a", "mul"), OK);
	CHECK_RC(put(17, 11, "same", "sum:v2"), OK);
	CHECK_RC(put(17, 12, "only-b", "div"), OK);
	for (size_t o = 0; o < 2; o++)
		for (size_t i = 0; i < COUNT(ways); i++) {
			CHECK_AT(owners[o], ways[i], mine[o][i]);
			words = mine[o][i][0] == '-' ? strstr(e.text, "did you mean") : NULL;
			CHECK(words == NULL || (strstr(words, o == 0 ? "only-b" : "only-a") == NULL &&
			    strstr(words, o == 0 ? "div" : "mul") == NULL));
			near += words != NULL;
		}
	CHECK(near > 4);
	for (uint32_t n = 1; n <= 12; n++) {
		struct uuid id = id_of(n);
		int rc = n == 1 || n == 2 ? OK : ERR_NOTFOUND;

		CHECK_RC(mail_directory_id(d, 1, &id, &ref), rc);
		uuid_format(&id, text);
		CHECK_RC(mail_directory_find(d, 1, str_of(text), &id, &ref), rc);
	}
	CHECK_RC(put(17, 1, "x", ""), ERR_CONFLICT); /* ids are of the process */
	remove_id(17, 1);                            /* not his */
	CHECK_AT(1, "same", "1");
	mail_directory_free(d);
}

/* ---- threads ----------------------------------------------------------------------- */

/* Each thread puts, finds and removes agents of its own, and asks for a common capability. */
static void
count_one(void *ctx, const struct uuid *id, struct mail_ref ref)
{
	(void)id, (void)ref;
	++*(size_t *)ctx;
}

static void *
busy_thread(void *ctx)
{
	uint32_t base = *(uint32_t *)ctx;
	struct str caps[] = { S("sum"), S("sum:v1") };
	struct err mine;

	for (uint32_t round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 10; i++) {
			char name[16];
			struct mail_entry x = { .owner = 1, .id = id_of(base + i),
				.ref = { .uses = base + i, .place = 1 }, .capabilities = caps,
				.capabilities_n = 2, .state = AGENT_READY };

			x.name = (struct str){ name, (size_t)snprintf(name, sizeof name, "n%u", base + i) };
			CHECK_RC(mail_directory_put(d, &x, &mine), OK);
		}
		for (uint32_t i = 0; i < 10; i++) {
			size_t found = 0;

			load(base + i, i);
			CHECK_RC(mail_directory_resolve(d, 1, S("cap:sum:v1"), count_one, &found, &mine), OK);
			CHECK_RC(mail_directory_resolve(d, 1, S("all:sum"), count_one, &found, &mine), OK);
			CHECK(found >= 11 - i);
			remove_id(1, base + i);
		}
	}
	return NULL;
}

TEST(directory_from_many_threads)
{
	pthread_t threads[4];
	uint32_t bases[4] = { 1000, 2000, 3000, 4000 };

	d = mail_directory_new();
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, busy_thread, &bases[i]) == 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_AT(1, "cap:sum", "-");
	mail_directory_free(d);
}
