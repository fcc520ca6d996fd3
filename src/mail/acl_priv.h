/*
 * acl_priv.h - what the three forms of a message share: the table of its parameters, and
 * the checks of one value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_ACL_PRIV_H
#define MAIL_ACL_PRIV_H

#include "mail/acl.h"

/* The parameters in the order of the packed form, where the number is the tag. */
enum acl_tag {
	ACL_MESSAGE_ID = 1, ACL_CREATED, ACL_DELIVERY, ACL_SENDER, ACL_RECEIVER, ACL_REPLY_TO,
	ACL_PROTOCOL, ACL_CONVERSATION_ID, ACL_REPLY_WITH, ACL_IN_REPLY_TO, ACL_REPLY_BY,
	ACL_LANGUAGE, ACL_ENCODING, ACL_ONTOLOGY, ACL_TRACE, ACL_EXTRA, ACL_CONTENT,
	ACL_TAGS
};

enum acl_kind { ACL_AS_ID, ACL_AS_TIME, ACL_AS_DELIVERY, ACL_AS_TEXT, ACL_AS_ADDRESS,
	ACL_AS_ADDRESSES, ACL_AS_EXTRA, ACL_AS_JSON };

struct acl_param {
	const char *name;                    /* a member of the JSON form */
	const char *word;                    /* without its colon, of the text form */
	enum acl_kind kind;
	size_t at;                           /* of the value in a struct acl */
};
extern const struct acl_param acl_params[ACL_TAGS];      /* by tag; 0 is none */

static inline struct str *
acl_str_at(struct acl *m, const struct acl_param *p)
{
	return (struct str *)(void *)((char *)m + p->at);
}

static inline msec *
acl_time_at(struct acl *m, const struct acl_param *p)
{
	return (msec *)(void *)((char *)m + p->at);
}

#define ACL_TIME_MAX INT64_C(253402300799999)    /* ms; the year 9999 */
#define ACL_PRIORITIES 4
#define ACL_RETRIES_MAX 100
#define ACL_TTL_MAX ((msec)LIMIT_WAIT_DAYS * 24 * 3600 * 1000)

bool acl_is_json(const struct acl *m);       /* by its language */

/* Words without a path; the caller puts it in front. */
int  acl_check_text(struct str s, struct err *e);        /* a parameter that is a text */
int  acl_check_address(struct str s, struct err *e);
int  acl_check_trace(struct str s, struct err *e);
int  acl_check_content(struct str s, struct err *e);     /* its size */
int  acl_check_extra_name(struct str s, struct err *e);
bool acl_is_extra(struct str name);                      /* begins with x- */
int  acl_bad_act(struct str name, struct err *e);        /* there is none of this name */
/* Adds to room, or replaces one of the same name (any case).  ERR_LIMIT. */
int  acl_put_extra(struct acl *m, struct acl_room *room, struct str name, struct str value,
    struct err *e);

#endif
