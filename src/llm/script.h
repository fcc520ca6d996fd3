/*
 * script.h - scripted answers: what the in-process provider and the mock
 * server say.
 *
 * A script file (docs/scripted-model.md) is JSON: {"rules":[{"match":"weather" | {"last":"text",
 * "role":"tool"}, "reply":"text", "tool_calls":[{"name","args"}],
 * "status":500, "ttft_ms":.., "token_ms":..}...], "default":{"reply":"..."}}.
 * The first rule whose text occurs in the last message of its role answers; a
 * rule without a role is for the user's words, one without a text for any of
 * its role.  Errors name the path in the file.
 *
 * In a rule for the role "tool" the arguments of a call may take values from the
 * tool's result, when that is JSON: {"id":"{{result.id}}"}, {{result.0.id}},
 * {{result}}.  A string that is nothing else becomes the value itself.  A result
 * without that value is answered by status 400 and the reason.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_SCRIPT_H
#define LLM_SCRIPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/rc.h"

struct llm_script;

struct script_call { struct str name, args_json; };

struct script_turn {
	struct str reply;                    /* text, may be empty */
	const struct script_call *calls;
	size_t calls_n;
	int status;                          /* 0: a good answer; else this error */
	int64_t ttft_ms;                     /* -1: the server's own */
	int64_t token_ms;                    /* between two tokens; -1 likewise */
	int64_t jitter;                      /* percent by which the provider in this
	                                        process varies each pause */
	bool canned;                         /* the sentence of who has no script */
};

/* text empty: the built-in script (the fixed 42-word sentence). */
int  script_new(struct llm_script **out, struct str text, struct err *e);
void script_free(struct llm_script *s);
/* last: text of the last message; role: "user", "tool", ...  out lives as long as
 * the script and what is in `a`. */
void script_answer(const struct llm_script *s, struct str role, struct str last,
    struct arena *a, struct script_turn *out);
/* A script for a server without a model: asked for the time, it calls the tool
 * current_time; anything else gets the sentence. */
extern const char script_first_steps[];
extern const char script_sentence[];         /* MOCK_LLM_RESPONSE's default */

/* Appends the smallest value that fits a JSON schema; its strings are made of words.
 * ERR_SYNTAX: the schema is not JSON.  ERR_TOOBIG: out is full. */
int  script_fit(struct str schema, struct str words, struct buf *out, struct err *e);

/* Cuts reply into the tokens a stream sends: words with their leading blank. */
bool script_next_token(struct str *rest, struct str *token);

#endif
