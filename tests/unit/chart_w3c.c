/*
 * chart_w3c.c - the W3C SCXML tests and the SCION pairs, where they are at
 * hand: SCXML_W3C names the folder with index.tsv, SCXML_SCION the `test`
 * folder of the npm package @scion-scxml/test-framework.  Without them these
 * tests say so and pass; tests/conformance/run-w3c runs the same documents
 * through the command, tests/conformance/run-scion this file: SCION_REPORT
 * names the file for a line a pair.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "chart/chart.h"
#include "chart/sim.h"

static bool
folder(const char *name, struct str *out)
{
	const char *value = getenv(name);

	*out = str_of(value);
	if (value == NULL || value[0] == '\0')
		printf("skipped: %s is not set\n", name);
	return out->n > 0;
}

static void
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		test_fail(__FILE__, __LINE__, "%s cannot be read", path);
	for (size_t n = 1; n > 0; ) {
		char *room = buf_room(out, 4096);

		CHECK(room != NULL);
		n = fread(room, 1, 4096, f);
		buf_added(out, n);
	}
	fclose(f);
}

/* ---- W3C ----------------------------------------------------------------- */

/* Empty when the document passes, else how it ended. */
static void
run_document(struct str path, struct buf *said)
{
	const struct sim_options o = { 0 };
	struct err e = { 0 };

	buf_clear(said);
	if (sim_run(path, &o, said, &e) != OK)
		buf_add(said, str_of(e.text));
	else if (str_eq(buf_str(said), S("pass")))
		buf_clear(said);
}

static void
run_id(struct str dir, struct str id, unsigned *passed, struct buf *bad)
{
	static const char *const forms[] = { "ecma/test%.*s.scxml", "ecma/test%.*sa.scxml",
		"ecma/test%.*sb.scxml", "ecma/test%.*sc.scxml", "null/test%.*s.scxml" };

	for (size_t i = 0; i < COUNT(forms); i++) {
		struct buf path = BUF(4096), said = BUF(4096);

		buf_add_fmt(&path, "%.*s/", FMT(dir));
		buf_add_fmt(&path, forms[i], FMT(id));
		if (access(path.p, R_OK) == 0) {
			run_document(buf_str(&path), &said);
			*passed += said.n == 0;
			if (said.n > 0)
				buf_add_fmt(bad, "   %.*s: %.*s\n", FMT(id), FMT(buf_str(&said)));
		}
		buf_release(&path);
		buf_release(&said);
	}
}

/* Goal: all 161 mandatory documents end in `pass`; each is named if not. */
TEST(w3c_mandatory)
{
	struct buf index = BUF(1 * MB), bad = BUF(64 * KB), path = BUF(4096);
	struct str dir, rest, line;
	unsigned passed = 0;

	if (!folder("SCXML_W3C", &dir))
		return;
	buf_add_fmt(&path, "%.*s/index.tsv", FMT(dir));
	read_file(path.p, &index);
	rest = buf_str(&index);
	while (str_next(&rest, '\n', &line)) {
		struct str id, field[6];

		for (size_t i = 0; i < COUNT(field); i++)
			if (!str_next(&line, '\t', &field[i]))
				field[i] = STR_NONE;
		id = field[0];
		if (str_eq(field[4], S("mandatory")) && str_eq(field[5], S("auto")))
			run_id(dir, id, &passed, &bad);
	}
	if (bad.n > 0)
		test_fail(__FILE__, __LINE__, "\n%s", bad.p);
	CHECK_INT(passed, 161);
	buf_release(&index);
	buf_release(&bad);
	buf_release(&path);
}

/* Goal: 301 is refused while it is loaded. */
TEST(w3c_script_that_cannot_be_read_is_refused)
{
	const struct sim_options o = { 0 };
	struct buf path = BUF(4096), said = BUF(64);
	struct err e;
	struct str dir;

	if (!folder("SCXML_W3C", &dir))
		return;
	buf_add_fmt(&path, "%.*s/ecma/test301.scxml", FMT(dir));
	CHECK_RC(sim_run(buf_str(&path), &o, &said, &e), ERR_DENIED);
	buf_release(&path);
}

/* ---- SCION --------------------------------------------------------------- */

/* A host for one session: events to itself, at once or later. */
struct host {
	struct session *s;
	struct due {
		int64_t at;
		uint64_t order;
		struct val name, data;
		char sendid[40];
	} due[64];
	size_t n;
	uint64_t order;
	int64_t now;
};

static void
on_effect(void *ctx, const struct effect *f)
{
	struct host *h = ctx;

	if (f->kind == EFFECT_SEND && h->n < COUNT(h->due)) {
		struct due *d = &h->due[h->n++];

		*d = (struct due){ h->now + f->delay_ms, h->order++, val_string(f->name),
			val_ref(f->data), "" };
		snprintf(d->sendid, sizeof d->sendid, "%.*s", FMT(f->sendid));
	}
	for (size_t i = 0; f->kind == EFFECT_CANCEL && i < h->n; i++)
		if (str_eq(str_of(h->due[i].sendid), f->sendid))
			h->due[i].at = NEVER;
}

static void
give(struct host *h, struct str name, struct val data)
{
	struct effect_sink out = { .effect = on_effect, .ctx = h };
	struct chart_event ev = { .name = name, .data = data };

	(void)session_event(h->s, &ev, &out);
}

/* Lets time pass up to `until`, delivering what falls due. */
static void
pass_time(struct host *h, int64_t until)
{
	for (;;) {
		size_t first = h->n;

		for (size_t i = 0; i < h->n; i++)
			if (h->due[i].at <= until && (first == h->n ||
			    h->due[i].at < h->due[first].at ||
			    (h->due[i].at == h->due[first].at &&
			    h->due[i].order < h->due[first].order)))
				first = i;
		if (first == h->n)
			break;
		struct due d = h->due[first];

		h->due[first] = h->due[--h->n];
		h->now = d.at > h->now ? d.at : h->now;
		give(h, val_str(d.name), d.data);
		val_drop(d.name);
		val_drop(d.data);
	}
	h->now = until;
}

/* Does the list name exactly the active atomic states? */
static bool
is_at(const struct host *h, const struct chart *c, jnode list)
{
	unsigned at[256];
	size_t n = session_configuration(h->s, at, COUNT(at));

	if (session_over(h->s))
		return json_count(list) == 1 &&
		    str_eq(json_str(json_at(list, 0)), session_final(h->s));
	if (n != json_count(list))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < n; k++)
			found = found || str_eq(json_str(json_at(list, k)), chart_state_id(c, at[i]));
		if (!found)
			return false;
	}
	return true;
}

static bool
run_pair(const struct chart *c, jnode script)
{
	struct host h = { .s = session_new(c, S("s"), VAL_UNDEF, STR_NONE) };
	struct effect_sink out = { .effect = on_effect, .ctx = &h };
	struct json_iter it = json_each(json_get(script, S("events")));
	bool ok;

	(void)session_start(h.s, &out);
	pass_time(&h, 0);
	ok = is_at(&h, c, json_get(script, S("initialConfiguration")));
	while (ok && json_next(&it)) {
		jnode event = json_get(it.value, S("event"));
		struct val data = VAL_UNDEF;
		struct err e;

		pass_time(&h, h.now + json_int(json_get(it.value, S("after"))));
		if (json_get(event, S("data")) != NULL)
			(void)json_to_val(json_get(event, S("data")), &data, &e);
		give(&h, json_str(json_get(event, S("name"))), data);
		val_drop(data);
		pass_time(&h, h.now);
		ok = is_at(&h, c, json_get(it.value, S("nextConfiguration")));
	}
	for (size_t i = 0; i < h.n; i++) {
		val_drop(h.due[i].name);
		val_drop(h.due[i].data);
	}
	session_free(h.s);
	return ok;
}

static int
read_beside(void *ctx, struct str name, struct buf *out, struct err *e)
{
	struct buf path = BUF(4096);

	(void)e;
	buf_add_fmt(&path, "%s/%.*s", (const char *)ctx, FMT(name));
	read_file(path.p, out);
	buf_release(&path);
	return OK;
}

static void
report(bool ok, const char *folder_name, const char *name)
{
	const char *path = getenv("SCION_REPORT");
	FILE *f = path != NULL && path[0] != '\0' ? fopen(path, "a") : NULL;

	if (f == NULL)
		return;
	fprintf(f, "%s\t%s/%.*s\n", ok ? "ok" : "not ok", folder_name,
	    (int)strlen(name) - 6, name);
	fclose(f);
}

static void
run_file(const char *dir, const char *name, unsigned *passed, struct buf *bad)
{
	struct buf text = BUF(1 * MB), json = BUF(1 * MB), path = BUF(4096);
	const struct chart_files files = { .read = read_beside, .ctx = (void *)(uintptr_t)dir };
	struct json_doc doc;
	struct chart *c;
	struct err e = { 0 };
	bool ok = false;

	buf_add_fmt(&path, "%s/%s", dir, name);
	read_file(path.p, &text);
	buf_cut(&path, path.n - 5);
	buf_lit(&path, "json");
	read_file(path.p, &json);
	CHECK_RC(json_parse(&doc, buf_str(&json), &e), OK);
	if (chart_from_scxml(&c, buf_str(&text), &files, &e) == OK) {
		ok = run_pair(c, doc.root);
		chart_free(c);
	}
	*passed += ok;
	report(ok, strrchr(dir, '/') + 1, name);
	if (!ok)
		buf_add_fmt(bad, "%s/%s: %s\n", strrchr(dir, '/') + 1, name, e.text);
	json_release(&doc);
	buf_release(&text);
	buf_release(&json);
	buf_release(&path);
}

static void
run_folder(const char *dir, unsigned *passed, unsigned *n, struct buf *bad)
{
	DIR *d = opendir(dir);

	for (struct dirent *f = d != NULL ? readdir(d) : NULL; f != NULL; f = readdir(d)) {
		if (!str_ends(str_of(f->d_name), S(".scxml")))
			continue;
		run_file(dir, f->d_name, passed, bad);
		++*n;
	}
	if (d != NULL)
		closedir(d);
}

/* Goal: the pairs of a second suite agree, but for those that want statements
 * of JavaScript and two that contradict the Recommendation's LCCA. */
TEST(scion_pairs)
{
	struct buf bad = BUF(64 * KB);
	unsigned passed = 0, n = 0;
	struct str dir;
	DIR *d;

	if (!folder("SCXML_SCION", &dir))
		return;
	d = opendir(dir.p);
	CHECK(d != NULL);
	for (struct dirent *f = readdir(d); f != NULL; f = readdir(d)) {
		struct buf path = BUF(4096);

		buf_add_fmt(&path, "%.*s/%s", FMT(dir), f->d_name);
		if (f->d_name[0] != '.' && strcmp(f->d_name, "w3c-ecma") != 0)
			run_folder(path.p, &passed, &n, &bad);
		buf_release(&path);
	}
	closedir(d);
	printf("%u of %u\n%s", passed, n, bad.p);
	if (n != 127 || passed < 121)
		test_fail(__FILE__, __LINE__, "%u of %u:\n%s", passed, n, bad.p);
	buf_release(&bad);
}
