/*
 * store_priv.h - the store's inside: one writer thread with its connection,
 * one thread for slow reads with its own, and a queue before each.
 *
 * Everything but the queues, `counts`, `full`, `lost` and the check connection
 * belongs to one thread: `w` and `seq` and `dead` to the writer, `slow` and
 * `quick` to the reader thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/limits.h"
#include "store/quota.h"
#include "store/commit.h"
#include "store/db.h"
#include "store/assistant.h"
#include "store/items.h"
#include "store/saver.h"
#include "store/sql_priv.h"
#include "store/store.h"
#include "store/vfs_priv.h"

/* ---- queue --------------------------------------------------------------- */

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct shard_job *head, **tail;
	struct shard_job **first_tail;       /* behind those that go first */
	_Atomic size_t firsts;               /* of them */
	size_t ops, bytes;
	size_t urgent;               /* queued commands somebody waits for */
	nsec lazy_until;             /* when the lazy ones go alone; NEVER: none */
	nsec sleeps_until;           /* the consumer's; 0: it is awake */
	bool lingers;                /* it gets lazy commands */
	bool closing;
};

void queue_init(struct queue *q);
void queue_release(struct queue *q);
/* first: ahead of all commands without it. */
int  queue_put(struct queue *q, struct store_cmd *c, bool force, bool first);
/* By the consumer: appends a command it has taken. */
void queue_put_back(struct queue *q, struct store_cmd *c);
/* Takes a command marked `first`, without waiting; NULL: there is none. */
struct store_cmd *queue_take_first(struct queue *q);
/* Waits for work, until idle_until at the latest; returns how many commands
 * it took off, in order.  *closing: nothing is left and nothing will come. */
size_t queue_take(struct queue *q, struct store_cmd **out, size_t max,
    nsec idle_until, bool *closing);
void queue_close(struct queue *q);
bool queue_empty(struct queue *q);

#define STORE_APP 0x436f6872                 /* "Cohr", the file's application id */
extern const struct db_sql store_sql;
extern const char *const store_sql_pg[SQL_COUNT];    /* pg_sql.c; NULL: translated */
/* sqlite_schema.c */
extern const struct db_format store_format;
int store_migrate(struct db *db, struct err *e);
int store_functions_add(struct db *db, struct err *e);       /* that its steps use */

/* ---- store --------------------------------------------------------------- */

enum seq {
	SEQ_OWNER, SEQ_ASSISTANT, SEQ_THREAD, SEQ_RUN, SEQ_CHECKPOINT, SEQ_LIST,
	SEQ_MAIL, SEQ_CRON, SEQ_NODE, SEQS
};

/* pg_begin.c: what a group of commands holds until its end, so that no other node reads,
 * decides and writes the same meanwhile.  A thread's lock is its row; of all else it is a
 * key.  An operation adds what it needs; all of a group are taken at its beginning, in
 * their order. */
enum lock {
	LOCK_OP,                             /* of an operation that declares none */
	LOCK_THREAD, LOCK_ASSISTANT, LOCK_ITEMS, LOCK_CRON, LOCK_AGENT, LOCK_ONCE,
	LOCK_USAGE, LOCK_WASM, LOCK_ERASE, LOCK_HISTORY, LOCK_HOOK,
	LOCK_QUOTA
};
struct lock_set;
void lock_thread(struct lock_set *l, const struct uuid *id);
void lock_thread_seq(struct lock_set *l, int64_t seq);
void lock_thread_new(struct lock_set *l, const struct uuid *id);     /* that may be made */
void lock_thread_of_run(struct lock_set *l, const struct uuid *run_id);
void lock_key(struct lock_set *l, enum lock what, struct str key);
void lock_uuid(struct lock_set *l, enum lock what, const struct uuid *id);
void lock_number(struct lock_set *l, enum lock what, int64_t n);
/* Of an operation whose rows decide by themselves, or are locked as they are found. */
void lock_nothing(const struct store_cmd *c, struct lock_set *l);

/* A file's identity. */
struct identity {
	dev_t dev;
	ino_t ino;
};

/* Held by one server at a time: the file, or the folder of "memory". */
struct medium {
	char path[DB_PATH_MAX];      /* of the database, without links */
	char dir[DB_PATH_MAX];       /* removed at the end; "" for sqlite */
	char lock[DB_PATH_MAX + 8];  /* of the file with the process's number */
	int lock_fd;
	int file_fd;                 /* of the database, locked; -1 for memory */
	struct identity file, log;
	bool has_log;                /* `log` is known */
};

int  medium_open(struct medium *m, const struct store_options *o, struct err *e);
void medium_close(struct medium *m);
/* Call it once SQLite has its files open. */
void medium_remember(struct medium *m);
/* ERR_BUSY, with words: the file was deleted or replaced.  Any thread. */
int  medium_look(const struct medium *m, struct err *e);

/* tally.c: how many threads there are of a kind, as changed by this batch. */
#define TALLY_SLOTS 1024
#define TALLY_FULL  (TALLY_SLOTS / 2)
#define TALLY_STATUS(status) ((int64_t)(status) + 1)
struct tally {
	struct tally_slot {
		bool used;
		owner_t owner;
		int64_t what;                /* TALLY_STATUS, or a facet's hash */
		int64_t change;
	} slot[TALLY_SLOTS];
	uint16_t at[TALLY_FULL];             /* the used ones */
	size_t n;
};

/* usage.c: what payers took in this batch. */
#define PAYERS_NOTED 64
struct payers {
	struct payer { struct uuid id; int64_t day, tokens; } at[PAYERS_NOTED];
	size_t n;
};

#define STORE_GUESTS    4
#define READ_SHORT_ROWS 2000                 /* a few milliseconds */
#define READ_SHORT_MS   4

struct store {
	struct medium medium;
	bool durable;
	const char *vfs;             /* NULL: the default */
	struct vfs_shim *shim;       /* NULL: no test hooks */

	struct queue writes, reads;
	pthread_t writer, reader;
	bool writer_runs, reader_runs;

	/* The writer's. */
	struct db w;
	int64_t seq[SEQS];           /* last number given; never given twice */
	bool pg;                     /* PostgreSQL: several nodes */
	struct pg_begin *begin;      /* pg_begin.c; NULL: SQLite */
	struct tokens *tokens;       /* pg_words.c; NULL: SQLite */
	unsigned histories;          /* how often letters became history: mail.c */
	bool dead;                   /* something buried is left to remove */
	bool shrinks;                /* the file may have pages to give back */
	bool scrub_due;              /* owners.c: after this batch */
	int scrub_rc;                /* of the last one */
	struct err scrub_err;
	int64_t fail_at, write_no;   /* test hook */
	struct commit commit;
	struct ship *ship;           /* ship_priv.h; NULL: no backups */
	nsec move_after;             /* the log may not be moved before */
	nsec last_look, last_full;
	struct arena scratch;        /* of one command */
	struct buf pack, map;
	struct tally tally;
	struct payers payers;

	/* pg_group.c; the writer's, too. */
	struct db marks;             /* statements on w */
	int64_t marker, batch;       /* whose row it is; the group that runs */
	struct batch *held;          /* nobody knows whether it is committed; or NULL */
	nsec held_until;

	struct db slow, quick;       /* the reader thread's */
	struct matrix *matrices;             /* the same; the last asked for first */
	msec scan_ms, slow_ms;
	int64_t once_keys;                   /* that may be kept */
	bool scan_cpu;
	struct store_ttl thread_ttl;         /* of new threads */

	struct store_seat {
		const struct store_guest *guest;
		void *w, *slow;      /* what it keeps for each of the two */
	} seats[STORE_GUESTS];
	size_t seats_n;
	struct store *guest_house;

	pthread_mutex_t check_lock;
	struct db check;

	_Atomic int64_t node;        /* node.h */
	int64_t us;                  /* the writer's: the node whose lease this group holds,
	                                whatever becomes of `node` meanwhile */
	bool fenced;                 /* the same: it is marked */

	_Atomic bool full;           /* a write found no room; until one finds it */
	_Atomic bool lost;           /* the file is not where it was */

	struct {
		_Atomic uint64_t commits, commands, failed, commit_ns;
	} counts;
};

struct store_reader {
	struct db db;
	const struct store *st;
};

/* pg_group.c: what becomes of groups when the server goes away. */
void group_marks_open(struct store *st);
void group_marks_close(struct store *st);
/* ERR_BUSY: the server is away; then it takes one look.  Logs each change of it. */
int  group_server_look(struct store *st);
bool group_server_is_away(const struct store *st);
int  group_mark(struct store *st);           /* in each group that writes */
/* As commit_group.settle; waits for the server until then. */
int  group_settle(struct store *st, nsec until);
void group_probe(struct store *st);          /* is there room again on its disk? */

/* pg_begin.c, for PostgreSQL: what a group begins with, behind BEGIN, in one round trip.
 * cmds may be NULL with n 0. */
int  group_begin(struct store *st, struct store_cmd *const *cmds, size_t n,
    const bool *left_out);
int  group_begin_open(struct store *st, struct err *e);
void group_begin_close(struct store *st);
/* Locks of what an operation has found by itself, without waiting.  ERR_AGAIN: another
 * node has it, or the thread is gone.  On SQLite: OK. */
int  store_thread_try(struct store *st, int64_t seq);
int  store_lock_try(struct store *st, enum lock what, int64_t n);
/* pg_schema.c: a step, and do nodes that do not know it have to be gone before?  by: other
 * steps than this program's, for tests. */
struct pg_step { const char *const *texts; bool breaks; };
int  pg_migrate(struct db *db, struct err *e);
int  pg_migrate_by(struct db *db, const struct pg_step *steps, size_t n, struct err *e);

/* ops.c: an operation.  Adding one: a row in STORE_OP_MAP, and a file that
 * defines store_op_NAME. */
enum op_lane {
	OP_WRITE,
	OP_READ,                             /* on the reader thread, behind others */
	OP_READ_SHORT                        /* in between; ERR_AGAIN: it is too long
	                                        for that and goes behind others */
};
struct op {
	/* A write runs in the open transaction, as a member of a group (commit.h). */
	int (*run)(struct store *st, struct store_cmd *c);
	/* What waits with it in the queue: members of type struct str, ended by 0,
	 * and what `bytes` adds.  Either may be NULL. */
	const size_t *texts;
	size_t (*bytes)(const struct store_cmd *c);
	/* A write: what it locks; NULL: LOCK_OP with its number. */
	void (*locks)(const struct store_cmd *c, struct lock_set *l);
	bool numbers;                        /* it takes some of threads, runs or states */
	enum op_lane lane;
	bool fenced;                         /* of a run: only by the node that has it */
};
/* name_locks, of what is in x. */
#define OP_LOCK(name, ...)                                                     \
	static void                                                            \
	name##_locks(const struct store_cmd *c, struct lock_set *l)            \
	{                                                                      \
		const struct store_##name *x = (const void *)c;                \
		__VA_ARGS__;                                                   \
	}
#define OP_TEXTS(...) (const size_t[]){ __VA_ARGS__, 0 }
#define OP_TEXT(name, member) _Generic(((struct store_##name *)0)->member,     \
	struct str: offsetof(struct store_##name, member))

#define X(name, low) extern const struct op store_op_##low;
STORE_OP_MAP(X)
#undef X
extern const struct op *const store_ops[STORE_OPS];
size_t store_op_bytes(const struct store_cmd *c);

/* transcripts.c: the row of a run's changes. */
int  transcript_put(struct store *st, int64_t run, const struct store_changes *x);

/* mail.c: messages between agents, as commands bring them.  us: the command's node; < 0: of -us,
 * which is gone.  mails_taken: now is the
 * time of the history. */
int  mails_put(struct store *st, owner_t owner, int64_t us, struct store_mail *mails,
    size_t n);
int  mails_taken(struct store *st, owner_t owner, const int64_t *numbers, size_t n,
    msec now);
size_t mails_bytes(const struct store_mail *mails, size_t n);
struct store_letter;
struct store_mailer;
int  letters_read(struct query *q, struct arena *a, struct store_letter **out, size_t *n);
/* mailers.c */
int  mailer_rows_read(struct query *q, struct arena *a, struct store_mailer **out, size_t *n);
/* mailers.c: an agent and its letters become this node's; a thread goes. */
int  mailer_follow(struct store *st, owner_t owner, const struct uuid *id, int64_t us);
int  mailer_drop(struct store *st, owner_t owner, const struct uuid *thread);

/* wasm.c: an agent goes. */
int  wasm_image_drop(struct store *st, owner_t owner, const struct uuid *agent);

/* guests.c: after the store's own tables are as they should be. */
int  guests_open(struct store *st, const struct store_guest *const *guests,
    struct err *e);
void guests_close(struct store *st);

/* As store_open, with faults for tests (may be NULL). */
int store_open_with(struct store **out, const struct store_options *o,
    struct vfs_faults *faults, struct err *e);

void *writer_main(void *st);                 /* writer.c */
void *slow_main(void *st);                 /* slow.c */
/* The connection for a slow read: `quick` while it counts as short. */
struct db *slow_db(struct store *st, const struct store_cmd *c);

int64_t store_seq_next(struct store *st, enum seq which);
/* The first of n numbers, one after the other. */
int64_t store_seq_take(struct store *st, enum seq which, int64_t n);

/* ---- shared by the operations -------------------------------------------- */

/* Rows of the *_SELECT texts of sql_priv.h. */
extern const struct db_record store_assistant_record, store_thread_record,
    store_run_record, store_checkpoint_record, store_cron_record;
/* Shallow merge of two JSON objects (either may be empty); the result is in
 * the arena, or one of the two.  ERR_TOOBIG past LIMIT_METADATA_BYTES. */
int records_merge(struct arena *a, struct str first, struct str second,
    struct str *out, struct err *e);
/* The uuid in `assistant_id` of a metadata object; zero: none. */
struct uuid records_assistant(struct str metadata);

/* filter.c: what a store item's value must be like. */
#define QUERY_WORDS   32
#define FILTER_PROBES 64
struct filter {
	struct json_doc doc;
	struct buf text;                     /* what the value's text must contain */
	size_t probe[FILTER_PROBES], probe_bytes[FILTER_PROBES];
	size_t probes_n;
	const struct db *db;
	struct json_pace pace;
};
/* The text may be empty.  db is the one whose rows are tested.  ERR_INVALID,
 * ERR_SYNTAX, ERR_TOOBIG.  Release also after errors. */
int  filter_init(struct filter *f, struct str filter_json, struct db *db,
    struct err *e);
void filter_release(struct filter *f);
bool filter_is_open(const struct filter *f);         /* everything passes */
/* db->pace_rc when it takes too long. */
int  filter_test(struct filter *f, struct str value, bool *yes);

/* search.c: a search of items under way. */
struct finder {
	struct db *db;
	struct store_item_search *x;
	struct filter filter;
	int64_t skip, left;
	uint64_t tested;
};
/* Keeps the item with this number, if it is there still and passes.  ERR_TIMEOUT. */
int  finder_try(struct finder *f, int64_t seq, double score);
/* The seqs of all items under the prefix, newest first; ERR_AGAIN: more than max. */
struct places {
	int64_t *at;
	size_t n, cap;
};
int  places_load(struct finder *f, struct places *p, size_t max);

/* An item's number among those of all owners: of its row in the indexes of words and
 * vectors.  An owner's lie together. */
#define ITEM_SEQS   ((int64_t)1 << 40)
#define ITEM_OWNERS ((int64_t)1 << 22)
#define ITEM_KEY(owner, seq) ((owner) * ITEM_SEQS + (seq))
#define ITEM_SEQ(key)        ((key) % ITEM_SEQS)

/* words.c: the text that an item's words are taken from; replaces what is in b.
 * ERR_IO: the value is no JSON. */
int  words_text(struct buf *b, struct str value_json, struct str paths_json);
/* Puts it into the index, or takes it out. */
int  words_change(struct store *st, enum sql text, owner_t owner, int64_t seq,
    struct str value_json, struct str paths_json);
/* The best of them first. */
int  words_find(struct finder *f);
/* sqlite_rank.c: word_rank(word), of this connection; an integer, so many for 1: */
#define WORD_RANK_ONE 1e6
int  words_rank_add(struct db *db, struct err *e);
/* FTS5's query for these words, appended; nothing: there are none in it. */
int  words_query(struct buf *b, struct str query, struct err *e);
/* The same in pieces, QUERY_WORDS at most: where each stands in `text`, and whether it is
 * the beginning of a word. */
struct words_phrase {
	size_t from, to;
	bool begins;
};
int  words_phrases(struct str query, struct buf *text, size_t *n, struct words_phrase *out,
    struct err *e);
/* How well a text of `length` words matches that has the phrases so many times each. */
double words_rank(const double *times, int length);
struct near;
int  words_try(struct finder *f, struct near *at, size_t n);

/* pg_words.c: the words of texts as FTS5 makes them, by one thread.  ERR_IO. */
struct tokens;
int  tokens_open(struct tokens **out, struct err *e);
void tokens_close(struct tokens *t);                 /* accepts NULL */
/* The text becomes its words, a blank between them. */
int  tokens_replace(struct tokens *t, struct buf *text);
int  pg_words_find(struct finder *f);

/* vectors.c: the nearest first. */
int  vectors_find(struct finder *f, struct store *st);
void vectors_close(struct store *st);

/* namespaces.c: labels joined by '.', with NUL between them; replaces what is in b. */
void namespace_path(struct buf *b, struct str ns);

/* once.c: before and after a command that brings a key. */
int once_check(struct store *st, struct store_cmd *c);
int once_keep(struct store *st, struct store_cmd *c);

/* wanted.c: the metadata that objects must contain.  Bytes parsed in a step of
 * a pace: */
#define PACE_PARSED 4
struct wanted {
	const struct db *db;
	struct json_doc doc, guard;          /* guard.h; or empty */
	struct json_pace pace;
};
/* metadata and guard (guard.h) may be empty; db is the one whose rows are
 * tested.  ERR_INVALID, ERR_SYNTAX.  Release also after errors. */
int  wanted_init(struct wanted *w, struct str metadata, struct str guard,
    struct db *db, struct err *e);
void wanted_release(struct wanted *w);
bool wanted_is_open(const struct wanted *w);         /* everything passes */
bool wanted_is_guarded(const struct wanted *w);
/* db->pace_rc when it takes too long. */
int  wanted_test(struct wanted *w, struct str stored, bool *yes);

/* wanted.c: values that states must contain, by channel. */
struct wanted_values {
	struct wanted want;
	struct db *db;
	struct str *names;                   /* of the channels, escaped as in JSON */
	size_t names_n;
	struct arena arena;                  /* of one candidate; the names' own */
	struct arena own;
	struct buf text;
};
/* As wanted_init; values may be empty.  ERR_TOOBIG. */
int  wanted_values_init(struct wanted_values *w, struct str values, struct db *db,
    struct err *e);
void wanted_values_release(struct wanted_values *w);
/* Of the state of a checkpoint of the root; 0: there is none. */
int  wanted_values_test(struct wanted_values *w, int64_t thread, int64_t checkpoint,
    bool *yes);

/* facets.c: the leaves of a thread's metadata. */
#define FACETS_MAX  64
#define FACET_LARGE 0                        /* has more of them than that */
struct facets {
	int64_t hash[FACETS_MAX];            /* each once, in order */
	size_t n;
	bool large;                          /* these are not all */
	bool coarse;                         /* an empty object or array is in it, or
	                                        a number past 2^53 */
};
struct thread_key {
	owner_t owner;
	msec created;
	int64_t seq;
};
void facets_of(jnode metadata, struct facets *f);
/* Of what a search and its guard ask for: candidates for both are among theirs. */
void facets_wanted(const struct wanted *w, struct facets *f);
/* Takes the rows of a thread from one metadata object to another; either may
 * be empty.  Fails only by the medium. */
int  facets_change(struct store *st, const struct thread_key *k,
    struct str before, struct str after);
/* The rows of a thread without them, for migrations. */
int  facets_insert(struct db *db, const struct thread_key *k, struct str json);

/* quota.c: may c make so many more?  With what this batch made.  For those whose number is at
 * hand, quota_allows; neither asks where there is no quota. */
int  quota_check(struct store *st, struct store_cmd *c, enum quota_kind q, int64_t more);
void lock_quota(struct lock_set *l, const struct store_cmd *c);      /* for quota_check */
int  quota_allows(struct store_cmd *c, enum quota_kind q, int64_t used, int64_t more);

/* Of the batch under way; they fail only by the medium. */
int  tally_add(struct store *st, owner_t owner, int64_t what, int64_t change);
int  tally_move(struct store *st, owner_t owner, enum thread_status from,
    enum thread_status to);
int64_t tally_pending(const struct store *st, owner_t owner, int64_t what);
int  tally_write(struct store *st);          /* and what payers took */
int  payers_write(struct store *st);
void tally_clear(struct tally *t);

/* lookup.c: a match with its sort key. */
struct hit {
	int64_t seq, number;
	struct uuid id;
	struct str text;
};
void hits_sort(struct hit *hits, size_t n, enum store_sort sort, bool ascending);
size_t hits_start(int64_t offset, size_t n);

/* Objects of a kind, of which an owner has few. */
struct lookup_kind {
	enum sql all;                        /* rows of an owner; the first column: seq */
	int metadata;                        /* column of `all` */
	enum sql at;                         /* the object, by seq and owner */
	const struct db_record *record;
	size_t size;
	/* Is a row of `all` wanted, whatever its metadata?  And what it is sorted by. */
	bool (*matches)(const struct store_cmd *c, const struct query *q);
	void (*key)(const struct query *q, enum store_sort sort, struct arena *a,
	    struct hit *h);
};
/* A page of those that match and contain the metadata, and how many do in all. */
int  lookup_run(struct store *st, struct store_cmd *c, const struct lookup_kind *k,
    struct str metadata_json, const struct store_page *page, void **found,
    size_t *found_n, int64_t *total);

/* lists.c: entries are packed rows; see docs/storage.md. */
#define LIST_BITS  20
#define LIST_DEPTH 8                         /* of bases; past it entries are copied */
_Static_assert(LIMIT_MESSAGES < 1 << LIST_BITS, "a list fits its key");
int lists_read(struct db *db, int64_t list, uint32_t from, uint32_t to,
    struct arena *a, struct str **out);
int lists_read_into(struct db *db, int64_t list, uint32_t from, uint32_t to,
    struct arena *a, struct str *out);
int lists_append(struct store *st, int64_t list, uint32_t first,
    const struct str *entries, size_t n);
/* A new list with the first `keep` entries of another; its number. */
int lists_begin(struct store *st, int64_t thread, int64_t base, uint32_t keep,
    int64_t *out);
int lists_begin_empty(struct store *st, int64_t thread, int64_t *out);
/* The list it is based on; 0: none. */
int lists_base(struct db *db, int64_t list, int64_t *base, uint32_t *base_len);
int lists_end(struct db *db, int64_t list, uint32_t *len);
/* Entries from len on go, unless another list needs them. */
int lists_cut(struct db *db, int64_t list, uint32_t len);
/* Its thread needs it no more.  ERR_AGAIN: the budget was not enough. */
int lists_drop(struct db *db, int64_t list, int64_t *budget);

/* channels.c: the channels of a checkpoint, name -> version, as the store keeps
 * them in checkpoint.channels. */
struct channel_ref {
	struct str name;                     /* escaped as in JSON */
	struct str version;                  /* as text; of what was parsed */
	bool is_list;
	int64_t value;                       /* version of a value */
	int64_t list;
	uint32_t len;
	bool stale;                          /* the list may have gone on since */
	int64_t changed;                     /* by this checkpoint last */
	/* While a command is run: entries at the end that are not written yet. */
	struct str *held;
	size_t held_n, held_cap;
};
struct channel_map {
	struct channel_ref *at;
	size_t n, cap;
};
/* ERR_IO: the text is not what the store wrote. */
int  channels_parse(struct channel_map *out, struct str text, struct arena *a);
void channels_add_json(struct buf *b, const struct channel_map *c);
struct channel_ref *channels_ref(const struct channel_map *c, struct str name);
/* Of tasks_json: their ids and names (escaped).  ERR_INVALID. */
struct task_ref {
	struct uuid id;
	struct str name;
};
int  tasks_parse(struct str json, struct arena *a, struct task_ref **out, size_t *n);

/* changes.c: a command that writes checkpoints.  All in st->scratch. */
struct place {                               /* what the next checkpoint follows */
	struct str ns;
	int64_t seq;                         /* 0: nothing */
	struct uuid id;
	struct str text;                     /* its channels, */
	bool parsed;                         /* until they are */
	bool older;                          /* not the newest of its namespace */
	struct channel_map channels;
};
struct changing {
	struct store *st;
	struct store_cmd *c;
	owner_t owner;
	int64_t run, thread;                 /* run 0: none */
	struct place *places;                /* places[0] is the root's */
	size_t n, cap;
	msec updated;                        /* a root checkpoint's time; 0: none */
	/* of a run, as it was read: */
	struct uuid payer;                   /* of its tokens; zero: nobody */
	bool has_hook;                       /* a webhook is to be called when it ends */
	bool temporary;                      /* the thread goes when no run is left */
	int64_t node;                        /* whose the thread is */
};
int  changing_open(struct changing *w, struct store *st, struct store_cmd *c,
    owner_t owner, int64_t thread);
/* ERR_NOTFOUND: no such run for this owner.  ERR_CONFLICT: it has ended.
 * ERR_CANCELLED: another node has it. */
int  changing_open_run(struct changing *w, struct store *st, struct store_cmd *c,
    int64_t run, int64_t thread);
int  changes_write(struct changing *w, struct store_changes *x);
/* May a checkpoint of this namespace be saved?  ERR_INVALID: it is too long. */
int  checkpoint_ns_check(struct err *e, struct str ns);
size_t changes_bytes(const struct store_changes *x);
struct place *place_root(struct changing *w);
/* After checkpoints have gone: the lists of a namespace's head end where it says,
 * or it gets others.  *now: its channels. */
int  place_rebase(struct changing *w, struct str ns, const struct channel_map **now);
int  record_put(struct store *st, int64_t run, int64_t thread,
    const struct store_record *x);
/* The task of tool calls that name a step only. */
struct uuid task_of_step(int64_t run, int step);

/* usage.c: of a run; thread 0, run 0: of one without a thread.  payer zero: nobody. */
int  usage_add(struct store *st, owner_t owner, int64_t thread, int64_t run,
    const struct uuid *payer, const struct store_usage *list, size_t n);
/* A thread goes: its rows become the owner's. */
int  usage_fold(struct store *st, owner_t owner, int64_t thread);
/* A run goes: they become its thread's. */
int  usage_fold_run(struct store *st, int64_t thread, int64_t run);

/* waits.c: the row of a parked run.  wait_of: ERR_NOTFOUND. */
int wait_put(struct store *st, int64_t thread, int64_t run, msec due);
int wait_drop(struct store *st, int64_t thread);
int wait_of(struct store *st, int64_t thread, int64_t *run);
/* A question's time limit moves.  ERR_CONFLICT: it does not wait any more. */
int ask_moves(struct store *st, struct store_cmd *c, int64_t thread,
    const struct uuid *id, msec due);

/* crons.c: the cron goes on to the next firing.  ERR_CONFLICT: this one is not its
 * next, or it has changed.  error_json: why no run came of it; or empty. */
int cron_fired(struct store *st, struct store_cmd *c, const struct store_firing *f,
    struct str error_json);

/* runs.c: the thread's oldest pending run becomes RUNNING.  ERR_NOTFOUND: none is
 * pending.  ERR_AGAIN: those that are, are held. */
int run_take_next(struct store *st, struct store_cmd *c, int64_t thread, msec now,
    struct store_run *out);

/* interrupts.c */
int  interrupts_answer(struct store *st, struct store_cmd *c, int64_t thread, int64_t run,
    const struct store_answer *answers, size_t n);
/* ERR_CONFLICT unless each waits. */
int  interrupts_wait(struct store *st, struct store_cmd *c, int64_t thread,
    const struct uuid *ids, size_t n);
int  interrupts_check(struct store *st, int64_t thread, struct err *e);
int  interrupts_void_moved(struct store *st, int64_t thread);
int  interrupts_any(struct store *st, int64_t thread, bool *any);
/* Rows of an INTERRUPT_COLUMNS query, to its end, behind the n that *out has (with
 * room for *cap). */
int  interrupts_load(struct query *q, struct arena *a, size_t max,
    struct store_interrupt **out, size_t *n, size_t *cap);

/* threads.c: enters a new thread into the search index; removes one. */
int threads_index(struct store *st, owner_t owner, const struct store_thread *t);
int threads_unindex(struct store *st, owner_t owner, const struct store_thread *t);
/* A deleted thread leaves the index; its usage becomes its owner's.  Then its rows are
 * deleted, as many as the budget allows; the rest when the writer is idle. */
int threads_drop(struct store *st, owner_t owner, const struct store_thread *t,
    int64_t *budget);
#define ERASE_NOW 300                        /* rows in a command's transaction */
/* Deletes an assistant, or the first of an owner's items, with all that belongs to it.
 * ERR_NOTFOUND: there is no item. */
int assistants_drop(struct store *st, int64_t seq, owner_t owner);
int items_drop_any(struct store *st, owner_t owner);
/* prune.c: only its newest state stays, and what it needs.  The thread is idle.  ERR_AGAIN:
 * the budget of checkpoints was not enough. */
int prune_thread(struct store *st, const struct store_thread *t, int64_t *budget);
#define PRUNE_ROWS    250                    /* checkpoints in a transaction */
#define PRUNE_THREADS 64
/* ERR_CONFLICT while one of its runs is pending or running. */
int threads_check_idle(struct store *st, struct store_cmd *c, int64_t seq);
/* The same of one that the command did not name, once no other node can change it.
 * ERR_AGAIN: one is at it. */
int threads_hold_idle(struct store *st, struct store_cmd *c, int64_t seq);
/* After its last run has ended: deletes it if it is temporary, and no message for a
 * webhook has to be sent first. */
int threads_settled(struct store *st, owner_t owner, int64_t seq);

/* read.c: rows of (seq, thread, run, status), to the end of q. */
/* events.c */
int events_write(struct store *st, owner_t owner, const struct store_events_append *x);
int run_names_read(struct query *q, struct arena *a, struct store_run_name **out, size_t *n);
struct db *reader_db(struct store_reader *r);

/* state.c: a row of a CHECKPOINT_SELECT. */
int  checkpoint_read(struct db *db, const struct query *q, int64_t thread,
    struct arena *a, struct store_checkpoint *out);
/* Fills in what `what` asks for (STATE_CHANNELS, STATE_TASKS) of states whose
 * checkpoints are read; of one namespace, if there are several. */
int  states_fill(struct db *db, int64_t thread, struct store_state *const *states,
    size_t n, unsigned what, struct arena *a);
/* The one after a state, as checkpoint only; *out NULL: there is none. */
int  state_child(struct db *db, owner_t owner, int64_t thread,
    const struct store_state *s, struct arena *a, struct store_state **out);
/* The entries of a channel; n 0: it is none, or no list. */
const struct store_channel *state_channel(const struct store_state *s, struct str name);

/* steps.c: after checkpoints of the root. */
int  thread_advance(struct changing *w);

/* erase.c: *budget is a number of rows; ERR_AGAIN: it was not enough. */
int erase_thread(struct db *db, int64_t thread, int64_t *budget, struct arena *a);
int erase_assistant(struct db *db, int64_t assistant, int64_t *budget);
/* The lists that a thread's first checkpoints name. */
struct thread_lists {
	int64_t *at;                         /* each once */
	size_t n, cap;
	int64_t checkpoints;                 /* looked at, */
	struct str last_ns;                  /* to this one */
	struct uuid last;
};
int thread_lists_read(struct db *db, int64_t thread, int64_t max,
    struct thread_lists *l, struct arena *a);
void owner_scrub(struct store *st);          /* the writer, between batches */
int erase_buried(struct store *st, int64_t budget);  /* at last clears st->dead */
int erase_find(struct store *st);                    /* sets st->dead */

/* rollback.c: a run and the checkpoints at the ends that it left.  The thread's
 * root then stands at *newest. */
int run_rollback(struct store *st, struct store_cmd *c, owner_t owner, int64_t run,
    int64_t thread, int64_t *newest);
int run_erase(struct store *st, int64_t run, int64_t thread);

/* saver.c: rows of savers.  run 0: none. */
int saver_put(struct store *st, int64_t thread, int64_t run,
    const struct store_saver_put *p, struct err *e);
int saver_write(struct store *st, int64_t thread, int64_t run,
    const struct store_saver_write *x, struct err *e);
size_t saver_bytes(const struct store_saver_put *puts, size_t puts_n,
    const struct store_saver_write *writes, size_t writes_n);
/* saver_life.c: what stands beside a checkpoint goes. */
int saver_drop(struct db *db, int64_t thread, struct str ns, const struct uuid *checkpoint);
/* What a run that is taken back has left at checkpoints that are not its own, when its own
 * at the ends are gone and the others still name it. */
int run_traces_drop(struct db *db, int64_t thread, int64_t run);
/* What stands beside no checkpoint goes.  ERR_AGAIN: the budget of rows was not enough. */
int saver_prune(struct store *st, int64_t thread, int64_t *budget);
/* What stands beside checkpoints that were copied; until: the root's newest of them, or
 * zero. */
int saver_copy(struct db *db, int64_t from, int64_t to, const struct uuid *until);

/* hooks.c: every end of a run that keeps its row: writes the row, and the message for
 * its webhook.  has_hook false: the caller has read that there is none.  Either text may
 * be empty. */
int run_ends(struct store *st, int64_t run, bool has_hook, enum run_status status,
    struct str error, struct str cancel_reason, msec now);
#define HOOK_ROLLBACK (-1)                   /* hook.status */
/* It is about to be erased.  Nothing if it has ended. */
int hook_of_rollback(struct store *st, int64_t run);
/* recover.c: a run that was cut off with its server becomes pending, with one more
 * attempt.  counts: or it ends, if these are too many, and *given_up is one more. */
struct cut_off {
	int64_t run, thread, attempt;
	owner_t owner;
};
int run_recover(struct store *st, struct store_cmd *c, const struct cut_off *cut,
    msec now, bool counts, size_t *given_up);
struct cut_off cut_off_read(const struct query *q);

/* node.c, all of the writer: 0: the thread is ours, or nobody's. */
int64_t node_foreign(const struct store *st, int64_t thread_node);
int  node_of_thread(struct store *st, int64_t thread, int64_t *node);
/* What is written into a thread's row: it is ours; nobody's, and was ours last. */
int64_t node_ours(const struct store *st);
int  node_set(struct store *st, int64_t thread, int64_t node);
/* Its node is to cancel this run. */
int  run_want_cancel(struct store *st, int64_t run, bool rollback, struct str why);
/* A task that begins anew: what it left goes. */
int task_drop(struct store *st, int64_t thread, const struct uuid *task);

#endif
