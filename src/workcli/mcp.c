/*
 * mcp.c - `cohort work mcp`: the tracker's tools for an MCP client that
 * started us, over stdin and stdout, one JSON-RPC message a line.
 *
 * The actor is --actor or, without it, the name that the client gives.  Only
 * answers go to stdout.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "work/host/mcp.h"

struct session {
	struct cli_ctx *x;
	struct mcp mcp;
	struct mcp_call call;
	struct buf line, out;
	bool skipping;                       /* the rest of a line that is too long */
	bool named;                          /* the client's name is the actor */
};

static int
send_out(struct session *s, struct err *e)
{
	int rc;

	buf_lit(&s->out, "\n");
	rc = file_write(STDOUT_FILENO, buf_str(&s->out));
	buf_clear(&s->out);
	s->out.failed = false;
	if (rc == OK)
		return OK;
	return errno == EPIPE ? err_set(e, ERR_CLOSED, "the client is gone") :
	    err_set(e, ERR_IO, "stdout: %s", strerror(errno));
}

static void
run_call(struct session *s)
{
	struct reply r = { 0 };
	int rc;

	if (!s->named && !s->x->actor_given && s->mcp.client[0] != '\0')
		client_set_actor(s->x->client, str_of(s->mcp.client));
	s->named = true;
	rc = client_call(s->x->client, s->call.operation, buf_str(&s->call.args), &r);
	mcp_answer(buf_str(&s->call.id), rc, rc == OK ? r.data_text : STR_NONE,
	    str_of(r.err.text), &s->out);
	reply_release(&r);
}

static int
take_line(struct session *s, struct str line, struct err *e)
{
	if (str_trim(line).n == 0)
		return OK;
	switch (mcp_read(&s->mcp, line, &s->call, &s->out)) {
	case MCP_SILENT:
		return OK;
	case MCP_CALL:
		run_call(s);
		break;
	case MCP_ANSWERED:
		break;
	}
	return send_out(s, e);
}

/* A line is refused at its first byte past the limit; the rest is skipped. */
static int
take_part(struct session *s, struct str part, bool ends, struct err *e)
{
	int rc = OK;

	if (!s->skipping) {
		buf_add(&s->line, part);
		if (s->line.failed) {
			s->skipping = true;
			mcp_refuse(S("the message is too long"), &s->out);
			rc = send_out(s, e);
		} else if (ends) {
			rc = take_line(s, buf_str(&s->line), e);
		}
	}
	if (ends)
		s->skipping = false;
	if (ends || s->skipping) {
		buf_clear(&s->line);
		s->line.failed = false;
	}
	return rc;
}

static int
take_bytes(struct session *s, struct str bytes, struct err *e)
{
	ptrdiff_t at;
	int rc = OK;

	while (rc == OK && (at = str_index(bytes, '\n')) >= 0) {
		rc = take_part(s, str_sub(bytes, 0, (size_t)at), true, e);
		bytes = str_sub(bytes, (size_t)at + 1, bytes.n);
	}
	return rc == OK && bytes.n > 0 ? take_part(s, bytes, false, e) : rc;
}

int
cli_run_mcp(struct cli_ctx *x)
{
	struct session s = { .x = x, .line = BUF(LIMIT_WORK_MCP_BYTES),
	    .out = BUF(2 * (size_t)LIMIT_WORK_MEMORY_BYTES) };
	char bytes[16 * 1024];
	struct err e;
	int rc = OK;

	mcp_call_init(&s.call);
	cli_flush(x);
	while (rc == OK) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set(&e, ERR_IO, "stdin: %s", strerror(errno));
		if (n <= 0)
			break;
		rc = take_bytes(&s, (struct str){ bytes, (size_t)n }, &e);
	}
	/* The last line has no line end. */
	if (rc == OK && !s.skipping && s.line.n > 0)
		rc = take_line(&s, buf_str(&s.line), &e);
	mcp_call_release(&s.call);
	buf_release(&s.line);
	buf_release(&s.out);
	return rc == OK || rc == ERR_CLOSED ? OK : cli_fail(x, rc, "%s", e.text);
}
