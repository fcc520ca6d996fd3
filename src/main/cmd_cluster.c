/*
 * cmd_cluster.c - `cohort cluster status`: which nodes there are, by what a server says,
 * or by what stands in PostgreSQL when none answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "main/cmd.h"
#include "main/config.h"
#include "main/mail_remote.h"
#include "store/db.h"

const struct flag cmd_cluster_flags[] = {
	{ "json", .help = "the whole answer as JSON" },
	{ "store", .kind = FLAG_TEXT, .value = "URL", .help = "read the nodes from this "
	    "PostgreSQL, and ask no server" },
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- showing ----------------------------------------------------------------- */

static double
number(struct val of, const char *name)
{
	struct val v = val_get(of, str_of(name));

	return val_is_number(v) ? val_number(v) : 0;
}

static bool
is_true(struct val of, const char *name)
{
	return val_equal(val_get(of, str_of(name)), val_bool(true));
}

static void
print_node(struct val one)
{
	struct str version = entry_text(val_get(one, S("info")), "version");
	double left = number(one, "lease_left_ms");
	char lease[32] = "-";

	if (str_eq(entry_text(one, "state"), S("live")))
		snprintf(lease, sizeof lease, "%.1f s", left / 1000);
	printf("%c %6.0f  %-20.*s  %-5.*s  %8s  %7.0f  %-8.*s  %-22.*s  %.*s\n",
	    is_true(one, "here") ? '*' : ' ', number(one, "node"),
	    FMT(entry_text(one, "name")), FMT(entry_text(one, "state")), lease,
	    number(one, "threads"), FMT(version.n > 0 ? version : S("-")),
	    FMT(entry_text(one, "address")), FMT(entry_text(one, "started_at")));
}

static void
print_bus(struct val bus)
{
	if (bus.kind != VAL_OBJECT)
		printf("nats: not used: nodes look for changes in PostgreSQL once a second\n");
	else if (is_true(bus, "up"))
		printf("nats: up at %.*s, lag %.1f ms, %.0f sent, %.0f received, %.0f dropped, "
		    "%.0f bytes wait\n", FMT(entry_text(bus, "server")),
		    number(bus, "lag_ms"), number(bus, "sent"), number(bus, "received"),
		    number(bus, "dropped"), number(bus, "waiting_bytes"));
	else
		printf("nats: down (%.*s)\n", FMT(entry_text(bus, "reason")));
}

static void
print_status(struct val all)
{
	struct val nodes = val_get(all, S("nodes"));

	if (is_true(all, "alone")) {
		printf("one node alone, store %.*s\n", FMT(entry_text(all, "store")));
		return;
	}
	printf("    NODE  NAME                  STATE     LEASE  THREADS  VERSION   ADDRESS  "
	    "               SINCE\n");
	for (size_t i = 0; i < val_count(nodes); i++)
		print_node(val_at(nodes, i));
	if (val_get(all, S("bus")).kind != VAL_UNDEFINED)
		print_bus(val_get(all, S("bus")));
}

/* ---- without a server ------------------------------------------------------------ */

static const char *const node_text[] = {
	"SELECT n.seq, n.name, n.address, n.info, n.state, n.started,"
	" n.expires - CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint),"
	" (SELECT count(*) FROM thread t WHERE t.node = n.seq AND t.node > 0)"
	" FROM node n ORDER BY n.seq",
};
static const struct db_sql node_sql = { node_text, COUNT(node_text), node_text };

static void
add_row(struct buf *b, const struct query *q)
{
	static const char *const words[] = { "live", "left", "lost" };
	char started[CLOCK_ISO_SIZE];
	int64_t state = query_i64(q, 4), left = query_i64(q, 6);
	struct str name = query_borrow(q, 1), address = query_borrow(q, 2);
	struct str info = query_borrow(q, 3);

	clock_write_iso(started, query_i64(q, 5));
	json_add_fmt(b, "{'node':%lld,'name':%.*s,'address':%.*s,'state':%s,'started_at':%.*s,"
	    "'lease_left_ms':%lld,'threads':%lld", (long long)query_i64(q, 0), FMT(name),
	    FMT(address), state == 0 && left < 0 ? "late" : state >= 0 && state < 3 ?
	    words[state] : "?", CLOCK_ISO_SIZE, started, (long long)left, (long long)query_i64(q, 7));
	buf_lit(b, ",\"info\":");
	buf_add(b, info.n > 0 ? info : S("{}"));
	buf_add_char(b, '}');
}

static int
read_store(struct str url, struct val *all, struct err *e)
{
	char *path = mem_cstr(url);
	struct buf b = BUF(4 * MB);
	struct db db = { 0 };
	int rc = db_open(&db, path, NULL, &node_sql, DB_READ, e);

	buf_lit(&b, "{\"alone\":false,\"store\":\"postgres\",\"nodes\":[");
	if (rc == OK) {
		struct query q = query_of(&db, 0);
		size_t n = 0;

		for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
			if (n++ > 0)
				buf_add_char(&b, ',');
			add_row(&b, &q);
		}
		query_end(&q);
		if (rc != ERR_NOTFOUND)
			db_failed(&db, e);
		rc = rc == ERR_NOTFOUND ? OK : rc;
		db_close(&db);
	}
	buf_lit(&b, "]}");
	if (rc == OK)
		rc = val_json(all, buf_str(&b), e);
	buf_release(&b);
	free(path);
	return rc;
}

static int
status(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct str url = line_text(l, "store");
	struct val all = VAL_UNDEF;
	int rc = url.n > 0 ? config_check_store(url, "--store", e) : OK;

	if (rc == OK && (str_eq(url, S("sqlite")) || str_eq(url, S("memory"))))
		rc = err_set(e, ERR_INVALID, "--store: expected a PostgreSQL; a node with "
		    "--store %.*s is alone", FMT(url));
	if (rc == OK && url.n > 0)
		rc = read_store(url, &all, e);
	else if (rc == OK)
		rc = remote_value(r, "GET", S("/cluster"), STR_NONE, &all, e);
	if (rc == OK)
		(line_has(l, "json") ? print_value : print_status)(all);
	val_drop(all);
	return rc;
}

int
cmd_cluster_status(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, status);
}
