/*
 * work_sync.c - what two clones that edit by themselves bring each other: cycles
 * closed together, items renamed, dependencies on what comes later.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "\"status\":\"open\",\"created_at\":\"2026-01-01T00:00:00Z\","     \
	"\"updated_at\":\"2026-01-01T00:00:00Z\""

/* In a folder of its own: there are two. */
static void
clone_open(struct fix *f)
{
	static int n;
	char dir[32];

	snprintf(dir, sizeof dir, "clone%d", n++);
	CHECK(mkdir(dir, 0700) == 0 && chdir(dir) == 0);
	fix_open(f);
	CHECK(chdir("..") == 0);
}

static void
line_add(struct buf *b, const char *id, const char *on, int second)
{
	buf_add_fmt(b, "%s{\"id\":\"%s\",\"title\":\"%s\"," HEAD,
	    b->p[b->n - 1] == '[' ? "" : ",", id, id);
	if (on != NULL)
		buf_add_fmt(b, ",\"dependencies\":[{\"depends_on_id\":\"%s\",\"type\":"
		    "\"blocks\",\"created_at\":\"2026-01-01T00:00:%02dZ\"}]", on,
		    second);
	buf_add_char(b, '}');
}

static int
import(struct fix *f, struct buf *b, const char *more)
{
	int rc;

	buf_add_fmt(b, "]%s}", more);
	rc = fix_json(f, "import", buf_str(b));
	buf_release(b);
	return rc;
}

static struct buf
lines_begin(void)
{
	struct buf b = BUF(4 * MB);

	buf_lit(&b, "{\"items\":[");
	return b;
}

static void
sound(struct fix *f)
{
	fix_ok(f, "recount", "{}");
	CHECK_STR(fix_get(f, "ok"), "true");
	fix_ok(f, "dep_cycles", "{}");
	CHECK_STR(buf_str(&f->data), "[]");
}

/* The export, without the commas between. */
static char *
exported(struct fix *f)
{
	fix_ok(f, "export", "{'whole':true}");
	return strndup(f->data.p, f->data.n);
}

/* The same in whichever clone it is seen. */
TEST(work_sync_drops_the_last_edge_of_a_ring)
{
	char *text[2];

	for (int i = 0; i < 2; i++) {
		struct fix f;
		struct buf b;

		clone_open(&f);
		b = lines_begin();
		line_add(&b, "t-x", i == 0 ? "t-y" : NULL, 1);
		line_add(&b, "t-y", i == 0 ? NULL : "t-x", 2);
		CHECK_RC(import(&f, &b, ""), OK);
		b = lines_begin();
		line_add(&b, "t-x", "t-y", 1);
		line_add(&b, "t-y", "t-x", 2);
		CHECK_RC(import(&f, &b, ""), ERR_CONFLICT);
		CHECK(strstr(f.e.text, "cycle (t-") != NULL);
		b = lines_begin();
		line_add(&b, "t-x", "t-y", 1);
		line_add(&b, "t-y", "t-x", 2);
		CHECK_RC(import(&f, &b, ",\"resolve_cycles\":true,\"strict\":true"),
		    ERR_CONFLICT);
		b = lines_begin();
		line_add(&b, "t-x", "t-y", 1);
		line_add(&b, "t-y", "t-x", 2);
		CHECK_RC(import(&f, &b, ",\"resolve_cycles\":true"), OK);
		CHECK_STR(fix_get(&f, "conflicts.0.id"), "t-y");
		CHECK_STR(fix_get(&f, "conflicts.0.field"), "dependencies");
		CHECK_STR(fix_get(&f, "conflicts.0.cycle"), "t-y -> t-x -> t-y");
		CHECK_STR(fix_get(&f, i == 0 ? "conflicts.0.theirs" :
		    "conflicts.0.ours"), "t-x");
		sound(&f);
		fix_ok(&f, "ready", "{}");
		CHECK_STR(str_of(fix_ids(&f)), "t-y");
		text[i] = exported(&f);
		fix_close(&f);
	}
	CHECK(strcmp(text[0], text[1]) == 0);
	free(text[0]);
	free(text[1]);
}

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

#define NODES 12
#define EDGES 30

/* Many at once, split between ours and theirs in any way. */
TEST(work_sync_drops_the_same_edges_everywhere)
{
	uint32_t seed = 11;

	for (int round = 0; round < 30; round++) {
		int from[EDGES], to[EDGES], n = 0;
		char *text[2] = { NULL, NULL };

		for (int i = 0; i < EDGES; i++) {
			bool fresh = true;

			from[n] = (int)draw(&seed, NODES);
			to[n] = (int)draw(&seed, NODES);
			for (int j = 0; j < n; j++)
				fresh &= from[j] != from[n] || to[j] != to[n];
			n += fresh && from[n] != to[n];
		}
		for (int side = 0; side < 2; side++) {
			struct fix f;

			clone_open(&f);
			for (int pass = 0; pass < 2; pass++) {
				struct buf b = lines_begin();

				for (int v = 0; v < NODES; v++) {
					int many = 0;

					buf_add_fmt(&b, "%s{\"id\":\"t-%d\",\"title\":\"x\","
					    HEAD ",\"dependencies\":[", v > 0 ? "," : "", v);
					/* First only what leads up: no cycle. */
					for (int i = 0; i < n; i++) {
						if (from[i] == v && (pass == 1 ||
						    (side == 0) == (to[i] > v)) &&
						    (pass == 1 || side == 0 ||
						    to[i] < v))
							buf_add_fmt(&b, "%s{\"depends_on_id\":"
							    "\"t-%d\",\"type\":\"%s\",\"created_at\":"
							    "\"2026-01-01T00:00:%02dZ\"}",
							    many++ > 0 ? "," : "", to[i],
							    i % 3 == 0 ? "parent-child" :
							    "blocks", i / 2);
					}
					buf_lit(&b, "]}");
				}
				CHECK_RC(import(&f, &b, pass == 0 ? "" :
				    ",\"resolve_cycles\":true"), OK);
			}
			sound(&f);
			text[side] = exported(&f);
			fix_close(&f);
		}
		CHECK(strcmp(text[0], text[1]) == 0);
		free(text[0]);
		free(text[1]);
	}
}

TEST(work_sync_what_was_waited_for_comes)
{
	struct fix f;
	struct buf b = lines_begin();

	clone_open(&f);
	line_add(&b, "t-x", "t-y", 1);
	line_add(&b, "t-z", "t-a.1", 1);
	CHECK_RC(import(&f, &b, ""), OK);
	fix_ok(&f, "ready", "{}");
	CHECK_STR(str_of(fix_ids(&f)), "t-x t-z");
	CHECK_RC(fix_call(&f, "create", "{'id':'t-y','title':'y','dependencies':"
	    "['t-x']}"), ERR_CONFLICT);
	CHECK(strstr(f.e.text, "(t-y -> t-x -> t-y)") != NULL);
	CHECK_RC(fix_call(&f, "show", "{'id':'t-y'}"), ERR_NOTFOUND);
	fix_ok(&f, "create", "{'id':'t-y','title':'y','dependencies':['t-z']}");
	fix_ok(&f, "ready", "{}");
	CHECK_STR(str_of(fix_ids(&f)), "t-z");
	sound(&f);
	/* A child's id is drawn, and waited for all the same; it may not depend
	 * on what waits for it. */
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	fix_ok(&f, "create", "{'title':'child','parent':'t-a'}");
	CHECK_STR(fix_get(&f, "id"), "t-a.1");
	fix_ok(&f, "blocked", "{}");
	CHECK(str_contains(buf_str(&f.data), S("\"blocked_by\":[\"t-a.1\"]")));
	sound(&f);
	fix_ok(&f, "close", "{'id':'t-a.1'}");
	fix_ok(&f, "close", "{'id':'t-z'}");
	fix_ok(&f, "close", "{'id':'t-y'}");
	fix_ok(&f, "ready", "{}");
	CHECK_STR(str_of(fix_ids(&f)), "t-a t-x");
	sound(&f);
	fix_close(&f);
}

/* One's export is the other's import. */
static void
give(struct fix *from, struct fix *to)
{
	char *text = exported(from);
	struct buf b = BUF(4 * MB);
	struct str s = str_of(text);

	s = str_sub(s, strlen("{\"lines\":"), s.n -
	    strlen("{\"lines\":,\"next\":null}"));
	buf_add_fmt(&b, "{\"items\":%.*s,\"resolve_cycles\":true}", FMT(s));
	CHECK_RC(fix_json(to, "import", buf_str(&b)), OK);
	buf_clear(&b);
	/* What the first gave is what it has, too. */
	buf_add_fmt(&b, "{\"items\":%.*s,\"base\":true}", FMT(s));
	CHECK_RC(fix_json(from, "import", buf_str(&b)), OK);
	buf_release(&b);
	free(text);
}

TEST(work_sync_a_renaming_travels)
{
	struct fix a, b;
	char *x, *y;

	clone_open(&a);
	clone_open(&b);
	fix_ok(&a, "create", "{'id':'t-1','title':'one','description':'see t-2'}");
	fix_ok(&a, "create", "{'id':'t-2','title':'two','dependencies':['t-1']}");
	fix_ok(&a, "create", "{'id':'t-3','title':'three'}");
	give(&a, &b);
	fix_ok(&a, "rename_prefix", "{'prefix':'u'}");
	fix_ok(&a, "update", "{'id':'u-2','notes':'by a'}");
	fix_ok(&b, "update", "{'id':'t-1','title':'uno'}");
	fix_ok(&b, "update", "{'id':'t-2','priority':0}");
	fix_ok(&b, "dep_remove", "{'from_id':'t-2','to_id':'t-1'}");
	fix_ok(&b, "create", "{'id':'t-9','title':'nine','dependencies':['t-3'],"
	    "'notes':'as t-2'}");
	give(&a, &b);
	CHECK_STR(fix_get(&b, "conflicts"), "[]");
	fix_ok(&b, "list", "{}");
	CHECK_INT(json_count(b.doc.root), 4);
	fix_ok(&b, "show", "{'id':'u-1'}");
	CHECK_STR(fix_get(&b, "title"), "uno");
	CHECK_STR(fix_get(&b, "description"), "see u-2");
	fix_ok(&b, "show", "{'id':'u-2'}");
	CHECK_STR(fix_get(&b, "priority"), "0");
	CHECK_STR(fix_get(&b, "notes"), "by a");
	CHECK_STR(fix_get(&b, "dependencies"), "");
	fix_ok(&b, "show", "{'id':'t-9'}");
	CHECK_STR(fix_get(&b, "dependencies.0.id"), "u-3");
	CHECK_STR(fix_get(&b, "notes"), "as u-2");
	fix_ok(&b, "create", "{'title':'new'}");
	CHECK(str_starts(fix_get(&b, "id"), S("u-")));
	sound(&b);
	give(&b, &a);
	x = exported(&a);
	y = exported(&b);
	CHECK(strcmp(x, y) == 0);
	free(x);
	free(y);
	sound(&a);
	/* And back: the old names are free for the items that had them. */
	fix_ok(&b, "rename_prefix", "{'prefix':'t'}");
	fix_ok(&a, "update", "{'id':'u-1','notes':'late'}");
	give(&b, &a);
	fix_ok(&a, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&a, "notes"), "late");
	CHECK_RC(fix_call(&a, "show", "{'id':'u-1'}"), ERR_NOTFOUND);
	fix_ok(&a, "list", "{}");
	CHECK_INT(json_count(a.doc.root), 5);
	sound(&a);
	sound(&b);
	fix_close(&a);
	fix_close(&b);
}

/* The other way: who renamed gets a line of who does not know. */
TEST(work_sync_an_old_id_is_the_new_item)
{
	struct fix a, b;

	clone_open(&a);
	clone_open(&b);
	fix_ok(&a, "create", "{'id':'t-1','title':'one'}");
	fix_ok(&a, "create", "{'id':'t-2','title':'two'}");
	give(&a, &b);
	fix_ok(&a, "rename_prefix", "{'prefix':'u'}");
	fix_ok(&b, "update", "{'id':'t-1','title':'uno'}");
	fix_ok(&b, "dep_add", "{'from_id':'t-2','to_id':'t-1'}");
	give(&b, &a);
	fix_ok(&a, "list", "{}");
	CHECK_INT(json_count(a.doc.root), 2);
	fix_ok(&a, "show", "{'id':'u-2'}");
	CHECK_STR(fix_get(&a, "dependencies.0.id"), "u-1");
	CHECK_STR(fix_get(&a, "dependencies.0.title"), "uno");
	sound(&a);
	fix_close(&a);
	fix_close(&b);
}

/* Goal: a line that by a renaming depends on itself loses that dependency, and
 * the rest of it is imported. */
TEST(work_sync_a_renaming_makes_no_item_wait_for_itself)
{
	struct buf b = lines_begin();
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'t-a'}");
	fix_ok(&f, "rename_prefix", "{'prefix':'u'}");
	line_add(&b, "t-a", "u-a", 1);
	CHECK_RC(import(&f, &b, ",\"resolve_cycles\":true"), OK);
	fix_ok(&f, "show", "{'id':'u-a'}");
	CHECK_STR(fix_get(&f, "title"), "u-a");
	CHECK_STR(fix_get(&f, "dependencies.0.id"), "");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "ok"), "true");
	fix_close(&f);
}
