/*
 * tools_mcp.c - the MCP client with real processes: a server in a few lines of sh
 * that answers, dies, hangs, floods and says nonsense when it is told to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tools/mcp.h"
#include "unit/net_peer.h"

static const char server[] =
"say() { printf '%s\\n' \"$1\"; }\n"
"ok() { say \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":$id,\\\"result\\\":$1}\"; }\n"
"say 'starting up'; n=1\n"
"while read -r line; do\n"
"  id=${line#*\\\"id\\\":}; id=${id%%,*}\n"
"  case $line in\n"
"  *file:///data*) id=$call; ok '{\"content\":[{\"type\":\"text\",\"text\":\"told\"}]}';;\n"
"  *'\"initialize\"'*) ok \"{\\\"protocolVersion\\\":\\\"${V:-2025-06-18}\\\",\\\"capabilities\\\":"
"{\\\"tools\\\":{\\\"listChanged\\\":true}},\\\"serverInfo\\\":{\\\"name\\\":\\\"t\\\"}}\";;\n"
"  *cursor*) ok '{\"tools\":[{\"name\":\"second\",\"inputSchema\":{\"type\":\"object\"}}]}';;\n"
"  *tools/list*) ok \"{\\\"tools\\\":[{\\\"name\\\":\\\"tool$n\\\",\\\"description\\\":\\\"d\\\","
"\\\"annotations\\\":{\\\"readOnlyHint\\\":true}}],\\\"nextCursor\\\":\\\"x\\\"}\";;\n"
"  *'\"die\"'*) exit 3;;\n"
"  *'\"hang\"'*) ;;\n"
"  *'\"flood\"'*) while say '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}'; do :; done;;\n"
"  *'\"long\"'*) while printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; "
"do :; done;;\n"
"  *'\"change\"'*) n=2; say '{\"jsonrpc\":\"2.0\",\"method\":"
"\"notifications/tools/list_changed\"}'; ok '{\"content\":[]}';;\n"
"  *'\"roots\"'*) call=$id; say '{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"roots/list\"}';;\n"
"  *'\"env\"'*) ok \"{\\\"content\\\":[{\\\"type\\\":\\\"text\\\",\\\"text\\\":\\\"$MINE ${SECRET:-none}\\\"}]}\";;\n"
"  *'\"fail\"'*) ok '{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"no\"}]}';;\n"
"  *tools/call*) ok '{\"content\":[{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"image\","
"\"mimeType\":\"image/png\",\"data\":\"QUJD\"},{\"type\":\"resource\",\"resource\":"
"{\"uri\":\"f:x\",\"text\":\"body\"}}]}';;\n"
"  esac\n"
"done\n";

static struct shard *shard;
static struct client *client;
static struct mcp *mcp;

static const struct mcp_pair env[] = { { { "MINE", 4 }, { "yes", 3 } } };
static struct str command[3];
static struct mcp_spec spec;

static void
open_all(const char *script)
{
	setenv("SECRET", "not for servers", 1);
	command[0] = S("sh");
	command[1] = S("-c");
	command[2] = str_of(script);
	spec = (struct mcp_spec){ .name = S("test"), .command = command, .command_n = 3,
		.env = env, .env_n = 1 };
	CHECK_RC(client_global_init(NULL), OK);
	CHECK_RC(shard_new(&shard, 0, NULL), OK);
	CHECK_RC(client_new(&client, shard, NULL), OK);
	mcp = mcp_new(shard, client);
}

static void
close_all(void)
{
	mcp_free(mcp);
	client_free(client);
	shard_free(shard);
}

/* ---- what came ---------------------------------------------------------------------- */

struct came {
	int times, rc;
	bool failed, sent;
	char text[400], tools[200];
};

static void
on_list(void *ctx, int rc, const struct mcp_list *list, const struct err *e)
{
	struct came *c = ctx;

	c->times++;
	c->rc = rc;
	c->tools[0] = '\0';
	if (rc != OK)
		snprintf(c->text, sizeof c->text, "%.399s", e->text);
	for (size_t i = 0; rc == OK && i < list->n; i++) {
		size_t n = strlen(c->tools);

		snprintf(c->tools + n, sizeof c->tools - n, "%.*s%s ", FMT(list->at[i].name),
		    list->at[i].read_only ? "!" : "");
	}
}

static void
on_call(void *ctx, int rc, const struct mcp_result *r, const struct err *e)
{
	struct came *c = ctx;

	c->times++;
	c->rc = rc;
	c->failed = r->failed;
	c->sent = r->sent;
	snprintf(c->text, sizeof c->text, "%.*s", rc == OK ? (int)r->text.n : 400,
	    rc == OK ? r->text.p : e->text);
}

static void
await(const struct came *c)
{
	while (c->times == 0)
		shard_turn(shard);
	CHECK_INT(c->times, 1);
}

static struct came
call(const char *tool, msec timeout)
{
	struct came c = { 0 };

	(void)mcp_call(mcp, &spec, str_of(tool), S("{\n \"a\": 1}"), timeout, STR_NONE, on_call, &c);
	await(&c);
	return c;
}

static struct came
list(void)
{
	struct came c = { 0 };

	(void)mcp_list(mcp, &spec, on_list, &c);
	await(&c);
	return c;
}

/* ---- goals -------------------------------------------------------------------------- */

TEST(mcp_lists_and_calls)
{
	struct came c;

	open_all(server);
	c = list();
	CHECK_INT(c.rc, OK);
	CHECK_STR(str_of(c.tools), "tool1! second ");
	c = call("tool1", 0);
	CHECK_STR(str_of(c.text), "one\n[image, image/png, 4 bytes of base64]\nbody");
	c = call("fail", 0);
	CHECK(c.rc == OK && c.failed);
	CHECK_STR(str_of(c.text), "no");
	c = call("env", 0);
	CHECK_STR(str_of(c.text), "yes none");
	close_all();
}

TEST(mcp_list_that_changes_is_fetched_again)
{
	open_all(server);
	CHECK_STR(str_of(list().tools), "tool1! second ");
	CHECK_INT(call("change", 0).rc, OK);
	CHECK_STR(str_of(list().tools), "tool2! second ");
	close_all();
}

TEST(mcp_roots_are_told)
{
	struct str roots[] = { S("/data") };

	open_all(server);
	spec.roots = roots;
	spec.roots_n = 1;
	CHECK_STR(str_of(call("roots", 5000).text), "told");
	close_all();
}

/* Goal: a call under way fails when its server dies, and may have been done; the next
 * one finds a new server. */
TEST(mcp_server_that_dies_is_started_again)
{
	struct came c;

	open_all(server);
	CHECK_INT(call("tool1", 0).rc, OK);
	c = call("die", 0);
	CHECK(c.rc == ERR_CLOSED && c.sent);
	CHECK_STR(str_of(c.text), "the MCP server test: it exited with 3");
	CHECK_INT(call("tool1", 0).rc, OK);
	close_all();
}

TEST(mcp_server_that_hangs_times_out)
{
	struct came c;

	open_all(server);
	CHECK_INT(call("tool1", 0).rc, OK);
	c = call("hang", 100);
	CHECK(c.rc == ERR_TIMEOUT && c.sent);
	CHECK_INT(call("tool1", 0).rc, OK);
	close_all();
}

TEST(mcp_server_that_floods_is_ended)
{
	struct came c;

	open_all(server);
	c = call("flood", 0);
	CHECK_RC(c.rc, ERR_LIMIT);
	CHECK(strstr(c.text, "nobody asked for") != NULL);
	c = call("long", 0);
	CHECK_RC(c.rc, ERR_TOOBIG);
	CHECK_INT(call("tool1", 0).rc, OK);
	close_all();
}

TEST(mcp_server_that_does_not_start)
{
	static const char *const scripts[][2] = {
		{ "exit 7", "it exited with 7" },
		{ "V=1999-01-01; ", "it speaks the revision \"1999-01-01\"; expected 2024-11-05 to "
		    "2025-11-25" },
	};
	struct came c;

	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct buf script = BUF(64 * KB);

		buf_add_fmt(&script, "%s\n%s", scripts[i][0], server);
		open_all(script.p);
		c = list();
		CHECK(c.rc != OK);
		CHECK(strstr(c.text, scripts[i][1]) != NULL);
		/* and is not asked again at once */
		c = call("tool1", 0);
		CHECK(c.rc != OK && !c.sent);
		close_all();
		buf_release(&script);
	}
	open_all(server);
	command[0] = S("/no/such/program");
	CHECK_RC(list().rc, ERR_NOTFOUND);
	close_all();
}

TEST(mcp_who_forgets_hears_nothing)
{
	struct came gone = { 0 }, other = { 0 };
	struct mcp_wait *w;

	open_all(server);
	w = mcp_list(mcp, &spec, on_list, &gone);
	(void)mcp_list(mcp, &spec, on_list, &other);
	mcp_forget(w);
	await(&other);
	w = mcp_call(mcp, &spec, S("hang"), S("{}"), 0, STR_NONE, on_call, &gone);
	CHECK_INT(call("tool1", 0).rc, OK);
	mcp_forget(w);
	CHECK_INT(call("tool1", 0).rc, OK);
	CHECK_INT(gone.times, 0);
	close_all();
}

TEST(mcp_arguments_are_json)
{
	struct came c = { 0 };

	open_all(server);
	CHECK(mcp_call(mcp, &spec, S("tool1"), S("{\"a\":"), 0, STR_NONE, on_call, &c) == NULL);
	CHECK(c.times == 1 && c.rc == ERR_SYNTAX && !c.sent);
	close_all();
}

/* ---- answers that come too early ------------------------------------------------------- */

#define INITIALIZED(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"protocolVersion\":" \
    "\"2025-06-18\",\"capabilities\":{\"tools\":{\"listChanged\":true}}}}"
#define LISTED(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"tools\":[]}}"
#define REFUSED(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":1,\"message\":\"no\"}}"
#define PING "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}"

/* What a server says before anything was asked, a message a line. */
static const char *const early[] = {
	INITIALIZED("1"),
	INITIALIZED("1") "\n" INITIALIZED("1") "\n" INITIALIZED("2"),
	INITIALIZED("1") "\n" LISTED("2") "\n" LISTED("3") "\n" LISTED("4"),
	"[" INITIALIZED("1") "," LISTED("2") "," LISTED("3") "]",
	LISTED("2") "\n" LISTED("3") "\n" LISTED("4") "\n" LISTED("5"),
	LISTED("0") "\n" LISTED("-1") "\n" LISTED("null") "\n" LISTED("\"1\"") "\n" LISTED("1.0"),
	REFUSED("2") "\n" REFUSED("3"),
	REFUSED("1"),
	PING "\n" PING "\n" INITIALIZED("1") "\n" PING,
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n" INITIALIZED("1"),
	LISTED("1"),
	"{\"id\":1}\n{\"id\":1,\"result\":null}",
};

/* Goal: whoever asks is told, once, whatever the server said before it was asked. */
TEST(mcp_answers_before_the_question)
{
	for (size_t i = 0; i < COUNT(early); i++) {
		struct buf script = BUF(64 * KB);
		struct came c;

		buf_add_fmt(&script, "printf '%%s\\n' '%s'\n%s", early[i], server);
		open_all(script.p);
		c = list();
		CHECK(c.rc == OK || c.text[0] != '\0');
		c = call("tool1", 2000);
		CHECK(c.rc == OK || c.text[0] != '\0');
		close_all();
		buf_release(&script);
	}
}

/* ---- the same over HTTP ---------------------------------------------------------------- */

static _Atomic(const char *) said;           /* one of early[] */
static atomic_int stream;                    /* of the older transport: where answers go */

/* Each line of `text` as an event. */
static void
add_events(struct buf *b, const char *text)
{
	struct str rest = str_of(text), line;

	while (str_next(&rest, '\n', &line))
		buf_add_fmt(b, "event: message\ndata: %.*s\n\n", FMT(line));
}

/* The right answer to a request; nothing to what is none. */
static void
add_answer(struct buf *b, const char *request)
{
	const char *id = strstr(request, "\"id\":");
	int n = id != NULL ? (int)strtol(id + 5, NULL, 10) : 0;

	if (strstr(request, "\"initialize\"") != NULL)
		buf_add_fmt(b, INITIALIZED("%d"), n);
	else if (strstr(request, "tools/list") != NULL)
		buf_add_fmt(b, LISTED("%d"), n);
	else if (strstr(request, "tools/call") != NULL)
		buf_add_fmt(b, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"content\":[]}}", n);
}

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" \
    "Connection: close\r\n\r\n"

/* It says what it says before it names its endpoint. */
static void
serve_older(struct peer *p, int fd, int nth)
{
	struct buf b = BUF(64 * KB), events = BUF(64 * KB);
	char in[8 * KB];

	(void)nth;
	while (peer_request(p, fd, in, sizeof in)) {
		buf_clear(&b);
		buf_clear(&events);
		if (strncmp(in, "GET", 3) == 0) {
			buf_lit(&b, SSE_HEAD);
			add_events(&b, said);
			buf_lit(&b, "event: endpoint\ndata: /messages\n\n");
			stream = fd;
			peer_write(fd, b.p);
			peer_wait_closed(fd);
			break;
		}
		if (strncmp(in, "POST /messages", 14) != 0) {
			peer_write(fd, "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
			continue;
		}
		add_answer(&b, in);
		if (b.n > 0)
			add_events(&events, b.p);
		peer_write(fd, "HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n");
		if (events.n > 0)
			peer_write(stream, events.p);
	}
	buf_release(&b);
	buf_release(&events);
}

/* It says it in front of the answer to each request, in one stream. */
static void
serve_streamable(struct peer *p, int fd, int nth)
{
	struct buf b = BUF(64 * KB), answer = BUF(64 * KB);
	char in[8 * KB];

	(void)nth;
	if (peer_request(p, fd, in, sizeof in)) {
		buf_lit(&b, SSE_HEAD);
		add_events(&b, said);
		add_answer(&answer, in);
		if (answer.n > 0)
			add_events(&b, answer.p);
		peer_write(fd, b.p);
	}
	buf_release(&b);
	buf_release(&answer);
}

static void
early_over_http(void (*serve)(struct peer *, int, int), bool works)
{
	struct peer *p = peer_start(serve, NULL);

	for (size_t i = 0; i < COUNT(early); i++) {
		struct came c;
		char url[64];

		said = early[i];
		open_all(server);
		snprintf(url, sizeof url, "http://127.0.0.1:%d/mcp", p->port);
		spec = (struct mcp_spec){ .name = S("test"), .url = str_of(url) };
		c = list();
		CHECK(c.rc == OK || (!works && c.text[0] != '\0'));
		c = call("tool1", 2000);
		CHECK(c.rc == OK || (!works && c.text[0] != '\0'));
		close_all();
	}
}

/* Nothing was asked before it names its endpoint, so nothing is answered. */
TEST(mcp_answers_before_the_question_older_http)
{
	early_over_http(serve_older, true);
}

TEST(mcp_answers_before_the_question_streamable_http)
{
	early_over_http(serve_streamable, false);
}
