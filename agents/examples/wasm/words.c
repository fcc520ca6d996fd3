/*
 * words.c - a guest with a C library (wasi-libc): the words of a text, the most frequent
 * first.
 *
 *	{"content": "a b a"}, or {"content": {"text": "a b a", "top": 1}}
 *	    ->  {"content": {"words": 3, "different": 2, "top": [["a", 2], ["b", 1]]}}
 *
 * malloc, qsort, strtok and snprintf work; what needs files, a clock or the environment
 * does not link, because those imports are refused where it is deployed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort_guest.h"
#include "cohort_json.h"

#define TOP     3
#define TOP_MAX 100

struct word { const char *text; unsigned n; };

static char *message;

void *
alloc(uint32_t n)
{
	free(message);
	message = malloc(n);
	return message;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const struct word *)a)->text, ((const struct word *)b)->text);
}

static int
by_count(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n ? 1 : -1) : by_text(a, b);
}

/* Cuts text into words, which stay in it; room for the longest list there can be. */
static struct word *
split(char *text, size_t n, size_t *words_n)
{
	struct word *words = malloc((n / 2 + 1) * sizeof *words);

	*words_n = 0;
	if (words == NULL)
		return NULL;
	for (char *c = text; *c != '\0'; c++)       /* what is not ASCII stays as it is */
		if (*c > 0)
			*c = isalnum(*c) || *c == '\'' ? (char)tolower(*c) : ' ';
	for (char *w = strtok(text, " "); w != NULL; w = strtok(NULL, " "))
		words[(*words_n)++] = (struct word){ w, 1 };
	return words;
}

/* Equal ones become one; how many there are. */
static size_t
count(struct word *words, size_t n)
{
	size_t different = 0;

	qsort(words, n, sizeof *words, by_text);
	for (size_t i = 0; i < n; i++) {
		if (different > 0 && strcmp(words[different - 1].text, words[i].text) == 0)
			words[different - 1].n++;
		else
			words[different++] = words[i];
	}
	qsort(words, different, sizeof *words, by_count);
	return different;
}

static int32_t
reply(const struct word *words, size_t all, size_t different, size_t top)
{
	size_t cap = 200;
	struct json_out o = { 0 };
	int32_t rc;

	top = top < different ? top : different;
	for (size_t i = 0; i < top; i++)
		cap += strlen(words[i].text) + 20;
	o.p = malloc(cap);
	if (o.p == NULL)
		return COHORT_ETOOBIG;
	o.cap = (uint32_t)cap;
	o.n = (uint32_t)snprintf(o.p, cap, "{\"content\":{\"words\":%zu,\"different\":%zu,\"top\":[",
	    all, different);
	for (size_t i = 0; i < top; i++) {
		json_text(&o, i > 0 ? ",[" : "[");
		json_quoted(&o, words[i].text, (uint32_t)strlen(words[i].text));
		json_text(&o, ",");
		json_number(&o, words[i].n);
		json_text(&o, "]");
	}
	json_text(&o, "]}}");
	rc = cohort_reply(o.p, o.n);
	free(o.p);
	return rc;
}

static int32_t
refuse(const char *why)
{
	char room[200];
	int n = snprintf(room, sizeof room, "{\"performative\":\"refuse\",\"content\":\"%s\"}", why);

	printf("refused: %s\n", why);                 /* to the log, by wasi.c */
	return cohort_reply(room, (uint32_t)n);
}

int32_t
handle_message(const char *json, uint32_t n)
{
	struct json content = json_get(json_of(json, n), "content"), text = content;
	int64_t top = json_int(json_get(content, "top"), TOP);
	struct word *words;
	size_t all;
	int32_t rc;
	char *copy;

	if (json_is_object(content))
		text = json_get(content, "text");
	if (!json_is_string(text))
		return refuse("expected a text, or text and top");
	copy = malloc(text.n);
	if (copy == NULL)
		return refuse("too long a text");
	copy[json_string(text, copy, text.n)] = '\0';
	words = split(copy, text.n, &all);
	if (words == NULL)
		rc = refuse("too long a text");
	else
		rc = reply(words, all, count(words, all), top < 1 || top > TOP_MAX ? TOP : (size_t)top);
	free(words);
	free(copy);
	return rc;
}
