/*
 * a2a_card.c - an assistant's card: what it is, and where it is spoken to.
 *
 * One document for both versions: 1.0 reads supportedInterfaces, 0.3 the members beside
 * it that 1.0 does not know.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

/* As the client reached this server. */
static void
add_url(struct call *c, struct buf *b, const struct store_assistant *a)
{
	struct buf url = BUF(4 * KB);

	buf_add_fmt(&url, "%s://%.*s%.*s/a2a/", c->r->secure ? "https" : "http",
	    FMT(http_header(c->r, S("host"))), FMT(c->api->shared->o.prefix));
	uuid_add(&url, &a->id);
	json_add_str(b, buf_str(&url));
	b->failed |= url.failed;
	buf_release(&url);
}

static void
add_interfaces(struct call *c, struct buf *b, const struct store_assistant *a)
{
	static const char *const versions[] = { "1.0", "0.3" };

	json_add_fmt(b, ",'url':");
	add_url(c, b, a);
	json_add_fmt(b, ",'preferredTransport':'JSONRPC','protocolVersion':'0.3.0',"
	    "'supportedInterfaces':[");
	for (size_t i = 0; i < COUNT(versions); i++) {
		json_add_fmt(b, ",{'url':");
		add_url(c, b, a);
		json_add_fmt(b, ",'protocolBinding':'JSONRPC','protocolVersion':%s}",
		    versions[i]);
	}
	buf_add_char(b, ']');
}

/* How a client shows who it is; each scheme in both versions' form. */
static void
add_security(struct call *c, struct buf *b)
{
	if (!c->api->shared->o.origin.auth)
		return;
	json_add_fmt(b, ",'securitySchemes':{'bearer':{'type':'http','scheme':'bearer',"
	    "'httpAuthSecurityScheme':{'scheme':'Bearer'}},'key':{'type':'apiKey',"
	    "'in':'header','name':'x-api-key','apiKeySecurityScheme':{'location':'header',"
	    "'name':'x-api-key'}}},'security':[{'bearer':[]},{'key':[]}],"
	    "'securityRequirements':[{'schemes':{'bearer':{'list':[]}}},"
	    "{'schemes':{'key':{'list':[]}}}]");
}

void
a2a_add_card(struct call *c, struct buf *b, const struct store_assistant *a)
{
	struct str about = a->description.n > 0 ? a->description :
	    arena_fmt(&c->r->arena, "The assistant %.*s.", FMT(a->name));

	json_add_fmt(b, "{'name':%.*s,'description':%.*s,'version':\"%lld\"", FMT(a->name),
	    FMT(about), (long long)a->version);
	add_interfaces(c, b, a);
	json_add_fmt(b, ",'capabilities':{'streaming':true,'pushNotifications':true,"
	    "'extendedAgentCard':true,'stateTransitionHistory':false},"
	    "'supportsAuthenticatedExtendedCard':true,"
	    "'defaultInputModes':['text/plain','application/json','image/*','audio/*',"
	    "'application/pdf'],'defaultOutputModes':['text/plain','application/json'],"
	    "'skills':[{'id':%.*s,'name':%.*s,'description':%.*s,'tags':[%.*s]}]",
	    FMT(a->graph_id), FMT(a->name), FMT(about), FMT(a->graph_id));
	add_security(c, b);
	buf_add_char(b, '}');
}

static int
answer(struct call *c, struct str name, int (*again)(struct call *c))
{
	struct store_assistant a;
	int rc = door_find(c, "assistant_id", name, again, &a);

	if (rc < 0)
		return rc == ERR_AGAIN ? OK : rc;
	a2a_add_card(c, call_out(c), &a);
	return call_json(c, STR_NONE);
}

int
api_a2a_card(struct call *c)
{
	return answer(c, c->param[0], api_a2a_card);
}

int
api_a2a_well_known(struct call *c)
{
	struct str name = param_str(c, "assistant_id");

	if (name.n == 0)
		return err_set(&c->err, ERR_INVALID, "assistant_id: expected the id of an "
		    "assistant, as in /.well-known/agent-card.json?assistant_id=agent");
	return answer(c, name, api_a2a_well_known);
}
