/*
 * cmd_agent_mail.c - `cohort agent spawn|list|stop|send|tail`: agents of a server, over HTTP.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/mail_remote.h"

#define TAIL_WAIT_MS 30000
#define TAIL_MAX     100                     /* messages of one answer */

static const char *const kind_words[] = { "external", "chart", "run", "wasm", NULL };
static const char *const restart_words[] = { "never", "on_failure", "always", NULL };

const struct flag cmd_agent_spawn_flags[] = {
	{ "name", .kind = FLAG_TEXT, .value = "NAME", .help = "a name that is its address too" },
	{ "id", .kind = FLAG_TEXT, .value = "UUID", .help = "its id; else a new one" },
	{ "kind", .kind = FLAG_TEXT, .value = "KIND", .words = kind_words,
	  .help = "external (a client, without GRAPH), chart, run, or wasm (GRAPH is a module); "
	    "else what fits GRAPH" },
	{ "capability", .kind = FLAG_TEXT, .value = "NAME", .help = "what it can do, NAME or "
	    "NAME:VERSION; may be repeated" },
	{ "input", .kind = FLAG_TEXT, .value = "JSON", .help = "its input" },
	{ "config", .kind = FLAG_TEXT, .value = "JSON", .help = "its config" },
	{ "metadata", .kind = FLAG_TEXT, .value = "JSON", .help = "whatever you like" },
	{ "memory", .help = "it does not outlive the server" },
	{ "mailbox-max", .kind = FLAG_INT, .value = "N", .min = 1, .max = LIMIT_MAILBOX_LETTERS_MAX,
	  .help = "letters that may wait for it" },
	{ "restart", .kind = FLAG_TEXT, .value = "WHEN", .words = restart_words,
	  .help = "what its supervisor does when it ends" },
	{ "max-restarts", .kind = FLAG_INT, .value = "N", .max = LIMIT_AGENT_RESTARTS,
	  .help = "in a window" },
	{ "window", .kind = FLAG_INT, .value = "MS", .min = 1, .max = LIMIT_AGENT_WINDOW_MS,
	  .unit = "ms", .help = "of its restarts" },
	{ "backoff", .kind = FLAG_INT, .value = "MS", .max = LIMIT_AGENT_WINDOW_MS, .unit = "ms",
	  .help = "before the first of them" },
	{ "json", .help = "print the whole agent" },
	REMOTE_FLAGS,
	{ NULL }
};

const struct flag cmd_agent_list_flags[] = {
	{ "name", .kind = FLAG_TEXT, .value = "TEXT", .help = "whose name has this in it" },
	{ "capability", .kind = FLAG_TEXT, .value = "NAME", .help = "that can do this" },
	{ "state", .kind = FLAG_TEXT, .value = "STATE", .help = "in this state, as in ready" },
	{ "kind", .kind = FLAG_TEXT, .value = "KIND", .help = "external, chart, run, wasm or native" },
	{ "limit", .kind = FLAG_INT, .value = "N", .fallback = "100", .min = 1,
	  .max = LIMIT_PAGE_ROWS, .help = "at most so many" },
	{ "offset", .kind = FLAG_INT, .value = "N", .max = INT32_MAX,
	  .help = "leave so many out, from the newest" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

const struct flag cmd_agent_stop_flags[] = {
	{ "drain", .help = "when it has taken what waits" },
	{ "deadline", .kind = FLAG_INT, .value = "MS", .max = 3600000, .unit = "ms",
	  .help = "with --drain: at the latest then" },
	REMOTE_FLAGS,
	{ NULL }
};

const struct flag cmd_agent_send_flags[] = {
	{ "act", .kind = FLAG_TEXT, .value = "NAME", .fallback = "inform",
	  .help = "the communicative act, as in request" },
	{ "from", .kind = FLAG_TEXT, .value = "AGENT", .help = "as this agent; else as yourself" },
	{ "protocol", .kind = FLAG_TEXT, .value = "NAME", .help = "as in fipa-request" },
	{ "conversation", .kind = FLAG_TEXT, .value = "ID", .help = "of this conversation" },
	{ "reply-with", .kind = FLAG_TEXT, .value = "ID", .help = "the reply names it" },
	{ "in-reply-to", .kind = FLAG_TEXT, .value = "ID", .help = "it is a reply to that" },
	{ "reply-to", .kind = FLAG_TEXT, .value = "AGENT", .help = "the reply goes to this one" },
	{ "reply-by", .kind = FLAG_TEXT, .value = "DATE", .help = "RFC 3339" },
	{ "ttl", .kind = FLAG_TEXT, .value = "TIME", .help = "it expires after that, as in 30s" },
	{ "priority", .kind = FLAG_INT, .value = "N", .max = 3, .help = "0 (usual) to 3 (first)" },
	{ "durable", .help = "it is stored, and survives the server" },
	{ "receipt", .help = "with --from: that agent is told when it is delivered" },
	{ "json", .help = "print the whole answer" },
	REMOTE_FLAGS,
	{ NULL }
};

const struct flag cmd_agent_tail_flags[] = {
	{ "count", .kind = FLAG_INT, .value = "N", .min = 1, .max = INT32_MAX, .letter = 'n',
	  .help = "end after so many messages" },
	{ "no-ack", .help = "leave durable messages in the mailbox; then it ends when all were "
	    "shown" },
	{ "no-wait", .help = "end when nothing is there" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- bodies ------------------------------------------------------------------------ */

static void
add_text(struct buf *b, const struct flag_line *l, const char *flag, const char *member)
{
	struct str s = line_text(l, flag);

	if (s.p != NULL)
		json_add_fmt(b, ",%s:%.*s", member, FMT(s));
}

/* Ready JSON, which an error names by its flag; a number of a flag is some. */
static int
add_json(struct buf *b, const struct flag_line *l, const char *flag, const char *member,
    struct err *e)
{
	struct str s = line_text(l, flag);
	struct err why;
	int rc = s.p != NULL ? json_check(s, &why) : OK;

	if (rc != OK)
		return err_set(e, ERR_INVALID, "--%s: %s", flag, why.text);
	if (s.p != NULL)
		json_add_fmt(b, ",%s:%-.*s", member, FMT(s));
	return OK;
}

/* ---- spawn -------------------------------------------------------------------------- */

static void
add_capabilities(struct buf *b, const struct flag_line *l)
{
	bool any = false;

	for (size_t i = 0; i < l->given_n; i++) {
		if (strcmp(l->given[i].flag->name, "capability") != 0)
			continue;
		json_add_fmt(b, any ? ",%.*s" : ",'capabilities':[%.*s", FMT(l->given[i].value));
		any = true;
	}
	if (any)
		buf_add_char(b, ']');
}

static int
spawn_body(struct buf *b, const struct flag_line *l, struct err *e)
{
	static const char *const json[] = { "input", "config", "metadata" };
	int rc = OK;

	buf_add_char(b, '{');
	if (l->operands_n > 0)
		json_add_fmt(b, ",'graph_id':%.*s", FMT(l->operand[0]));
	add_text(b, l, "name", "name");
	add_text(b, l, "id", "agent_id");
	add_text(b, l, "kind", "kind");
	add_capabilities(b, l);
	for (size_t i = 0; rc == OK && i < COUNT(json); i++)
		rc = add_json(b, l, json[i], json[i], e);
	if (line_has(l, "memory"))
		json_add_fmt(b, ",'durable':%hhd", false);
	if (rc == OK)
		rc = add_json(b, l, "mailbox-max", "mailbox_max", e);
	if (line_text(l, "restart").p != NULL || line_text(l, "max-restarts").p != NULL ||
	    line_text(l, "window").p != NULL || line_text(l, "backoff").p != NULL) {
		json_add_fmt(b, ",'supervision':{");
		add_text(b, l, "restart", "restart");
		(void)add_json(b, l, "max-restarts", "max_restarts", e);
		(void)add_json(b, l, "window", "window", e);
		(void)add_json(b, l, "backoff", "backoff", e);
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	return rc;
}

static int
spawn(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf body = BUF(LIMIT_HTTP_BODY_BYTES);
	struct val agent = VAL_UNDEF;
	int rc = spawn_body(&body, l, e);

	if (rc == OK)
		rc = remote_value(r, "POST", S("/agents"), buf_str(&body), &agent, e);
	if (rc == OK && line_has(l, "json"))
		print_value(agent);
	else if (rc == OK)
		printf("%.*s\n", FMT(entry_text(agent, "agent_id")));
	val_drop(agent);
	buf_release(&body);
	return rc;
}

/* ---- list ---------------------------------------------------------------------------- */

static void
print_agent(struct val a)
{
	struct str name = entry_text(a, "name");
	struct val waiting = val_get(a, S("waiting")), error = val_get(a, S("error"));
	struct buf b = BUF(64 * KB);

	buf_add_fmt(&b, "%.*s  %-9.*s  %-9.*s  ", FMT(entry_text(a, "agent_id")),
	    FMT(entry_text(a, "kind")), FMT(entry_text(a, "state")));
	val_add_json(&b, waiting);
	buf_add_fmt(&b, " waiting  %.*s", FMT(name.n > 0 ? name : S("-")));
	for (size_t i = 0; i < val_count(val_get(a, S("capabilities"))); i++)
		buf_add_fmt(&b, " +%.*s", FMT(val_str(val_at(val_get(a, S("capabilities")), i))));
	if (error.kind == VAL_STRING)
		buf_add_fmt(&b, "  %.*s", FMT(val_str(error)));
	printf("%.*s\n", FMT(buf_str(&b)));
	buf_release(&b);
}

static int
list(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf body = BUF(64 * KB);
	struct val agents = VAL_UNDEF;
	int rc;

	buf_add_char(&body, '{');
	add_text(&body, l, "name", "name");
	add_text(&body, l, "capability", "capability");
	add_text(&body, l, "state", "state");
	add_text(&body, l, "kind", "kind");
	json_add_fmt(&body, ",'limit':%-.*s", FMT(line_text(l, "limit").p != NULL ?
	    line_text(l, "limit") : S("100")));
	(void)add_json(&body, l, "offset", "offset", e);
	buf_add_char(&body, '}');
	rc = remote_value(r, "POST", S("/agents/search"), buf_str(&body), &agents, e);
	for (size_t i = 0; rc == OK && i < val_count(agents); i++)
		(line_has(l, "json") ? print_value : print_agent)(val_at(agents, i));
	val_drop(agents);
	buf_release(&body);
	return rc;
}

/* ---- stop ------------------------------------------------------------------------------ */

static int
stop(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	char *agent = remote_escape(r, l->operand[0]);
	struct str deadline = line_text(l, "deadline");
	int rc;

	buf_add_fmt(&path, "/agents/%s", agent);
	if (line_has(l, "drain"))
		buf_lit(&path, "?drain=true");
	if (deadline.p != NULL)
		buf_add_fmt(&path, "%sdeadline=%.*s", line_has(l, "drain") ? "&" : "?",
		    FMT(deadline));
	rc = remote_done(r, "DELETE", buf_str(&path), STR_NONE, e);
	free(agent);
	buf_release(&path);
	return rc;
}

/* ---- send ------------------------------------------------------------------------------- */

/* A, or A,B,...; content that is no JSON is a text. */
static void
send_body(struct buf *b, const struct flag_line *l)
{
	static const char *const members[][2] = { { "protocol", "protocol" },
		{ "conversation", "conversation_id" }, { "reply-with", "reply_with" },
		{ "in-reply-to", "in_reply_to" }, { "reply-to", "reply_to" },
		{ "reply-by", "reply_by" } };
	struct str rest = l->operand[0], to, act = line_text(l, "act");
	struct err ignored;

	json_add_fmt(b, "{'performative':%.*s,'receiver':[", FMT(act.p != NULL ? act :
	    S("inform")));
	while (str_next(&rest, ',', &to))
		json_add_fmt(b, ",%.*s", FMT(to));
	buf_add_char(b, ']');
	if (l->operands_n > 1 && json_check(l->operand[1], &ignored) == OK)
		json_add_fmt(b, ",'content':%-.*s", FMT(l->operand[1]));
	else if (l->operands_n > 1)
		json_add_fmt(b, ",'content':%.*s", FMT(l->operand[1]));
	for (size_t i = 0; i < COUNT(members); i++)
		add_text(b, l, members[i][0], members[i][1]);
	json_add_fmt(b, ",'delivery':{");
	add_text(b, l, "ttl", "ttl");
	(void)add_json(b, l, "priority", "priority", &ignored);
	if (line_has(l, "durable"))
		json_add_fmt(b, ",'durable':%hhd", true);
	if (line_has(l, "receipt"))
		json_add_fmt(b, ",'receipt':%hhd", true);
	buf_lit(b, "}}");
}

static int
send(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf body = BUF(LIMIT_HTTP_BODY_BYTES), path = BUF(LIMIT_HTTP_URL_BYTES);
	struct str from = line_text(l, "from");
	char *agent = remote_escape(r, from);
	struct val answer = VAL_UNDEF;
	int rc;

	if (from.n > 0)
		buf_add_fmt(&path, "/agents/%s/messages", agent);
	else
		buf_lit(&path, "/messages");
	send_body(&body, l);
	rc = body.failed ? err_set(e, ERR_TOOBIG, "the message is too large") :
	    remote_value(r, "POST", buf_str(&path), buf_str(&body), &answer, e);
	if (rc == OK && line_has(l, "json"))
		print_value(answer);
	else if (rc == OK)
		printf("%.*s\n", FMT(entry_text(answer, "message_id")));
	val_drop(answer);
	free(agent);
	buf_release(&body);
	buf_release(&path);
	return rc;
}

/* ---- tail -------------------------------------------------------------------------------- */

struct tail {
	struct remote *r;
	const struct flag_line *line;
	char *agent;
	int64_t left;                        /* messages to be shown */
	bool json, ack, wait;
};

static int
ack(struct tail *t, struct val messages, struct err *e)
{
	struct buf body = BUF(MB), path = BUF(LIMIT_HTTP_URL_BYTES);
	size_t n = 0;
	int rc = OK;

	buf_lit(&body, "{\"message_ids\":[");
	for (size_t i = 0; i < val_count(messages); i++) {
		struct val m = val_at(messages, i);

		if (val_truthy(val_get(val_get(m, S("delivery")), S("durable")))) {
			json_add_fmt(&body, ",%.*s", FMT(entry_text(m, "message_id")));
			n++;
		}
	}
	buf_lit(&body, "]}");
	buf_add_fmt(&path, "/agents/%s/mailbox/ack", t->agent);
	if (n > 0)
		rc = remote_done(t->r, "POST", buf_str(&path), buf_str(&body), e);
	buf_release(&body);
	buf_release(&path);
	return rc;
}

/* One answer of the mailbox; *n: messages in it. */
static int
tail_some(struct tail *t, size_t *n, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	int64_t max = t->left < TAIL_MAX ? t->left : TAIL_MAX;
	struct val messages = VAL_UNDEF;
	int rc;

	buf_add_fmt(&path, "/agents/%s/mailbox?max=%lld&wait=%d", t->agent, (long long)max,
	    t->wait ? TAIL_WAIT_MS : 0);
	rc = remote_value(t->r, "GET", buf_str(&path), STR_NONE, &messages, e);
	*n = rc == OK ? val_count(messages) : 0;
	for (size_t i = 0; i < *n; i++)
		(t->json ? print_value : print_message)(val_at(messages, i));
	fflush(stdout);
	t->left -= (int64_t)*n;
	if (rc == OK && t->ack)
		rc = ack(t, messages, e);
	val_drop(messages);
	buf_release(&path);
	return rc;
}

/* Without acks the same durable messages would come again and again. */
static int
tail(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct str count = line_text(l, "count");
	struct tail t = { .r = r, .line = l, .agent = remote_escape(r, l->operand[0]),
	    .left = INT64_MAX, .json = line_has(l, "json"), .ack = !line_has(l, "no-ack"),
	    .wait = !line_has(l, "no-wait") };
	size_t n = 1;
	int rc = OK;

	if (count.p != NULL)
		(void)str_to_i64(count, &t.left);    /* checked when it was read */
	while (rc == OK && t.left > 0 && (n > 0 || t.wait)) {
		rc = tail_some(&t, &n, e);
		if (!t.ack && n > 0)
			break;
	}
	free(t.agent);
	return rc;
}

/* ---- the commands -------------------------------------------------------------------------- */

int
cmd_agent_spawn(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, spawn);
}

int
cmd_agent_list(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, list);
}

int
cmd_agent_stop(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, stop);
}

int
cmd_agent_send(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, send);
}

int
cmd_agent_tail(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, tail);
}
