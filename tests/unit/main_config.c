/*
 * main_config.c - where a setting comes from, and what is said when it is
 * wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "main/config.h"

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	fputs(text, f);
	fclose(f);
}

static int
load(struct config *c, char **argv, char **env, struct err *e)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return config_load(c, argc, argv, env, e);
}

#define ARGS(...) (char *[]){ __VA_ARGS__ __VA_OPT__(,) NULL }

TEST(config_each_source_wins_over_the_next)
{
	struct config c;
	struct err e;

	write_file("cohort.yaml", "port: 1\n");
	CHECK_RC(load(&c, ARGS("--port", "4"), ARGS("PORT=2", "COHORT_PORT=3"), &e), OK);
	CHECK_INT(config_int(&c, SETTING_PORT), 4);
	CHECK_STR(str_of(c.at[SETTING_PORT].origin), "--port");
	config_release(&c);

	CHECK_RC(load(&c, ARGS(), ARGS("COHORT_PORT=3", "PORT=2"), &e), OK);
	CHECK_INT(config_int(&c, SETTING_PORT), 3);
	CHECK_STR(str_of(c.at[SETTING_PORT].origin), "$COHORT_PORT");
	config_release(&c);

	CHECK_RC(load(&c, ARGS(), ARGS("PORT=2"), &e), OK);
	CHECK_STR(str_of(c.at[SETTING_PORT].origin), "$PORT");
	config_release(&c);

	CHECK_RC(load(&c, ARGS(), ARGS("PORT="), &e), OK);
	CHECK_INT(config_int(&c, SETTING_PORT), 1);
	CHECK_STR(str_of(c.at[SETTING_PORT].origin), "cohort.yaml:1");
	config_release(&c);

	remove("cohort.yaml");
	CHECK_RC(load(&c, ARGS(), ARGS(), &e), OK);
	CHECK_INT(config_int(&c, SETTING_PORT), 2024);
	CHECK_STR(str_of(c.at[SETTING_PORT].origin), "default");
	config_release(&c);
}

TEST(config_flags_in_both_spellings)
{
	struct config c;
	struct err e;

	CHECK_RC(load(&c, ARGS("--host=::1", "--insecure", "--jwt-secret", "s",
	    "--plain-errors=false"), ARGS(), &e), OK);
	CHECK_STR(config_str(&c, SETTING_HOST), "::1");
	CHECK(config_bool(&c, SETTING_INSECURE));
	CHECK(!config_bool(&c, SETTING_PLAIN_ERRORS));
	CHECK_STR(config_str(&c, SETTING_JWT_SECRET), "s");
	config_release(&c);
}

static void
check_refused(char **argv, char **env, const char *words)
{
	struct config c;
	struct err e = { 0 };

	CHECK_RC(load(&c, argv, env, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), words);
	config_release(&c);
}

TEST(config_errors_say_where_and_what_would_be_right)
{
	check_refused(ARGS("--prot", "1"), ARGS(),
	    "unknown flag: --prot; did you mean --port?");
	check_refused(ARGS("--port"), ARGS(), "flag needs an argument: --port N");
	check_refused(ARGS("--port", "x"), ARGS(),
	    "--port: expected a whole number from 0 to 65535, got \"x\"");
	check_refused(ARGS(), ARGS("COHORT_SHARDS=65"),
	    "$COHORT_SHARDS: expected a whole number from 0 to 64, got \"65\"");
	check_refused(ARGS("--insecure=maybe"), ARGS(),
	    "--insecure takes true or false, not \"maybe\"");
	check_refused(ARGS("--log-level", "loud"), ARGS(),
	    "--log-level: expected error, warn, info or debug, got \"loud\"");
	check_refused(ARGS("extra"), ARGS(),
	    "unexpected \"extra\"; expected the path of a langgraph.json");
	check_refused(ARGS("-p", "1"), ARGS(),
	    "unknown shorthand flag: -p; flags are written out, as in --config");
	check_refused(ARGS("--test-id-seed", "1"), ARGS(),
	    "--test-id-seed needs --test-hooks");
}

static void
check_store(char **argv, char **env, const char *store, const char *origin)
{
	struct config c;
	struct err e = { 0 };

	CHECK_RC(load(&c, argv, env, &e), OK);
	CHECK_STR(config_str(&c, SETTING_STORE), store);
	CHECK_STR(str_of(c.at[SETTING_STORE].origin), origin);
	config_release(&c);
}

/* Goal: a database that the environment names for other programs is used when nothing
 * else is said, and nothing else. */
TEST(config_store_may_come_from_the_variables_of_other_programs)
{
	check_store(ARGS(), ARGS("DATABASE_URL=postgres://h/a"), "postgres://h/a",
	    "$DATABASE_URL");
	check_store(ARGS(), ARGS("POSTGRES_URI=postgresql://h/b"), "postgresql://h/b",
	    "$POSTGRES_URI");
	check_store(ARGS(), ARGS("DATABASE_URI=host=h dbname=c", "POSTGRES_URI=postgres://h/b"),
	    "host=h dbname=c", "$DATABASE_URI");
	check_store(ARGS("--store", "sqlite"), ARGS("DATABASE_URL=postgres://h/a"), "sqlite",
	    "--store");
	write_file("cohort.yaml", "store: memory\n");
	check_store(ARGS(), ARGS("DATABASE_URL=postgres://h/a"), "memory", "cohort.yaml:1");
	remove("cohort.yaml");
}

TEST(config_cluster_settings_need_each_other)
{
	check_refused(ARGS("--store", "sqlit"), ARGS(), "--store: expected sqlite, memory or "
	    "postgres://USER:PASSWORD@HOST/DATABASE, got \"sqlit\"");
	check_refused(ARGS("--store", "mysql://ann:s3@h/d"), ARGS(), "--store: expected sqlite, "
	    "memory or postgres://USER:PASSWORD@HOST/DATABASE, got \"mysql://***@h/d\"");
	check_refused(ARGS("--store=postgresql+asyncpg://h/d"), ARGS(), "--store: expected "
	    "postgresql:// without the name of a driver, got \"postgresql+asyncpg://h/d\"");
	check_refused(ARGS("--cluster-nats", "nats://h"), ARGS(), "--cluster-nats: cluster.nats "
	    "needs a store that nodes can share: with --store sqlite there is one node; set "
	    "store to postgres://USER@HOST/DATABASE");
	check_refused(ARGS("--store", "memory"), ARGS("COHORT_CLUSTER_NATS=nats://h"),
	    "$COHORT_CLUSTER_NATS: cluster.nats needs a store that nodes can share: with "
	    "--store memory there is one node; set store to postgres://USER@HOST/DATABASE");
	check_refused(ARGS("--store", "postgres://h/d", "--cluster-nats-ca", "f"), ARGS(),
	    "--cluster-nats-ca: cluster.nats-ca needs cluster.nats");
	check_refused(ARGS("--store", "postgres://h/d", "--cluster-nats", "http://h"), ARGS(),
	    "--cluster-nats: expected addresses as in nats://a:4222,tls://b:4222, got "
	    "\"http://h\"");
	check_refused(ARGS("--cluster-lease", "999"), ARGS(),
	    "--cluster-lease: expected a whole number from 1000 to 60000 ms, got \"999\"");
	check_refused(ARGS("--cluster-prefix", "a..b"), ARGS(), "--cluster-prefix: expected "
	    "letters, digits, - and _, in parts with a dot between them, at most 64 in all; "
	    "got \"a..b\"");
	check_refused(ARGS("--store", "postgres://h/d", "--db", "f"), ARGS(), "--db: with "
	    "PostgreSQL there is no database file: leave out db (work.path is the tracker's "
	    "file)");
	check_refused(ARGS("--store", "postgres://h/d", "--test-hooks", "--test-fsync-delay-ms", "5"),
	    ARGS(), "--test-fsync-delay-ms: with PostgreSQL there is no database file that could "
	    "be slow");
}

/* Goal: passwords are in no output, and a warning says where others could read them. */
TEST(config_passwords_of_addresses_are_not_shown)
{
	struct config c;
	struct buf b = BUF(100000);
	struct err e = { 0 };

	CHECK_RC(load(&c, ARGS("--store", "postgres://ann:s3cret@h/d"),
	    ARGS("COHORT_CLUSTER_NATS=nats://t0ken@h"), &e), OK);
	config_add_text(&b, &c);
	CHECK(str_contains(buf_str(&b), S("postgres://ann:***@h/d")));
	CHECK(!str_contains(buf_str(&b), S("s3cret")));
	CHECK(!str_contains(buf_str(&b), S("t0ken")));
	CHECK(str_contains(buf_str(&c.warnings), S("better $COHORT_STORE")));
	buf_release(&b);
	config_release(&c);
}

/* Goal: whatever can be a secret, or have one in it, is not in the answer of GET /settings. */
TEST(config_json_has_no_secret)
{
	struct config c;
	struct buf b = BUF(MB);
	struct json_doc doc = { 0 };
	struct err e = { 0 };
	struct json_iter it;
	size_t hidden = 0;

	CHECK_RC(config_read(&c, 14, ARGS("--jwt-secret", "m4rker", "--encryption-key", "m4rker",
	    "--auth-remote-url", "https://u:m4rker@h/x?password=m4rker", "--openai-base-url",
	    "http://m4rker@h", "--otel-headers", "a=m4rker", "--webhooks-secret", "m4rker",
	    "--auth-jwks", "https://m4rker@h"),
	    ARGS("COHORT_AUTH_REMOTE_KEY=m4rker", "OPENAI_API_KEY=m4rker",
	    "COHORT_STORE=postgres://ann:m4rker@h/d", "COHORT_CLUSTER_NATS=nats://m4rker@h",
	    "COHORT_OTEL_ENDPOINT=http://u:m4rker@h", "COHORT_WEBHOOKS_HEADERS={\"a\":\"m4rker\"}"),
	    &e), OK);
	config_add_json(&b, &c);
	CHECK(!str_contains(buf_str(&b), S("m4rker")));
	CHECK_RC(json_parse(&doc, buf_str(&b), &e), OK);
	it = json_each(doc.root);
	while (json_next(&it)) {
		struct str type;

		CHECK_RC(json_get_str(it.value, "type", "type", STR_NONE, 20, &type, &e), OK);
		hidden += str_eq(type, S("secret"));
	}
	CHECK_INT(hidden, 7);                /* a new one belongs above */
	CHECK(str_contains(buf_str(&b), S("\"value\":\"postgres://ann:***@h/d\",\"set\":true")));
	CHECK(str_contains(buf_str(&b), S("\"key\":\"jwt.secret\",\"type\":\"secret\","
	    "\"value\":null,\"set\":true,\"default\":\"\",\"origin\":\"--jwt-secret\","
	    "\"source\":\"flag\",\"reread\":false")));
	json_release(&doc);
	buf_release(&b);
	config_release(&c);
}

/* Goal: nobody believes in a database, an auth or a trace that is not there. */
TEST(config_foreign_variables_are_not_silently_ignored)
{
	static const struct { const char *variable, *other, *flag; bool refused; } rows[] = {
		{ "DATABASE_URL=mysql://x", "A=1", "--insecure", true },
		{ "DATABASE_URL=mysql://x", "COHORT_STORE=memory", "--insecure", false },
		{ "DATABASE_URL=postgres://x/y", "COHORT_DB=z", "--insecure", true },
		{ "SUPABASE_URL=https://x", "A=1", "--plain-errors", true },
		{ "SUPABASE_KEY=x", "A=1", "--plain-errors", true },
		{ "SUPABASE_KEY=x", "A=1", "--insecure", false },
		{ "SUPABASE_KEY=x", "SUPABASE_JWT_SECRET=x", "--plain-errors", false },
		{ "LANGFUSE_SECRET_KEY=sk", "A=1", "--insecure", true },
		{ "LANGFUSE_SECRET_KEY=", "A=1", "--insecure", false },
		{ "LANGFUSE_PUBLIC_KEY=pk", "A=1", "--insecure", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c;
		struct err e = { 0 };
		char *variable = mem_cstr(str_of(rows[i].variable));
		char *other = mem_cstr(str_of(rows[i].other));
		char *flag = mem_cstr(str_of(rows[i].flag));

		CHECK_RC(load(&c, ARGS(flag), ARGS(variable, other), &e),
		    rows[i].refused ? ERR_INVALID : OK);
		if (rows[i].refused)
			CHECK(strncmp(e.text + 1, variable, strcspn(variable, "=")) == 0);
		config_release(&c);
		free(variable);
		free(other);
		free(flag);
	}
}

TEST(config_warns_of_a_model_that_nobody_will_answer_for)
{
	static const struct { const char *model, *variable; bool warned; } rows[] = {
		{ "openai:gpt-4o", "A=1", true },
		{ "openai:gpt-4o", "OPENAI_API_KEY=sk-1", false },
		{ "openai:gpt-4o", "OPENAI_BASE_URL=http://localhost:1/v1", false },
		{ "scripted:x", "A=1", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c;
		struct err e = { 0 };
		char *model = mem_cstr(str_of(rows[i].model));
		char *variable = mem_cstr(str_of(rows[i].variable));

		CHECK_RC(load(&c, ARGS("--model", model), ARGS(variable), &e), OK);
		CHECK((c.warnings.n > 0) == rows[i].warned);
		config_release(&c);
		free(model);
		free(variable);
	}
}

TEST(config_yaml_nests_or_dots)
{
	struct config c;
	struct err e;

	write_file("a.yaml", "jwt:\n  secret: s\n  issuer: me\n  audience: 'you'\n"
	    "openai.base-url: http://m/v1  # comment\ntest-hooks: yes\n");
	CHECK_RC(load(&c, ARGS("--config", "a.yaml"), ARGS(), &e), OK);
	CHECK_STR(config_str(&c, SETTING_JWT_ISSUER), "me");
	CHECK_STR(config_str(&c, SETTING_JWT_AUDIENCE), "you");
	CHECK_STR(str_of(c.at[SETTING_JWT_AUDIENCE].origin), "a.yaml:4");
	CHECK_STR(config_str(&c, SETTING_OPENAI_BASE_URL), "http://m/v1");
	CHECK(config_bool(&c, SETTING_TEST_HOOKS));
	config_release(&c);
}

TEST(config_yaml_is_strict)
{
	static const struct { const char *text, *words; } rows[] = {
		{ "host: a\nprot: 1\n",
		  "c.yaml:2: unknown setting \"prot\"; did you mean port?" },
		{ "jwt:\n  secert: x\n",
		  "c.yaml:2: unknown setting \"jwt.secert\"; did you mean jwt.secret?" },
		{ "port: 1\nport: 2\n", "c.yaml:2: this setting is given twice" },
		{ "port: [1]\n", "c.yaml:1: lists are not supported" },
		{ "port: &a 1\n", "c.yaml:1: anchors are not supported" },
		{ "port: !!int 1\n", "c.yaml:1: tags are not supported" },
		{ "host: a\n---\nhost: b\n", "c.yaml:2: one document only" },
		{ "just words\n", "c.yaml:1: expected `key: value` lines" },
		{ "port: many\n",
		  "c.yaml:1: expected a whole number from 0 to 65535, got \"many\"" },
		{ "config: x\n", "c.yaml:1: a settings file cannot name another" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		write_file("c.yaml", rows[i].text);
		check_refused(ARGS("--config", "c.yaml"), ARGS(), rows[i].words);
	}
	write_file("c.yaml", "# nothing\n");
	{
		struct config c;
		struct err e;

		CHECK_RC(load(&c, ARGS("--config", "c.yaml"), ARGS(), &e), OK);
		config_release(&c);
	}
}

/* Goal: no output of ours ever shows a secret. */
TEST(config_secrets_are_shown_as_set)
{
	struct config c;
	struct buf b = BUF(16 * KB);
	struct err e;

	CHECK_RC(load(&c, ARGS(), ARGS("COHORT_JWT_SECRET=hunter2",
	    "OPENAI_API_KEY=sk-hunter2"), &e), OK);
	config_add_text(&b, &c);
	CHECK(!str_contains(buf_str(&b), S("hunter2")));
	CHECK(str_contains(buf_str(&b), S("(set)")));
	CHECK(str_contains(buf_str(&b), S("# $OPENAI_API_KEY")));
	buf_release(&b);
	config_release(&c);
}

/* Goal: "$UNSET" in a start script does not let everybody in. */
TEST(config_empty_credentials_are_refused)
{
	check_refused(ARGS("--jwt-secret="), ARGS(),
	    "--jwt-secret: empty; leave it out to do without");
	check_refused(ARGS("--api-keys", ""), ARGS(),
	    "--api-keys: empty; leave it out to do without");
	check_refused(ARGS("--jwt-audience", ""), ARGS(),
	    "--jwt-audience: empty; leave it out to do without");
	write_file("c.yaml", "jwt:\n  secret: \"\"\n");
	check_refused(ARGS("--config", "c.yaml"), ARGS(),
	    "c.yaml:2: empty; leave it out to do without");
	check_refused(ARGS(), ARGS("COHORT_JWT_ISSUER=me"),
	    "$COHORT_JWT_ISSUER: jwt.issuer needs jwt.secret or auth.jwks: without them no token "
	    "is read");
}

static void
check_warned(char **argv, char **env, const char *words)
{
	struct config c;
	struct err e = { 0 };

	CHECK_RC(load(&c, argv, env, &e), OK);
	CHECK_STR(buf_str(&c.warnings), words);
	config_release(&c);
}

TEST(config_secrets_that_others_can_read_are_mentioned)
{
	static char good[] = "COHORT_JWT_SECRET=0123456789abcdef0123456789abcdef";

	check_warned(ARGS("--jwt-secret", "0123456789abcdef0123456789abcdef"), ARGS(),
	    "--jwt-secret: everyone on this machine can read a command line; "
	    "better $COHORT_JWT_SECRET or cohort.yaml\n");
	check_warned(ARGS(), ARGS(good), "");
	check_warned(ARGS(), ARGS("COHORT_JWT_SECRET=hunter2"),
	    "$COHORT_JWT_SECRET: a secret of 7 bytes can be guessed; HS256 needs 32\n");

	write_file("s.yaml", "openai.api-key: sk\n");
	CHECK(chmod("s.yaml", 0640) == 0);
	check_warned(ARGS("--config", "s.yaml"), ARGS(),
	    "s.yaml holds a secret, and other users can read it: chmod 600 s.yaml\n");
	CHECK(chmod("s.yaml", 0600) == 0);
	check_warned(ARGS("--config", "s.yaml"), ARGS(), "");
	write_file("s.yaml", "port: 1\n");
	CHECK(chmod("s.yaml", 0644) == 0);
	check_warned(ARGS("--config", "s.yaml"), ARGS(), "");
}

TEST(config_strange_variables_are_mentioned)
{
	struct config c;
	struct err e;

	CHECK_RC(load(&c, ARGS(), ARGS("COHORT_PROT=1"), &e), OK);
	CHECK_STR(buf_str(&c.warnings),
	    "COHORT_PROT is not a setting; did you mean COHORT_PORT?\n");
	config_release(&c);
}

/* Those of the tracker's commands are not: docs/work.md, Environment. */
TEST(config_variables_of_the_tracker_are_known)
{
	struct config c;
	struct err e;

	CHECK_RC(load(&c, ARGS(), ARGS("COHORT_NO_DAEMON=1", "COHORT_WORK_DB=x",
	    "COHORT_ACTOR=me", "COHORT_TIMEOUT=1s", "COHORT_WORK_GIT_TIMEOUT=9s",
	    "COHORT_WORK_SERVER=http://x", "COHORT_WORK_PROJECT=p", "COHORT_TOKEN=t",
	    "COHORT_API_KEY=k", "COHORT_WORK_IDLE=1s", "COHORT_WORK_SYNC=1"), &e), OK);
	CHECK_STR(buf_str(&c.warnings), "");
	config_release(&c);
}

/* Goal: a setting that names a secret has what it stands for, and is shown by its name. */
TEST(config_secrets_may_be_names)
{
	struct buf shown = BUF(64 * KB);
	struct config c;
	struct err e;

	write_file("jwt", "0123456789abcdef0123456789abcdef\n");
	write_file("cohort.yaml", "jwt.secret: file:jwt\n"
	    "store: postgres://ann:env:PW@h/db\nwebhooks.secret: env:NOT_THERE\n");
	CHECK(chmod("jwt", 0600) == 0 && chmod("cohort.yaml", 0644) == 0);
	CHECK_RC(load(&c, ARGS("--webhooks-secret", "env:HOOK", "--cluster-nats", "env:NATS"),
	    ARGS("PW=s3:", "HOOK=h00k", "NATS=nats://u:s4@n:1"), &e), OK);
	CHECK_STR(config_str(&c, SETTING_JWT_SECRET), "0123456789abcdef0123456789abcdef");
	CHECK_STR(config_str(&c, SETTING_STORE), "postgres://ann:s3%3A@h/db");
	CHECK_STR(config_str(&c, SETTING_WEBHOOKS_SECRET), "h00k");
	CHECK_STR(config_str(&c, SETTING_CLUSTER_NATS), "nats://u:s4@n:1");
	CHECK_STR(buf_str(&c.warnings), "");
	config_add_text(&shown, &c);
	CHECK(str_contains(buf_str(&shown), S("= file:jwt ")));
	CHECK(str_contains(buf_str(&shown), S("= postgres://ann:env:PW@h/db ")));
	CHECK(str_contains(buf_str(&shown), S("= env:NATS ")));
	CHECK(!str_contains(buf_str(&shown), S("s3")) && !str_contains(buf_str(&shown), S("s4")) &&
	    !str_contains(buf_str(&shown), S("h00k")) && !str_contains(buf_str(&shown), S("0123")));
	buf_release(&shown);
	config_release(&c);

	check_refused(ARGS(), ARGS("PW=x"), "webhooks.secret: cohort.yaml:3: $NOT_THERE is not set");
	check_refused(ARGS(), ARGS("NOT_THERE=x", "COHORT_STORE=env:URL", "URL=mysql://u:s5@h"),
	    "$COHORT_STORE: expected sqlite, memory or postgres://USER:PASSWORD@HOST/DATABASE, "
	    "got \"mysql://***@h\"");
	/* A text that is no secret is never looked up. */
	CHECK_RC(load(&c, ARGS("--model", "env:PW", "--webhooks-secret", "s"), ARGS("PW=x"), &e), OK);
	CHECK_STR(config_str(&c, SETTING_MODEL), "env:PW");
	config_release(&c);
	remove("cohort.yaml");
}
