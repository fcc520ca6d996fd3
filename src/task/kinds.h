/*
 * kinds.h - the kinds of work a node can do: their fields.
 *
 * A slot each, in the order of the tables in kinds.c (docs/agents.md);
 * agent_work.fields is indexed by them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_KINDS_H
#define TASK_KINDS_H

#include "agent/agent.h"

extern const struct task_kinds task_kinds;

enum llm_field {
	LLM_MODEL, LLM_SYSTEM, LLM_PROMPT,   /* TEXT */
	LLM_MESSAGES,                        /* DATA: a list of messages; absent: the channel */
	LLM_TOOLS,                           /* NAMES */
	LLM_TEMPERATURE, LLM_MAX_TOKENS,     /* DATA: numbers */
	LLM_MAX_TURNS,                       /* INT */
	LLM_STREAM,                          /* BOOL */
	LLM_OUTPUT,                          /* PLAIN: {schema: ...} */
	LLM_ID,                              /* TEXT: the message's id */
	LLM_REPLY,                           /* EXPR: text or a message */
	LLM_REPLIES,                         /* TEXTS, by turn of the thread */
	LLM_FALLBACKS, LLM_NEEDS,            /* NAMES */
	LLM_CHUNK,                           /* WORD: "1" (a character) or "word" */
	LLM_EVENTS,                          /* PLAIN: {NAME: {schema, description}} */
	LLM_KEEP,                            /* NAME: state, session, another */
	LLM_TRUNCATE,                        /* PLAIN: {tokens, keep, summary} */
	LLM_CITATIONS                        /* WORD: strict */
};
enum { CHUNK_CHARACTER, CHUNK_WORD };

/* tools has no fields. */
enum tool_field { TOOL_NAME, TOOL_ARGS };            /* NAME; DATA */
/* value alone, or prompt and what belongs to it. */
enum ask_field { ASK_VALUE, ASK_PROMPT, ASK_OPTIONS, ASK_SCHEMA,     /* DATA TEXT TEXTS PLAIN */
	ASK_TYPE, ASK_MIN, ASK_MAX, ASK_DRAFT,       /* WORD DATA DATA DATA */
	ASK_ASSIGNEE, ASK_TIMEOUT };                 /* TEXT TEXT */
enum ask_type { ASK_TEXT, ASK_SELECT, ASK_MULTI_SELECT, ASK_CONFIRM, ASK_NUMBER, ASK_DATE,
	ASK_FORM };
enum wait_field { WAIT_MS, WAIT_UNTIL };             /* EXPR, EXPR; one of them */
enum store_form { STORE_OP_GET, STORE_OP_PUT, STORE_OP_SEARCH, STORE_OP_DELETE };
enum store_field {
	STORE_NAMESPACE,                     /* TEXTS */
	STORE_KEY,                           /* TEXT: get, put, delete */
	STORE_ITEM_VALUE,                       /* DATA: put */
	STORE_QUERY,                         /* TEXT: search */
	STORE_FILTER,                        /* DATA: search */
	STORE_LIMIT, STORE_OFFSET            /* DATA: search */
};
enum agent_kind_field { AGENT_KIND_CHILD, AGENT_KIND_INPUT, AGENT_KIND_PERSIST };   /* CHILD DATA BOOL */
enum map_field { MAP_OVER, MAP_AS, MAP_CHILD, MAP_DO, MAP_INPUT, MAP_CONCURRENCY,
	MAP_COLLECT, MAP_ON_ERROR, MAP_MIN_OK };
                                             /* EXPR AS CHILD WORKS DATA INT CHANNEL WORD INT */
enum { ON_ERROR_FAIL, ON_ERROR_COLLECT };
enum repeat_field { REPEAT_TIMES, REPEAT_OVER, REPEAT_AS, REPEAT_DO };      /* EXPR EXPR AS WORKS */
enum worker_field {
	WORKER_FIELD_NAME,                   /* NAME; short */
	WORKER_FIELD_INPUT,                  /* DATA */
	WORKER_FIELD_IDEMPOTENT              /* BOOL */
};
enum wasm_field { WASM_FIELD_NAME, WASM_FIELD_INPUT };       /* NAME DATA */
enum http_get_field { HTTP_GET_URL };                /* TEXT; short */
/* set: its body is the work's writes.  do: its body is the work's items. */
enum emit_field { EMIT_NAME, EMIT_DATA };            /* TEXT, DATA; short: data alone */
enum fail_field { FAIL_NAME, FAIL_MESSAGE };         /* TEXT, TEXT; short: message */

/* A message to other agents; the statement `send` of charts has the same fields (but
 * MESSAGE_WAIT), and `reply` those that a reply does not have from what it answers. */
enum message_field {
	MESSAGE_TO, MESSAGE_ACT, MESSAGE_CONTENT,    /* TEXTS WORD DATA */
	MESSAGE_PROTOCOL, MESSAGE_CONVERSATION, MESSAGE_REPLY_WITH, MESSAGE_IN_REPLY_TO,
	MESSAGE_REPLY_BY,                    /* all TEXT */
	MESSAGE_LANGUAGE, MESSAGE_ENCODING, MESSAGE_ONTOLOGY, MESSAGE_REPLY_TO,      /* TEXT */
	MESSAGE_PRIORITY, MESSAGE_TTL, MESSAGE_DURABLE, MESSAGE_RECEIPT, MESSAGE_RETRIES,
	                                     /* INT TEXT BOOL BOOL INT */
	MESSAGE_WAIT                         /* BOOL */
};
enum contract_field { CONTRACT_TO, CONTRACT_CONTENT, CONTRACT_DEADLINE, CONTRACT_PICK,
	CONTRACT_ONTOLOGY };                 /* TEXTS DATA TEXT EXPR TEXT */
enum subscribe_field { SUBSCRIBE_TO, SUBSCRIBE_CONTENT, SUBSCRIBE_ONTOLOGY };
                                             /* TEXTS DATA TEXT */

enum spawn_field { SPAWN_AGENT, SPAWN_NAME, SPAWN_CAPABILITIES, SPAWN_INPUT, SPAWN_MEMORY };
                                             /* TEXT TEXT TEXTS DATA BOOL */
enum stop_field { STOP_AGENT, STOP_DRAIN };          /* TEXT BOOL */

/* The tracker's operations and their arguments, by the same names. */
enum work_form { WORK_OP_CREATE, WORK_OP_UPDATE, WORK_OP_CLOSE, WORK_OP_CLAIM,
	WORK_OP_RELEASE, WORK_OP_READY, WORK_OP_LIST, WORK_OP_SHOW, WORK_OP_COMMENT };
enum work_field { WORK_ID, WORK_TITLE, WORK_DESCRIPTION, WORK_TYPE, WORK_STATUS,
	WORK_PRIORITY, WORK_ASSIGNEE, WORK_LABELS, WORK_PARENT, WORK_DEPENDENCIES, WORK_NOTES,
	WORK_REASON, WORK_TEXT, WORK_READY, WORK_LEASE_MS, WORK_LIMIT };

#endif
