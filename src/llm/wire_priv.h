/*
 * wire_priv.h - what the providers that speak HTTP share.
 *
 *   attempt.c   one attempt: the request, redirects, parts that are refused
 *   decoder.c    an answer's lines and events; telling what was in them
 *   quirk.c     parts of a body that some servers do not take
 *   dialog.c    stored messages, and which answer belongs to which call
 *   media.h     images and files, whichever client wrote them
 *
 * A provider is a struct wire: where it is asked, how its body is written, and
 * what one event of its answer says.  An event is walked without building a
 * document, and told as spans of the model's own bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_WIRE_PRIV_H
#define LLM_WIRE_PRIV_H

#include "llm/llm_priv.h"
#include "llm/media.h"

/* ---- quirk.c --------------------------------------------------------------- */

/* What is taken back because a server refused it: bits, in the order in which
 * they are tried when an error could mean several. */
enum quirk {
	QUIRK_EXTRA = 1, QUIRK_REASONING = 2, QUIRK_STREAM_OPTIONS = 4,
	QUIRK_MAX_TOKENS = 8,                /* the other of its two names */
	QUIRK_TEMPERATURE = 16, QUIRK_STREAM = 32, QUIRK_TOOLS = 64,
};

void body_release(struct body *b);
void body_part(struct body *b, unsigned quirk, size_t from,
    const char *instead);                    /* from there to the end so far */
/* Takes the parts of these quirks out; what was taken. */
unsigned body_without(struct body *b, unsigned quirks);
/* The quirks that an error speaks of. */
unsigned quirks_said(int status, struct str body);
/* Remembered for the process, by base URL and model. */
unsigned quirks_known(struct str base_url, struct str model);
void quirks_learn(struct str base_url, struct str model, unsigned quirks);

/* ---- the wire of a provider -------------------------------------------------- */

struct wire {
	/* Appends what stands behind the base URL. */
	void (*add_path)(struct buf *url, const struct llm_target *t, bool stream);
	/* Appends header lines besides Content-Type and Accept; t->api_key may be
	 * empty. */
	void (*add_headers)(struct buf *b, const struct llm_target *t);
	int  (*build)(struct body *b, const struct llm_request *rq,
	    const struct llm_target *t, struct err *e);
	/* Tells what is in one event.  ERR_AGAIN: it is not one JSON value. */
	int  (*take)(struct decoder *s, struct str data, struct failure *f);
	/* The same of an answer in one piece (s->whole). */
	int  (*take_whole)(struct decoder *s, struct str body, struct failure *f);
	/* The answer is complete: what was only kept goes into the result.  NULL:
	 * nothing was. */
	void (*settle)(struct decoder *s);
	bool schema_excludes_tools;          /* its mode for a schema takes no tools */
};

/* An answer of a schema is asked for as the arguments of this tool where the target
 * has no mode for it: the decoder makes a text of them. */
#define OUTPUT_TOOL "final_answer"

bool wire_output_by_tool(const struct llm_request *rq, const struct llm_target *t);
struct llm_tool_spec wire_output_tool(const struct llm_request *rq);
/* The request's choice, or the one that forces the answer. */
struct str wire_tool_choice(const struct llm_request *rq, const struct llm_target *t);
/* A name as one segment of a path. */
void wire_add_segment(struct buf *url, struct str name);

#define LLM_COUNT_MAX INT64_C(9007199254740991)      /* of tokens: 2^53 - 1 */

extern const struct wire openai_wire, azure_wire, anthropic_wire, gemini_wire;

/* The body of a request.  ERR_INVALID, ERR_SYNTAX: a message cannot be sent;
 * ERR_LIMIT: it is too large. */
int  attempt_build(struct body *b, const struct llm_request *rq,
    const struct llm_target *t, struct err *e);

/* The functions of a struct provider, for all wires. */
int  attempt_prepare(struct llm_call *c, const struct llm_request *rq,
    const struct llm_target *t, struct err *e);
void attempt_start(struct llm_call *c);
void attempt_stop(struct llm_call *c);
void attempt_release(struct llm_call *c);
void attempt_wake(struct llm_call *c);

#define PROVIDER_OF_WIRE(the_wire)                                             \
	.wire = &(the_wire), .needs_name = true, .prepare = attempt_prepare,   \
	.start = attempt_start, .stop = attempt_stop,                          \
	.release = attempt_release, .wake = attempt_wake

/* ---- decoder.c --------------------------------------------------------------- */

void decoder_init(struct decoder *s, const struct wire *wire, struct llm_result *r,
    bool (*emit)(void *ctx, const struct llm_delta *d), void *ctx);
void decoder_release(struct decoder *s);
/* OK; ERR_CANCELLED when emit said stop; else f is set.  After anything but
 * OK it must not be fed again. */
int decoder_feed(struct decoder *s, struct str bytes, struct failure *f);
/* No more bytes will come: was it whole? */
int decoder_end(struct decoder *s, struct failure *f);
/* An answer in one piece, told like a stream of one event.  Instead of feed
 * and end. */
int decoder_whole(struct decoder *s, struct str body, struct failure *f);

/* For wires: what an event says is told, and added to the result.  OK, or
 * ERR_CANCELLED. */
int decoder_tell(struct decoder *s, struct llm_delta *d);
int decoder_begin(struct decoder *s, struct str id_raw);   /* LLM_DELTA_START */
int decoder_text(struct decoder *s, struct str raw);
int decoder_thought(struct decoder *s, struct str raw);
int decoder_finish(struct decoder *s, struct str raw);     /* once */
/* A piece of a tool call.  ERR_LIMIT with f: too many calls. */
int decoder_call(struct decoder *s, const struct result_fragment *part, struct str args_raw,
    struct str extra, struct failure *f);
/* The event said nothing but this text, which lies in its data: the next that
 * differs in it alone is told without a walk. */
void decoder_alone(struct decoder *s, struct str raw, bool thought);
/* ERR_SYNTAX, with f: what of an answer is of the wrong type. */
int decoder_wrong(struct failure *f, const char *what);

/* The inside of a text that is given as a whole value; STR_NONE if it is none. */
static inline struct str
inside_of(struct str value)
{
	return value.n >= 2 && value.p[0] == '"' ? str_sub(value, 1, value.n - 2) :
	    STR_NONE;
}

/* ---- dialog.c --------------------------------------------------------------- */

#define NO_MESSAGE SIZE_MAX

/* A call that was made, and the message that answers it. */
struct asked {
	struct str id;
	size_t answer;                       /* NO_MESSAGE: none */
	struct asked *before;                /* an older one of the same id */
};

/* The stored messages of a request, parsed. */
struct dialog {
	struct json_doc *docs;
	size_t n;
	size_t loop;                         /* where the last turn of a user is */
	struct asked *asked;                 /* all calls, in order: the valid ones of a */
	size_t asked_n, asked_cap;           /* message, then its invalid ones */
};

/* ERR_SYNTAX, ERR_INVALID with the place.  Release also after errors. */
int  dialog_open(struct dialog *d, const struct llm_request *rq, struct err *e);
void dialog_release(struct dialog *d);
jnode dialog_message(const struct dialog *d, size_t i);
bool dialog_is(const struct dialog *d, size_t i, struct str type);
/* How many system messages it begins with. */
size_t dialog_front(const struct dialog *d);
/* Calls of message i, valid and invalid: how many places it takes in `asked`. */
size_t dialog_calls(const struct dialog *d, size_t i);

/* The calls of one message that are sent: the valid ones, and of the others those
 * that were answered. */
struct dialog_iter {
	const struct dialog *d;
	struct json_iter it;
	size_t at;                           /* in asked */
	bool invalid;
	jnode message;
};
struct dialog_call {
	jnode call, answer;                  /* answer NULL: it was interrupted */
	struct str id, name;
};
struct dialog_iter dialog_each(const struct dialog *d, size_t i, size_t asked);
bool dialog_next(struct dialog_iter *it, struct dialog_call *c);

/* What a call is answered with when it has no answer. */
#define DIALOG_INTERRUPTED "The call was interrupted and has no result."

/* A tool's name as every server takes it: 1 to 64 of A-Z a-z 0-9 _ -, quoted. */
void dialog_add_name(struct buf *b, struct str name);
/* The provider's own part of a call (an object), as the call has it or the
 * model's own call beside it; NULL: none. */
jnode dialog_extra(jnode message, jnode call);

/* Turns that alternate and begin with the user's (Anthropic, Gemini). */
enum turn_side { TURN_NOBODY, TURN_USER, TURN_MODEL };
struct turns;

/* How one API writes them. */
struct turns_form {
	const char *model, *parts;           /* "assistant", "content" */
	bool (*says)(jnode block);           /* anything at all, of a user */
	void (*add_block)(struct turns *t, jnode block);
	void (*add_text)(struct turns *t, struct str text);
	/* Message i, the model's, and what its calls were answered with. */
	void (*add_model)(struct turns *t, size_t i);
};

/* A list of turns under way; a wire's builder begins with it. */
struct turns {
	const struct turns_form *form;
	struct buf *b;
	struct dialog dialog;
	size_t next;                         /* of the calls not yet written */
	enum turn_side side;                 /* whose turn is being written */
};

/* All but the system messages in front; the last turn stays open. */
void turns_write(struct turns *t);
void turns_close(struct turns *t);           /* the turn under way */
void turns_of(struct turns *t, enum turn_side side);     /* what follows is said by that side */
void turns_add_block(struct turns *t, jnode block);      /* a user's; nothing if it says nothing */
/* Content as one text, without what only its author reads. */
void turns_add_flat(struct buf *text, jnode content);

/* The text of a member; STR_NONE when it is absent or of another kind. */
static inline struct str
text_of(jnode object, struct str key)
{
	return json_str(json_get(object, key));
}

static inline bool
text_is(jnode object, struct str key, struct str want)
{
	return str_eq(text_of(object, key), want);
}

/* ---- openai_request.c, openai_content.c --------------------------------------- */

/* max_completion_tokens, by the model's name? */
bool openai_counts_completion(struct str model);
/* Appends the body of POST /chat/completions. */
int openai_build(struct body *b, const struct llm_request *rq,
    const struct llm_target *t, struct err *e);
int openai_take(struct decoder *s, struct str data, struct failure *f);
int openai_take_whole(struct decoder *s, struct str body, struct failure *f);

/* Content as one text: texts of blocks joined, thoughts and calls left out,
 * other blocks as their JSON.  With the quotes. */
void openai_add_flat(struct buf *b, jnode content, struct str joint);
/* Content as it is for a user: text, or blocks in the provider's form. */
void openai_add_blocks(struct buf *b, jnode content);
/* Would openai_add_flat say nothing? */
bool openai_flat_empty(jnode content);

#endif
