/*
 * main.c - cohort-wasm-host: the process that guests run in.
 *
 *   cohort-wasm-host serve --memory=BYTES --instances=N [--idle]
 *           The server starts it so (wasm/pool.h), with an empty environment.
 *           0: HASH NUL PATH NUL of each object, then NUL, then nothing until the server is
 *              gone; 2: words for the log; 3: the rings; 4: its bell; 5: the server's bell
 *   cohort-wasm-host --exec OBJECT
 *           One object by hand (console.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "wasm/host/console.h"
#include "wasm/host/engine.h"
#include "wasm/host/lock.h"
#include "wasm/host/run.h"
#include "wasm/ring.h"

#define LIST_BYTES (4 * MB)

#if defined(__SANITIZE_ADDRESS__)
/* Leaks are looked for by another process, which cannot be. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static struct rings rings;

/* The server is gone, or its ring is invalid. */
static _Noreturn void
give_up(const char *text)
{
	if (write(2, text, strlen(text)) < 0 || write(2, "\n", 1) < 0)
		_exit(2);
	_exit(1);
}

static void
sleep_until_rung(void)
{
	if (rings_wait(&rings, 0, -1) == ERR_CLOSED)
		_exit(0);
	run_slept();
}

/* Waits for room: the server always reads. */
static void
put(void *arg, const struct wasm_frame *f, const struct str *parts, size_t n)
{
	int rc;

	(void)arg;
	while ((rc = ring_put(&rings.out, f, parts, n)) == ERR_AGAIN) {
		ring_flush(&rings.out);
		if (ring_want(&rings.out))
			sleep_until_rung();
	}
	if (rc != OK)
		give_up("the ring to the server is broken");
}

/* One text of the list, without its NUL; "" also when the list is cut off. */
static bool
text_next(struct str *list, const char **out)
{
	const char *end = memchr(list->p, '\0', list->n);

	if (end == NULL)
		return false;
	*out = list->p;
	*list = str_sub(*list, (size_t)(end - list->p) + 1, list->n);
	return **out != '\0';
}

/* A whole list ends with the NUL of an empty hash. */
static bool
list_whole(struct str list)
{
	const char *hash, *path;

	while (text_next(&list, &hash))
		if (!text_next(&list, &path))
			return false;
	return list.n == 0 && list.p != NULL;
}

static int
list_read(struct buf *list, struct err *e)
{
	while (list->n == 0 || list->p[list->n - 1] != '\0' || !list_whole(buf_str(list))) {
		char *room = buf_room(list, 4 * KB);
		ssize_t n = room == NULL ? 0 : read(0, room, 4 * KB);

		if (n == 0 || (n < 0 && errno != EINTR))
			return err_set(e, ERR_CLOSED, "the list of objects is cut off");
		buf_added(list, n > 0 ? (size_t)n : 0);
	}
	return OK;
}

/* Says what was loaded; `why` stops the process. */
static void
ready(int loaded, const char *why)
{
	struct wasm_frame f = { .type = WASM_READY_FRAME, .a = loaded, .b = WASM_PROTOCOL };
	struct str text = str_of(why);

	put(NULL, &f, &text, 1);
	ring_flush(&rings.out);
	if (text.n > 0)
		give_up(why);
}

static void
objects_load(struct str list)
{
	const char *hash, *path;
	struct err e;
	int n = 0;

	while (text_next(&list, &hash) && text_next(&list, &path)) {
		if (engine_load(hash, path, &e) != OK)
			ready(n, e.text);
		n++;
	}
	if (LOCKED_IN && lock_in(&e) != OK)
		ready(n, e.text);
	ready(n, NULL);
}

static void
loop(void)
{
	struct wasm_frame f;
	struct str body;
	struct err e;
	int rc;

	for (;;) {
		rc = ring_peek(&rings.in, &f, &body);
		if (rc == ERR_AGAIN) {
			ring_flush(&rings.out);
			if (ring_sleep(&rings.in))
				sleep_until_rung();
			continue;
		}
		if (rc != OK)
			give_up("the ring from the server is broken");
		if (f.type == WASM_QUIT_FRAME)
			_exit(0);
		if (engine_frame(&f, body, &e) != OK)
			give_up(e.text);
		ring_done(&rings.in);
		ring_flush(&rings.out);
	}
}

static int
serve(int argc, char **argv, struct err *e)
{
	struct engine_options o = { .put = put };
	struct buf list = BUF(LIST_BYTES);
	bool idle = false;
	int rc;

	for (int i = 2; i < argc; i++) {
		struct str arg = str_of(argv[i]);
		uint64_t n;

		if (str_eq(arg, S("--idle")))
			idle = true;
		else if (str_starts(arg, S("--memory=")) && str_to_u64(str_sub(arg, 9, arg.n), &n))
			o.memory_max = n;
		else if (str_starts(arg, S("--instances=")) && str_to_u64(str_sub(arg, 12, arg.n), &n) && n <= UINT32_MAX)
			o.instances_max = (uint32_t)n;
		else
			return err_set(e, ERR_INVALID, "unknown option `%s`: expected --memory=BYTES, --instances=N or --idle", argv[i]);
	}
	if (o.memory_max == 0 || o.instances_max == 0)
		return err_set(e, ERR_INVALID, "--memory and --instances are needed");
	(void)setpgid(0, 0);                 /* what a terminal sends to the server is not for us */
	rc = lock_early(idle, e);
	if (rc == OK)
		rc = rings_join(&rings, 3, 4, 5, e);
	if (rc == OK)
		rc = list_read(&list, e);
	if (rc == OK)
		rc = engine_setup(&o, e);
	if (rc != OK)
		return rc;
	objects_load(buf_str(&list));
	loop();
	return OK;
}

int
main(int argc, char **argv)
{
	struct err e;
	int rc;

	if (argc >= 2 && strcmp(argv[1], "serve") == 0)
		rc = serve(argc, argv, &e);
	else if (argc == 3 && strcmp(argv[1], "--exec") == 0)
		rc = console_run(argv[2], &e);
	else
		rc = err_set(&e, ERR_INVALID, "cohort-wasm-host --exec OBJECT: lines `invoke NAME HEX...`, `call TEXT`, ...; "
		    "the server starts it with `serve`");
	if (rc != OK)
		give_up(e.text);
	return 0;
}
