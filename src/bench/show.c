/*
 * show.c - `cohort bench report` and `history`: what saved results say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/all_priv.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "bench/doc_priv.h"
#include "bench/plot.h"
#include "bench/report.h"

#define RO(field)  offsetof(struct report_options, field)
#define HO(field)  offsetof(struct history_options, field)
#define POINTS_MAX 1024
#define FILES_MAX  4096
#define BAR        40

const struct flag bench_report_flags[] = {
	{ "markdown", NULL, FLAG_TEXT, NULL, "FILE", "Markdown (the default, on stdout)",
	    RO(markdown) },
	{ "json", NULL, FLAG_TEXT, NULL, "FILE", "one JSON document of all", RO(json) },
	{ "html", NULL, FLAG_TEXT, NULL, "FILE", "a page with plots; it loads nothing",
	    RO(html) },
	{ "junit", NULL, FLAG_TEXT, NULL, "FILE", "JUnit XML", RO(junit) },
	{ "prometheus", NULL, FLAG_TEXT, NULL, "FILE", "Prometheus' text format",
	    RO(prometheus) },
	{ NULL }
};

const struct flag bench_history_flags[] = {
	{ "results", "COHORT_BENCH_RESULTS", FLAG_TEXT, "bench-results", "DIR",
	    "where the results of suites are kept", HO(results) },
	{ "svg", NULL, FLAG_TEXT, NULL, "FILE", "draw it", HO(svg) },
	{ NULL }
};

int
bench_report(const struct str *files, size_t n, const struct report_options *o, struct err *e)
{
	bool none = o->json == NULL && o->markdown == NULL && o->html == NULL &&
	    o->junit == NULL && o->prometheus == NULL;
	const struct output out[] = { { doc_add_markdown, none ? "-" : o->markdown },
		{ doc_add_json, o->json }, { doc_add_page, o->html },
		{ doc_add_junit, o->junit }, { doc_add_prometheus, o->prometheus } };
	struct doc *d = mem_new(struct doc);
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++)
		rc = doc_read(d, files[i].p, e);
	if (rc == OK)
		rc = output_write(out, COUNT(out), d, e);
	doc_release(d);
	free(d);
	return rc;
}

/* ---- history --------------------------------------------------------------------- */

struct point {
	char date[32], commit[48], machine[96];
	double value;
};

struct history {
	struct str id, key;                  /* of the metric; id may be empty */
	struct point point[POINTS_MAX];
	size_t n;
	struct str_near near;                /* of the keys that there are */
	char near_name[64];
};

static void
note_near(struct history *h, struct str key)
{
	char name[64];
	const char *before = h->near.best;

	snprintf(name, sizeof name, "%.*s", FMT(str_cut(key, sizeof name - 1)));
	str_near_try(&h->near, name);
	if (h->near.best != before) {        /* the name is ours, and gone after this */
		memcpy(h->near_name, name, sizeof name);
		h->near.best = h->near_name;
	}
}

static void
add_point(struct history *h, const struct doc *d, size_t i)
{
	jnode result = json_get(d->element[i], S("result")), machine = doc_about(d, i, "machine");
	jnode v = json_get(result, h->key);
	struct point *p = &h->point[h->n];

	if (h->id.n > 0 && !str_eq_nocase(h->id, doc_id(d->element[i])))
		return;
	for (struct json_iter it = json_each(result); v == NULL && json_next(&it);)
		note_near(h, json_str(it.key));
	if (!json_is_number(v) || h->n == POINTS_MAX)
		return;
	snprintf(p->date, sizeof p->date, "%.*s", FMT(json_str(doc_about(d, i, "date"))));
	snprintf(p->commit, sizeof p->commit, "%.*s",
	    FMT(str_cut(json_str(doc_about(d, i, "commit")), sizeof p->commit - 1)));
	snprintf(p->machine, sizeof p->machine, "%.*s, %lld cores", FMT(str_cut(doc_str(machine,
	    "cpu"), 60)), (long long)json_int(json_get(machine, S("cores"))));
	p->value = json_number(v);
	h->n++;
}

static int
is_result(const struct dirent *d)
{
	return d->d_name[0] != '.' && str_ends(str_of(d->d_name), S(".json"));
}

/* Names a file that is not a result of ours, and leaves it out. */
static int
collect(struct history *h, const char *dir, struct err *e)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_result, alphasort);

	if (n < 0)
		return err_set(e, ERR_NOTFOUND, "%s: %s (`bench all` saves its results there)", dir,
		    strerror(errno));
	for (int i = 0; i < n; i++) {
		struct doc *d = mem_new(struct doc);
		char path[WB_PATH];

		snprintf(path, sizeof path, "%.700s/%.300s", dir, list[i]->d_name);
		if (i < FILES_MAX && doc_read(d, path, e) == OK)
			for (size_t k = 0; k < d->n; k++)
				add_point(h, d, k);
		else
			fprintf(stderr, "history: %s\n", i < FILES_MAX ? e->text : "more files");
		doc_release(d);
		free(d);
		free(list[i]);
	}
	free(list);
	return OK;
}

static int
by_date(const void *a, const void *b)
{
	return strcmp(((const struct point *)a)->date, ((const struct point *)b)->date);
}

static void
print(const struct history *h)
{
	double most = 0;

	for (size_t i = 0; i < h->n; i++)
		most = fmax(most, fabs(h->point[i].value));
	for (size_t i = 0; i < h->n; i++) {
		const struct point *p = &h->point[i];
		int full = most > 0 ? (int)(fabs(p->value) / most * BAR + 0.5) : 0;

		if (i > 0 && strcmp(p->machine, h->point[i - 1].machine) != 0)
			printf("-- another machine: %s\n", p->machine);
		printf("%-20.19s %-18.18s %14.6g ", p->date, p->commit, p->value);
		for (int k = 0; k < full; k++)
			putchar('#');
		putchar('\n');
	}
	puts("\nFigures of different runs show a trend; `cohort bench compare` judges.");
}

/* A curve for each machine. */
static int
draw(const struct history *h, const char *metric, const char *path, struct err *e)
{
	double *xy = mem_zero(2 * POINTS_MAX * sizeof *xy);
	const char **labels = mem_zero(POINTS_MAX * sizeof *labels);
	struct plot p = { .title = metric, .x_name = "results, in order of time", .y_name = "" };
	struct buf svg = BUF(4 * MB);
	int rc;

	for (size_t i = 0; i < h->n; i++) {
		struct plot_curve *c;

		xy[i] = (double)i + 1;
		xy[POINTS_MAX + i] = h->point[i].value;
		labels[i] = h->point[i].commit;
		if (p.curves_n == 0 || (p.curves_n < PLOT_CURVES &&
		    strcmp(h->point[i].machine, h->point[i - 1].machine) != 0)) {
			c = &p.curve[p.curves_n++];
			*c = (struct plot_curve){ .x = xy + i, .y = xy + POINTS_MAX + i,
				.labels = labels + i };
		}
		p.curve[p.curves_n - 1].n++;
	}
	plot_add_file(&p, &svg);
	report_make_folders(path);
	rc = file_put(path, buf_str(&svg), e);
	buf_release(&svg);
	free(xy);
	free(labels);
	return rc;
}

int
bench_history(const char *metric, const struct history_options *o, struct err *e)
{
	struct history *h = mem_new(struct history);
	ptrdiff_t dot = str_index(str_of(metric), '.');
	int rc;

	h->key = str_of(metric);
	if (dot > 0) {
		h->id = str_sub(h->key, 0, (size_t)dot);
		h->key = str_sub(h->key, (size_t)dot + 1, h->key.n);
	}
	h->near.word = h->key;
	rc = collect(h, o->results, e);
	if (rc == OK && h->n == 0)
		rc = err_near(e, ERR_NOTFOUND, h->near.best, "\"", "%s: no result has the metric "
		    "\"%s\"", o->results, metric);
	if (rc == OK) {
		qsort(h->point, h->n, sizeof h->point[0], by_date);
		print(h);
	}
	if (rc == OK && o->svg != NULL)
		rc = draw(h, metric, o->svg, e);
	free(h);
	return rc;
}
