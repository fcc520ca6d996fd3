/*
 * spec.c - copies of what an agent is asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "mail/host/office_priv.h"

/* The texts of a spec, but capabilities; NULL-ended. */
static struct str **
texts_of(struct office_spec *s, struct str *out[8])
{
	struct str *all[] = { &s->subject, &s->kind, &s->name, &s->graph_id, &s->input_json,
		&s->config_json, &s->metadata_json, NULL };

	memcpy(out, all, sizeof all);
	return out;
}

size_t
spec_bytes(const struct office_spec *s)
{
	struct office_spec copy = *s;
	struct str *texts[8];
	size_t n = s->capabilities_n * sizeof(struct str);

	for (struct str **t = texts_of(&copy, texts); *t != NULL; t++)
		n += (*t)->n;
	for (size_t i = 0; i < s->capabilities_n; i++)
		n += s->capabilities[i].n;
	return n;
}

static char *
keep(char *at, struct str *s)
{
	if (s->n > 0)
		memcpy(at, s->p, s->n);
	s->p = at;
	return at + s->n;
}

void
spec_keep(struct office_spec *s, void *room)
{
	struct str *capabilities = room;
	char *at = (char *)(capabilities + s->capabilities_n);
	struct str *texts[8];

	for (struct str **t = texts_of(s, texts); *t != NULL; t++)
		at = keep(at, *t);
	for (size_t i = 0; i < s->capabilities_n; i++) {
		capabilities[i] = s->capabilities[i];
		at = keep(at, &capabilities[i]);
	}
	s->capabilities = capabilities;
}
