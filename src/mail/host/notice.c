/*
 * notice.c - what the office itself, `ams`, tells senders.
 *
 * Its messages come from nobody's mailbox, so nothing is told about them in turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "mail/host/carrier_priv.h"

/* {"reason":"expired","message_id":"...","message":"..."} */
static void
add_content(struct buf *b, const struct acl *m, const char *reason, struct str words)
{
	char id[UUID_TEXT];

	uuid_format(&m->message_id, id);
	buf_add_fmt(b, "{\"reason\":\"%s\",\"message_id\":\"%.*s\"", reason, UUID_TEXT, id);
	if (words.n > 0) {
		buf_lit(b, ",\"message\":");
		json_add_str(b, words);
	}
	buf_add_char(b, '}');
}

void
notice_send(struct office *o, struct mail_ref to, const struct acl *m, enum acl_act act,
    const char *reason, struct str words)
{
	struct buf content = BUF(LIMIT_ACL_BYTES), packed = BUF(LIMIT_ACL_BYTES);
	struct acl n = { .act = act, .sender = AMS, .receivers = &m->sender, .receivers_n = 1,
		.language = m->language, .protocol = m->protocol,
		.conversation_id = m->conversation_id, .in_reply_to = m->reply_with,
		.message_id = uuid_v7(), .created = office_now(o), .trace = m->trace };

	if (mail_ref_eq(to, MAIL_NOBODY))
		return;
	add_content(&content, m, reason, words);
	n.content = buf_str(&content);
	acl_pack(&n, &packed);
	if (!packed.failed && mail_is_away(to)) {
		carrier_notice(o, to, &n, buf_str(&packed));
	} else if (!packed.failed) {
		const struct post_letter l = { .to = to, .act = act, .packed = buf_str(&packed) };

		post_send_later(o->post, &l, n.created);
	}
	buf_release(&packed);
	buf_release(&content);
}

void
notice_letter(struct office *o, const struct letter *l, enum acl_act act, const char *reason)
{
	struct acl_room room;
	struct acl m;

	if (acl_unpack(&m, letter_packed(l), &room, NULL) == OK)
		notice_send(o, l->from, &m, act, reason, STR_NONE);
}
