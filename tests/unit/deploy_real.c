/*
 * deploy_real.c - the same with the compilers and host processes that there are: a guest is
 * put, answers, and is reloaded; what cannot start is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "deploy_fix.h"

#include <string.h>

/* Replies {"n":DIGIT}; `start` is run at its start. */
#define GUEST(digit, start)                                                      \
	"(module"                                                                \
	" (import \"cohort\" \"reply\" (func $reply (param i32 i32) (result i32)))" \
	" (memory (export \"memory\") 1)"                                        \
	" (data (i32.const 0) \"{\\\"n\\\":" digit "}\")"                           \
	" (func $start " start ") (start $start)"                                \
	" (func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"   \
	" (func (export \"handle_message\") (param i32 i32) (result i32)"        \
	"  (call $reply (i32.const 0) (i32.const 7))))"

static int
put_text(struct fix *f, const char *text)
{
	struct buf bytes = BUF(MB);
	struct wasm_put p = { .owner = 7, .name = S("a"),
	    .policy = { .allow = 1u << WASM_REPLY }, .done = on_put };

	CHECK_RC(wasm_text_read(f->cache, str_of(text), &bytes, &f->e), OK);
	p.bytes = buf_str(&bytes);
	answer.done = false;
	wasm_desk_put(f->desk[0], &p);
	UNTIL(f, answer.done);
	buf_release(&bytes);
	return answer.rc;
}

/* ---- an agent of one call ------------------------------------------------------------- */

static struct caller {
	struct wasm_instance *i;
	bool started, done;
	char said;
} caller;

static void
on_started(void *arg, int rc, const struct err *e)
{
	(void)arg, (void)e;
	CHECK_RC(rc, OK);
	caller.started = true;
}

static void
on_reply(void *arg, struct str json)
{
	(void)arg;
	CHECK_INT(json.n, 7);
	caller.said = json.p[5];
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	(void)arg;
	CHECK(result == 0 && cost->fuel > 0);
	caller.done = true;
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	(void)arg, (void)why, (void)cost;
	test_fail(__FILE__, __LINE__, "%.*s", FMT(text));
}

/* What the current release of desk 1 replies. */
static char
replies(struct fix *f)
{
	static const struct wasm_hooks hooks = { .started = on_started, .reply = on_reply,
	    .done = on_done, .trapped = on_trapped };
	struct wasm_instance_options o = { .owner = 7 };
	struct wasm_release *r;

	memset(&caller, 0, sizeof caller);
	CHECK_RC(wasm_desk_find(f->desk[1], 7, S("a"), &r, &f->e), OK);
	o.code = wasm_release_code(r);
	o.limits = r->policy.limits;
	o.allow = r->policy.allow;
	CHECK_RC(wasm_instance_new(&caller.i, wasm_desk_pool(f->desk[1]), &o, &hooks, NULL,
	    &f->e), OK);
	UNTIL(f, caller.started);
	CHECK_RC(wasm_instance_call(caller.i, S("x")), OK);
	UNTIL(f, caller.done);
	wasm_instance_free(caller.i);
	wasm_code_drop(o.code);
	wasm_release_drop(r);
	return caller.said;
}

/* Goal: what is put runs, a new version runs in its place, one whose start does not end is
 * refused and leaves it; after a restart nothing is compiled again. */
TEST(deploy_with_compilers)
{
	struct wasm_release *r;
	struct wasm_code *code;
	struct fix f;

	fix_open_real(&f);
	if (put_text(&f, GUEST("1", "")) != OK)
		test_fail(__FILE__, __LINE__, "%s", answer.e.text);
	CHECK(replies(&f) == '1');
	CHECK_RC(put_text(&f, GUEST("2", "")), OK);
	CHECK(replies(&f) == '2');
	CHECK_RC(put_text(&f, GUEST("3", "(loop $l (br $l))")), ERR_INVALID);
	CHECK(str_contains(str_of(answer.e.text), S("cannot be started")));
	CHECK_RC(put_text(&f, GUEST("4", "unreachable")), ERR_INVALID);
	CHECK(replies(&f) == '2');
	/* gcc's object comes by itself. */
	CHECK_RC(wasm_desk_find(f.desk[0], 7, S("a"), &r, &f.e), OK);
	for (code = wasm_release_code(r); code->compiler != WASM_GCC; code = wasm_release_code(r)) {
		wasm_code_drop(code);
		turn(&f);
	}
	wasm_code_drop(code);
	wasm_release_drop(r);
	CHECK(replies(&f) == '2');
	fix_restart(&f);
	CHECK(replies(&f) == '2');           /* at once: not ERR_BUSY */
	fix_close(&f);
}

/* Goal: a server without the program of host processes says so, and runs. */
TEST(deploy_without_a_host)
{
	struct fix f;

	fix_open_real(&f);
	f.host[0] = '\0';
	fix_restart(&f);
	CHECK_RC(put_text(&f, GUEST("1", "")), ERR_NOTFOUND);
	CHECK(str_contains(str_of(answer.e.text), S("cohort-wasm-host")));
	find(&f, 7, "a", ERR_NOTFOUND);
	fix_close(&f);
}
