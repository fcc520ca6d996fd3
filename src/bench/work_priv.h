/*
 * work_priv.h - the tracker's workloads, inside.
 *
 * work.c has the table of workloads and the report; work_space.c the scratch
 * folder, the daemon and processes; work_wire.c the clients of the socket.
 * work_agents.c, work_calls.c, work_sizes.c and work_exchange.c are the
 * workloads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WORK_PRIV_H
#define BENCH_WORK_PRIV_H

#include <limits.h>
#include <sys/types.h>

#include "base/hist.h"
#include "base/json.h"
#include "bench/report.h"
#include "bench/scratch.h"
#include "bench/work.h"

#define WB_DEPTH_MAX   256
#define WB_AGENTS_MAX  256
#define WB_SIZES_MAX   8
#define WB_METERS_MAX  128
#define WB_ID          72                    /* an id and its end */
#define WB_BLOCK       25                    /* samples in a turn */

/* The bound of a write, see trial_calibrate: 0.2 ms at a floor of 0.75 ms, and
 * its share of a sync. */
#define WB_WRITE_FLOORS  0.27
#define WB_WRITE_COMMITS 1.5

/* ---- daemon, processes (work_space.c) ------------------------------------------ */

/* The command line that drives a workspace: argv[0], and the word behind it
 * ("work"; NULL: none). */
struct tool {
	const char *path, *word;
};

struct space {
	struct scratch *scratch;
	struct tool tool;
	char dir[WB_PATH];                   /* of the workspace */
	char sock[WB_PATH];
	pid_t daemon;                        /* 0: none */
};

/* Makes a workspace in a new folder.  daemon: and starts and awaits its daemon. */
int  space_new(struct space *p, struct scratch *s, struct tool tool, bool daemon,
    struct err *e);
/* Stops the daemon, if there is one, as a service manager would.  Returns rc, or
 * if that is OK, ERR_TIMEOUT: it had to be killed. */
int  space_close(struct space *p, int rc, struct err *e);
/* A whole file of the workspace's folder. */
int  space_file_read(const struct space *p, const char *name, struct buf *out, struct err *e);
int  space_file_write(const struct space *p, const char *name, struct str text,
    struct err *e);

#define RUN_ARGS_MAX 24
struct process {
	struct space *space;                 /* its folder and tool */
	const char *const *args;             /* NULL-ended, after the tool */
	const char *last;                    /* one more, as "--no-daemon"; or NULL */
	struct buf *out;                     /* stdout, then stderr; NULL: not read */
	/* out */
	nsec took;                           /* from the spawn to its end */
	int code;                            /* 128 and more: a signal */
};

/* ERR_IO: could not be started. */
int process_run(struct process *r, struct err *e);

/* ---- clients of the socket (work_wire.c) ------------------------------------- */

struct asked {
	nsec at;
	int tag;                             /* the workload's own */
};

struct agent {
	int fd;                              /* -1: none */
	size_t index;
	char actor[24];
	struct buf out, in;
	size_t sent, seen;                   /* of out sent, of in read */
	uint64_t asks, answers;
	struct asked ring[WB_DEPTH_MAX];
	nsec read_at;                        /* the last bytes */
	bool spent, armed;
};

struct answer {
	struct str line;                     /* valid until the next read */
	bool success;
	nsec at, took;
	int tag;
};

struct ask {
	const char *operation;
	struct buf *args;                    /* the object's inside; empty: none */
	msec deadline;                       /* 0: the daemon's own */
	int tag;
};

int  agent_open(struct agent *a, const struct space *p, size_t index, struct err *e);
void agent_close(struct agent *a);
/* One request and its answer.  watch: polls a while for the answer before it
 * sleeps, as the command line's client does.  ERR_CLOSED, ERR_TIMEOUT,
 * ERR_INVALID (not the protocol). */
int  agent_ask(struct agent *a, const struct ask *q, bool watch, struct answer *r,
    struct err *e);
/* The same, and the answer must be a success; d (may be NULL) is its document. */
int  agent_call(struct agent *a, const char *operation, struct json_doc *d,
    struct err *e, const char *args_format, ...)
    __attribute__((format(printf, 5, 6)));
/* The message and code of a failure. */
void answer_words(const struct answer *r, struct err *e);
struct str answer_id(jnode data);            /* of an item; STR_NONE */

/* Many agents at once, in one thread, each with up to depth requests open. */
struct crowd {
	const struct space *space;
	size_t n, depth;
	/* The agent's next request; false: it has no more. */
	bool (*next)(void *ctx, const struct agent *a, struct ask *q);
	int (*answer)(void *ctx, const struct agent *a, const struct answer *r,
	    struct err *e);              /* not OK ends all */
	void *ctx;
	/* out */
	nsec began, ended, cpu;
	double daemon_cpu_s;
	uint64_t asked, answered;
};

/* ERR_CLOSED: a connection was closed.  ERR_TIMEOUT: no answer for a minute. */
int crowd_run(struct crowd *c, struct err *e);

/* ---- a run of the benchmark (work.c) ------------------------------------------- */

enum { MODE_DAEMON = 1, MODE_DIRECT = 2 };

struct meter {
	struct hist times;
	uint64_t errors;
	char label[48];
};

struct trial {
	const struct bench_work_options *o;
	unsigned mode;
	int64_t iterations, warmup;
	size_t sizes[WB_SIZES_MAX], sizes_n;
	struct scratch scratch;
	struct tool tool;
	char cohort[WB_PATH];
	struct report report;
	struct meter *meter[WB_METERS_MAX];
	size_t meters_n;
	struct err sample;                   /* the first error */
	const char *workload;                /* the one that runs */
	struct meter *floor, *commit;        /* its units; NULL: not measured yet */
	nsec shown;
};

struct meter *trial_meter(struct trial *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void trial_value(struct trial *t, double value, int digits, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void trial_check(struct trial *t, bool passed, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Samples the units of bounds: the time of an empty process (`cohort --version`,
 * a floor) and of a commit, `times` each.  Called in turn with the measurements,
 * because both depend on the machine's load. */
int  trial_calibrate(struct trial *t, size_t times, struct err *e);
double trial_limit(const struct trial *t, double floors, double commits);    /* ms */
/* p50 at most the limit. */
void trial_p50(struct trial *t, const struct meter *m, double floors, double commits);
/* Adds an answer's time, if it counts, or its error. */
void trial_answer(struct trial *t, struct meter *m, const struct answer *r, bool counts);
/* The same of a process. */
int  trial_process(struct trial *t, struct meter *m, struct space *p,
    const char *const *args, const char *last, bool counts, struct err *e);
/* Shows progress; cheap. */
void trial_progress(struct trial *t, double fraction, const char *what);
double meter_p50(const struct meter *m);     /* ms */

/* The lists of the command line. */
int work_only_parse(struct str text, bool *on, size_t n, struct err *e);
int work_sizes_parse(struct str text, size_t *sizes, size_t max, size_t *n,
    struct err *e);

struct work_row {
	const char *id, *what;
	unsigned needs;                      /* modes of which it needs one */
	int (*run)(struct trial *t, struct err *e);
};
extern const struct work_row work_rows[];
extern const size_t work_rows_n;

/* ---- the workloads ----------------------------------------------------------------- */

#define WORKLOAD_MAP(X)                                                       \
	X(s1) X(s3) X(s5)                                                      \
	X(b1) X(b2) X(b3) X(b4) X(b5) X(b6) X(b7) X(b8) X(b9) X(bd)
#define X(name) int workload_##name(struct trial *t, struct err *e);
WORKLOAD_MAP(X)
#undef X

#endif
