/*
 * store_fix.h - what the store's tests share: a store with a reader, commands
 * that wait for their answer, and CONTRACT, a test that runs on all drivers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_STORE_FIX_H
#define UNIT_STORE_FIX_H

#include <pthread.h>
#include <semaphore.h>

#include "harness/test.h"
#include "store/assistant.h"
#include "store/items.h"
#include "store/store_priv.h"

struct fix {
	struct store *st;
	struct store_reader *r;
	struct arena a;
	struct store_options options;
	struct shard *shard;                 /* turned by fix_wait */
	size_t back;                         /* commands that came back */
	struct store_cmd *order[4096];       /* in this order */
	struct err e;
	bool broken;                         /* the test took the file or changed it
	                                        against the rules: not checked */
	char url[512];                       /* of "postgres" */
};

void fix_open(struct fix *f, const char *driver);    /* "sqlite": file "db" */
void fix_open_with(struct fix *f, const char *driver, struct vfs_faults *x);
/* An empty store in memory whose slow reads end after ms. */
void fix_open_hasty(struct fix *f, int64_t ms);
void fix_close(struct fix *f);               /* check_consistent, too */
void fix_reopen(struct fix *f);

/* A store of an earlier version; the statements that make one of version 3, of 6. */
struct db_format fix_format(int version);
extern const char store_v3[], store_v6[];
/* Takes one of the newest version back to 10. */
#define STORE_BACK_TO_10 "DROP TABLE identity; ALTER TABLE item_total DROP COLUMN bytes; "     \
	"DROP INDEX thread_node; ALTER TABLE thread DROP COLUMN node;"     \
	"DROP TABLE node; DROP TABLE run_wanted; DROP INDEX letter_new; DROP INDEX mailer_node;"     \
	"DROP INDEX letter_receiver;"                                                                \
	"ALTER TABLE letter DROP COLUMN node; ALTER TABLE letter DROP COLUMN come;"                  \
	"ALTER TABLE mailer DROP COLUMN node;"

int  fix_offer(struct fix *f, void *cmd, enum store_op op, owner_t owner, bool force);
void fix_submit(struct fix *f, void *cmd, enum store_op op, owner_t owner);
void fix_wait(struct fix *f, size_t back);           /* until so many are back */
int  fix_do(struct fix *f, void *cmd, enum store_op op, owner_t owner);

/* Shorthands: ids from small numbers, the usual records. */
struct uuid id_of(unsigned kind, unsigned n);
struct store_thread_create thread_new(unsigned n);
struct store_run_create run_new(unsigned thread, unsigned run);
struct store_assistant_create assistant_new(unsigned n);
/* A checkpoint of the root: the first `keep` messages stay, then come these. */
struct step {
	struct uuid id;
	int step;
	enum checkpoint_source source;
	struct str next;                     /* node; empty: none */
	struct str snapshot;
	uint32_t keep;
	const struct str *messages;
	size_t messages_n;
	msec created;
};
struct step step_new(unsigned n, int step, uint32_t keep,
    const struct str *messages, size_t messages_n);
struct store_changes changes_of(struct fix *f, const struct step *steps, size_t n);
struct store_run_save save_of(struct fix *f, const struct store_run *run,
    const struct step *steps, size_t n);
enum { ID_ASSISTANT, ID_THREAD, ID_RUN, ID_CHECKPOINT };

/* Thread n and a RUNNING run n on it, for owner. */
struct store_run start_run(struct fix *f, owner_t owner, unsigned thread,
    unsigned run);
int finish_run(struct fix *f, owner_t owner, const struct store_run *run,
    const struct step *steps, size_t n);
/* On a connection of their own. */
int64_t count_rows(struct fix *f, const char *table);
void change_file(struct fix *f, const char *sql);

/* The invariants of docs/storage.md. */
void check_consistent(struct fix *f);

/* Holds the writer in the commit of c, which must write, so that what is
 * submitted meanwhile is one batch.  Unlocking `lock` lets it go.  c is not
 * among those that came back; the gate lives as long as the store. */
struct gate {
	pthread_mutex_t lock;
	sem_t reached;
	bool passed;
};
void gate_shut(struct fix *f, struct gate *g, struct store_cmd *c);

/* Of the program that tests PostgreSQL: only these tests, on a server. */
#ifdef STORE_ON_POSTGRES
#define CONTRACT(id)                                                        \
	static void contract_##id(struct fix *f);                           \
	REGISTERED(id##_postgres)                                           \
	{                                                                   \
		struct fix f;                                               \
		fix_open(&f, "postgres");                                   \
		contract_##id(&f);                                          \
		fix_close(&f);                                              \
	}                                                                   \
	static void contract_##id(struct fix *f)
#define REGISTERED(id)                                                      \
	static void test_##id(void);                                        \
	static struct test entry_##id = { #id, __FILE__, test_##id, NULL }; \
	__attribute__((constructor)) static void register_##id(void)        \
	{                                                                   \
		test_register(&entry_##id);                                 \
	}                                                                   \
	static void test_##id(void)
#define CONTRACT_OF_SERVERS(id) CONTRACT(id)
/* What needs SQLite's hooks. */
#define CONTRACT_OF_FILES(id) __attribute__((unused)) static void only_elsewhere_##id(struct fix *f)
#undef TEST
#define TEST(id) __attribute__((unused)) static void only_elsewhere_##id(void)
#else
#define CONTRACT(id)                                                        \
	static void contract_##id(struct fix *f);                           \
	TEST(id##_sqlite)                                                   \
	{                                                                   \
		struct fix f;                                               \
		fix_open(&f, "sqlite");                                     \
		contract_##id(&f);                                          \
		fix_close(&f);                                              \
	}                                                                   \
	TEST(id##_memory)                                                   \
	{                                                                   \
		struct fix f;                                               \
		fix_open(&f, "memory");                                     \
		contract_##id(&f);                                          \
		fix_close(&f);                                              \
	}                                                                   \
	static void contract_##id(struct fix *f)
#define CONTRACT_OF_FILES(id) CONTRACT(id)
#endif

#endif
