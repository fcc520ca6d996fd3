/*
 * scenario_priv.h - between the files of `bench scenario` and `bench flow`.
 *
 *   scenario_read.c     a file becomes a plan; scenario_steps.c: its steps;
 *                       scenario_keys.h: what both are made of
 *   scenario_text.c     texts with ${variables}, paths into answers
 *   scenario_step.c     kinds of steps: requests, and the checks of their answers
 *   scenario_user.c     users: one step after the other, times, counts
 *   scenario_pass.c     a plan driven once against one server
 *   scenario_report.c   what came of all passes; two servers side by side
 *   scenario.c          the command: options, servers, passes in turns
 *   flow_run.c          the flow: a plan made of options
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SCENARIO_PRIV_H
#define BENCH_SCENARIO_PRIV_H

#include "agent/tree.h"
#include "base/limits.h"
#include "base/list.h"
#include "bench/flow_priv.h"
#include "bench/points.h"
#include "bench/scenario.h"

#define STATUSES_MAX 16                      /* different ones that are counted apart */

/* ---- a plan --------------------------------------------------------------- */

/* Variables by slot: these, then those of the file, then captures. */
enum { SLOT_USER, SLOT_ITERATION, SLOT_RANDOM, SLOT_UUID, SLOT_RUN, SLOT_GRAPH,
    SLOTS_BUILT_IN };
extern const char *const slot_names[SLOTS_BUILT_IN];

struct piece {
	struct str text;
	int slot;                            /* -1: text */
	bool value;                          /* the whole of a JSON string: becomes the
	                                        variable's value, of its kind */
};

struct text {
	const struct piece *pieces;
	size_t n;
};

/* How a variable stands in what it is put into. */
enum text_place { TEXT_PLAIN, TEXT_PATH, TEXT_JSON, TEXT_HEADER };

struct capture {
	int slot;
	struct str path;                     /* "values.messages.-1.content" */
};

struct phase {
	struct str name;
	bool open;                           /* a rate of sequences a second; else users */
	double from, to;                     /* linear over its time */
	msec ms, pause;                      /* closed: between two sequences of a user */
	bool measured;
};

struct user;
struct step;

struct step_kind {
	const char *key;                     /* in a file */
	/* Fills path, body and headers of the user; NULL: nothing is sent. */
	void (*build)(struct user *u, const struct step *st);
	/* ERR_INVALID with a message if an answer of a good status is wrong. */
	int (*check)(struct user *u, const struct step *st, struct str answer,
	    struct err *e);
};
extern const struct step_kind step_request, step_stream, step_message, step_flow, step_pause;

struct step {
	const struct step_kind *kind;
	struct str name;                     /* its metric; k6's tag "operation" */
	size_t row;                          /* of plan.rows: steps of one name share it */
	const struct flow_op *op;            /* step_flow */
	struct str method;
	struct text path, body, headers;
	bool body_json;
	int statuses[8];                     /* right ones; none: 200 to 299 */
	size_t statuses_n;
	struct str contains;                 /* in the answer; empty: nothing */
	const char *first_mark;              /* what the first event of a stream has in it */
	int64_t events_max;                  /* of a stream: then the client leaves; 0: its end */
	const struct capture *captures;
	size_t captures_n;
	msec pause;
};

struct sequence {
	struct str name;
	int64_t weight;
	const struct step *steps;
	size_t n;
};

struct variable { struct str name, text; bool json; };       /* json: not a string */

struct scenario_row {
	struct str name;
	const char *first_name;              /* of the metric of first events; NULL: none */
};

struct scenario {
	struct arena arena;
	struct str name;
	const struct phase *phases;
	struct sequence *sequences;
	struct variable *variables;          /* by slot: of the run, constants, captures */
	struct scenario_row *rows;
	size_t phases_n, sequences_n, constants_n, variables_n, rows_n;
	int64_t users_max;                   /* at once; open loop */
	int64_t iterations;                  /* sequences in all; 0: the phases say */
	msec timeout;                        /* of a request */
	bool fresh;                          /* a connection for each request */
	const char *thresholds;              /* "a<1,b<2", or NULL */
	const char *took_point, *ok_point;   /* of a sequence, in k6's points */
};

/* Empty, with the variables that every plan has. */
void scenario_init(struct scenario *p);
/* A plan from a file's text.  Release also after errors. */
int  scenario_read(struct scenario *p, struct str text, struct str file, struct err *e);
void scenario_release(struct scenario *p);
void scenario_add_keys(struct buf *out, bool markdown);      /* what a file may say */
/* Of all phases, or of those that are measured. */
msec scenario_length(const struct scenario *p, bool measured);
/* The row of a name, made when there is none; -1: there are too many. */
ptrdiff_t scenario_row(struct scenario *p, struct str name, bool stream);
int64_t scenario_users(const struct scenario *p);    /* at once */

/* ---- texts (scenario_text.c) ---------------------------------------------- */

/* Cuts a text at its ${name}; find: the slot of a name, -1 for none, which is an error.
 * json: it is JSON, and the variables stand in its strings. */
int  text_parse(struct text *out, struct str s, bool json, struct arena *a,
    int (*find)(void *ctx, struct str name), void *ctx, struct err *e);
/* json: text is JSON, and not a string; set: it has a value. */
struct slot_value { struct buf text; bool json, set; };
void text_add(const struct text *t, enum text_place place, const struct slot_value *values,
    struct buf *out);
bool text_ready(const struct text *t, const struct slot_value *values);      /* all set */
/* The value at "a.b.0.c"; a negative number counts from the end of an array.  NULL. */
jnode path_find(jnode root, struct str path);
/* Events of a stream: their number, and the data of the last one. */
struct stream_seen {
	uint64_t events, whole;              /* whole: those with their blank line */
	struct str last_data;
	bool error;
};
void stream_look(struct str answer, struct stream_seen *out);

/* ---- what was counted ----------------------------------------------------- */

struct row {
	struct hist times, first;            /* first: to a stream's first event */
	uint64_t errors, events;
	nsec streaming;                      /* from first events to ends */
};

struct tally {
	struct row *rows;                    /* by step.row */
	struct hist *sequences;              /* of each sequence, those that went well */
	struct hist flows, requests, lag;    /* lag: of sending, open loop */
	uint64_t ok, failed, warm, started, request_errors;
	uint64_t missed;                     /* arrivals that found all users busy */
	uint64_t unended;                    /* sequences, at the end of the time of grace */
	uint64_t resent;                     /* requests, on another connection */
	uint64_t model_calls, deltas, bytes_in, bytes_out;
	struct { int status; uint64_t n; } statuses[STATUSES_MAX];   /* of errors */
	size_t statuses_n;
	struct err sample;                   /* the first error */
	nsec wall;
	double server_cpu_s;
};

struct tally *tally_new(const struct scenario *p);
void tally_free(struct tally *t);            /* NULL is fine */
void tally_merge(struct tally *into, const struct tally *from, const struct scenario *p);

/* ---- a pass --------------------------------------------------------------- */

struct side {
	const char *name;                    /* of the server, for people */
	char own_name[32];                   /* as it says itself */
	struct load_options options;         /* its url, token and pid */
	struct load load;
	struct tally *pass[PEER_ROUNDS], *all;
	size_t passes_n;
};

struct records;
struct soak;

struct pass {
	const struct scenario *plan;
	const struct flow_setup *setup;
	struct side *side;
	struct load *load;                   /* the side's */
	struct tally *tally;
	struct user *users;
	size_t users_n;
	struct list idle;                    /* users that wait for an arrival */
	int64_t *credit;                     /* of each sequence: see next_sequence */

	const struct phase *phase;           /* now; NULL: it is over */
	nsec phase_began, measure_began;
	uint64_t arrivals;                   /* of this phase so far */
	int64_t target, busy;                /* users */
	bool measuring, stopping;
	struct pass_alarm *alarm;
	bool own;                            /* the first server, not a peer */
	struct records *records;
	struct points *points;               /* NULL: none, likewise */
	struct soak *soak;
};

/* Drives it to its end; what it counted is in the tally. */
int  pass_run(struct pass *p, struct err *e);
bool pass_wants(const struct pass *p, int64_t user);         /* another sequence? */
void pass_ended(struct pass *p, struct user *u);             /* a sequence has */
const struct sequence *pass_next_sequence(struct pass *p);
/* When arrival k of a phase is due, from its beginning, in ns; -1: not in it. */
nsec phase_arrival(const struct phase *ph, uint64_t k);
int64_t phase_users(const struct phase *ph, msec t);

/* ---- users ---------------------------------------------------------------- */

struct user {
	struct pass *pass;
	int64_t index, round;
	struct lean_conn *conn;
	struct list idle;
	const struct sequence *sequence;
	size_t at;                           /* its step */
	bool busy, measured, ok;
	bool sent;                           /* any request of this sequence */
	bool enough;                         /* events_max have come: it leaves now */
	int status;                          /* of this answer, once its head has come */
	nsec due, began, first;              /* due: of this request */
	uint64_t events;                     /* of this stream */
	uint64_t bytes_in, bytes_out;        /* of this sequence */
	struct flow_life life;
	struct buf path, body, headers, answer;
	struct slot_value *slots;
	struct wheel_timer pause;
};

void user_init(struct user *u, struct pass *p, int64_t index);
void user_release(struct user *u);
void user_start(struct user *u, nsec due);

/* ---- a line a second (scenario_records.c) --------------------------------- */

/* path NULL: no file.  Free it also after errors. */
int  records_open(struct records **out, const char *path, struct err *e);
void records_begin(struct records *r, const char *server, bool curve);
void records_sent(struct records *r);
void records_received(struct records *r, bool ok, nsec took);
void records_end(struct records *r);
int  records_close(struct records *r, struct err *e);        /* the file; NULL is fine */
void records_report(const struct records *r, struct report *out);    /* its curves */
void records_free(struct records *r);        /* NULL is fine */

/* ---- memory and decay over a long run (scenario_soak.c) ------------------- */

struct soak *soak_new(msec length);
void soak_free(struct soak *s);              /* NULL is fine */
void soak_begin(struct soak *s, struct pass *p);
void soak_sequence(struct soak *s, bool ok, nsec took);
void soak_end(struct soak *s);
void soak_report(const struct soak *s, struct report *r);

/* ---- what came of it (scenario_report.c) ---------------------------------- */

/* Times by step, first events, counts of requests and errors. */
void report_requests(struct report *r, const struct scenario *p, const struct tally *t);
/* Did it send on time, and find a user for every arrival? */
void report_arrivals(struct report *r, const struct scenario *p, const struct tally *t);
/* Both columns on the terminal, and their ratios with what resampling says of them. */
void report_peer(struct report *r, const struct scenario *p, const struct side *a,
    const struct side *b);

/* ---- all of it (scenario.c) ----------------------------------------------- */

struct drive {
	const struct scenario *plan;
	const struct flow_setup *setup, *peer_setup;
	struct load_options *load;           /* url, pid and mock_url are set for own servers */
	const struct peer_options *peer;
	bool mock_counts;                    /* every request to an own mock is counted here */
	bool any_server;                     /* see struct load */
	const char *label;
	struct str info;                     /* a path that every server has */
	const char *out;                     /* json, json=FILE; NULL: none */
	const char *records;                 /* a file; NULL: none */
	const char *llm;                     /* in the name of out's file; NULL: it has to be
	                                        given */
	struct soak *soak;                   /* NULL: none */
	struct own_servers own;
	struct side side[2];
	size_t sides_n;
	struct points *points;
	struct records *seconds;
	char *points_path;
};

/* flow_run.c: "10s:5,30s:0", linear from one user at the start. */
#define FLOW_STAGES_MAX 64
int  flow_stages_parse(const char *text, struct phase out[FLOW_STAGES_MAX], size_t *n,
    struct err *e);

#define RUN_ID_SIZE 9
void drive_run_id(char out[RUN_ID_SIZE]);    /* random: in names and keys of a run */

/* Opens the servers, drives the plan against each in turns.  Release also after errors. */
int  drive_run(struct drive *d, struct err *e);
void drive_release(struct drive *d);
/* What load_report says of both. */
int  drive_report(struct drive *d, struct report *r, const char *per_unit, struct err *e);

#endif
