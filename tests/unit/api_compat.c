/*
 * api_compat.c - the table of compatibility has every route of the official clients,
 * and every field that a route takes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdio.h>

#include "api/absent.h"
#include "api/api.h"
#include "api/api_priv.h"

/* The row of "METHOD path"; an empty text when there is none. */
static struct str
row_of(const struct buf *table, const char *method, const char *path)
{
	struct str rest = buf_str(table), line;
	char begin[200];

	snprintf(begin, sizeof begin, "| `%s %s` | ", method, path);
	while (str_next(&rest, '\n', &line))
		if (str_starts(line, str_of(begin)))
			return line;
	return STR_NONE;
}

/* What the SDKs 1.9.31, 1.15.0 and 2.0.0 ask for (docs/sdk.md has it by method). */
TEST(compat_has_every_route_of_the_sdks)
{
	static const struct { const char *method, *path; } asked[] = {
		{ "POST", "/assistants" }, { "POST", "/assistants/search" },
		{ "POST", "/assistants/count" }, { "GET", "/assistants/{assistant_id}" },
		{ "PATCH", "/assistants/{assistant_id}" },
		{ "DELETE", "/assistants/{assistant_id}" },
		{ "GET", "/assistants/{assistant_id}/graph" },
		{ "GET", "/assistants/{assistant_id}/schemas" },
		{ "GET", "/assistants/{assistant_id}/subgraphs" },
		{ "GET", "/assistants/{assistant_id}/subgraphs/{namespace}" },
		{ "POST", "/assistants/{assistant_id}/versions" },
		{ "POST", "/assistants/{assistant_id}/latest" },
		{ "POST", "/threads" }, { "POST", "/threads/search" },
		{ "POST", "/threads/count" }, { "POST", "/threads/prune" },
		{ "GET", "/threads/{thread_id}" }, { "PATCH", "/threads/{thread_id}" },
		{ "DELETE", "/threads/{thread_id}" }, { "POST", "/threads/{thread_id}/copy" },
		{ "GET", "/threads/{thread_id}/state" },
		{ "POST", "/threads/{thread_id}/state" },
		{ "PATCH", "/threads/{thread_id}/state" },
		{ "GET", "/threads/{thread_id}/state/{checkpoint_id}" },
		{ "POST", "/threads/{thread_id}/state/checkpoint" },
		{ "POST", "/threads/{thread_id}/history" },
		{ "GET", "/threads/{thread_id}/stream" },
		{ "POST", "/threads/{thread_id}/commands" },
		{ "POST", "/threads/{thread_id}/stream/events" },
		{ "POST", "/threads/{thread_id}/runs" }, { "GET", "/threads/{thread_id}/runs" },
		{ "POST", "/threads/{thread_id}/runs/wait" },
		{ "POST", "/threads/{thread_id}/runs/stream" },
		{ "GET", "/threads/{thread_id}/runs/{run_id}" },
		{ "DELETE", "/threads/{thread_id}/runs/{run_id}" },
		{ "GET", "/threads/{thread_id}/runs/{run_id}/join" },
		{ "GET", "/threads/{thread_id}/runs/{run_id}/stream" },
		{ "POST", "/threads/{thread_id}/runs/{run_id}/cancel" },
		{ "POST", "/runs" }, { "POST", "/runs/wait" }, { "POST", "/runs/stream" },
		{ "POST", "/runs/batch" }, { "POST", "/runs/cancel" },
		{ "GET", "/runs/{run_id}/stream" },
		{ "POST", "/runs/crons" }, { "POST", "/threads/{thread_id}/runs/crons" },
		{ "POST", "/runs/crons/search" }, { "POST", "/runs/crons/count" },
		{ "PATCH", "/runs/crons/{cron_id}" }, { "DELETE", "/runs/crons/{cron_id}" },
		{ "PUT", "/store/items" }, { "GET", "/store/items" },
		{ "DELETE", "/store/items" }, { "POST", "/store/items/search" },
		{ "POST", "/store/namespaces" }, { "POST", "/ui/{assistant_id}" },
	};
	struct buf b = BUF(MB);
	const char *missing = "";

	api_add_compat_markdown(&b);
	for (size_t i = 0; i < COUNT(asked); i++)
		if (row_of(&b, asked[i].method, asked[i].path).n == 0)
			missing = asked[i].path;
	CHECK_STR(str_of(missing), "");
	buf_release(&b);
}

/* A row tells the whole request of its route, and refused fields by name. */
TEST(compat_names_every_field)
{
	struct buf b = BUF(MB);
	size_t rows = 0;

	api_add_compat_markdown(&b);
	for (size_t i = 0; i < routes_n; i++) {
		const struct route *r = &routes[i];
		struct str row = row_of(&b, r->method, r->path);

		if (row.n == 0)
			continue;
		rows++;
		CHECK(r->request == NULL || str_contains(row, str_of(r->request)));
		for (size_t j = 0; j < absent_fields_n; j++)
			if (absent_fields[j].places & r->places)
				CHECK(str_contains(row, str_of(absent_fields[j].name)) &&
				    str_contains(row, str_of(absent_fields[j].why)));
	}
	CHECK(rows > 50);
	buf_release(&b);
}

/* A remark that fits no row would tell nothing. */
TEST(compat_remarks_are_all_used)
{
	static const char *const words[] = { "LangSmith hosts", "nothing is sent to LangSmith",
		"nothing to go on from", "its thread is its own", "taken for `delete`",
		"React components" };
	struct buf b = BUF(MB);

	api_add_compat_markdown(&b);
	for (size_t i = 0; i < COUNT(words); i++)
		CHECK(str_contains(buf_str(&b), str_of(words[i])));
	buf_release(&b);
}
