/*
 * circuit.c - targets that said "not now, in N seconds": left out until then by
 * calls that have another target.
 *
 * By lane and model, for all shards.  A ring: past its end the oldest is
 * forgotten, asked, and told again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "llm/llm_priv.h"

static struct {
	pthread_mutex_t lock;
	struct out { const struct lane *lane; uint64_t name; nsec until; } rows[LIMIT_LLM_CIRCUITS];
	size_t next;
	_Atomic nsec latest;                 /* of all `until`: nothing is out after it */
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct out *
find(const struct llm_target *t)
{
	uint64_t name = str_hash_keyed(t->name);

	for (size_t i = 0; i < LIMIT_LLM_CIRCUITS; i++)
		if (memory.rows[i].lane == t->lane && memory.rows[i].name == name)
			return &memory.rows[i];
	return NULL;
}

void
circuit_open(const struct llm_target *t, nsec until)
{
	struct out *row;

	pthread_mutex_lock(&memory.lock);
	row = find(t);
	if (row == NULL) {
		row = &memory.rows[memory.next];
		memory.next = (memory.next + 1) % LIMIT_LLM_CIRCUITS;
	}
	*row = (struct out){ t->lane, str_hash_keyed(t->name), until };
	if (until > atomic_load(&memory.latest))
		atomic_store(&memory.latest, until);
	pthread_mutex_unlock(&memory.lock);
}

bool
circuit_is_open(const struct llm_target *t, nsec now)
{
	const struct out *row;
	bool out;

	if (atomic_load(&memory.latest) <= now)
		return false;
	pthread_mutex_lock(&memory.lock);
	row = find(t);
	out = row != NULL && row->until > now;
	pthread_mutex_unlock(&memory.lock);
	return out;
}
