/*
 * wire_cluster.c - see wire_cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wire_cluster.h"

#include <stdio.h>
#include <unistd.h>

#include "base/json.h"

void
cluster_name_of(const struct config *c, char out[LIMIT_CLUSTER_NAME_BYTES + 1])
{
	struct str given = config_str(c, SETTING_CLUSTER_NAME);
	char host[LIMIT_CLUSTER_NAME_BYTES - 12] = "";

	if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
		snprintf(host, sizeof host, "node");
	if (given.n > 0)
		snprintf(out, LIMIT_CLUSTER_NAME_BYTES + 1, "%.*s", FMT(given));
	else
		snprintf(out, LIMIT_CLUSTER_NAME_BYTES + 1, "%s-%ld", host, (long)getpid());
}

void
cluster_info_of(const struct config *c, struct buf *b)
{
	char host[LIMIT_CLUSTER_NAME_BYTES] = "";

	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	buf_lit(b, "{\"version\":\"" COHORT_VERSION "\",\"host\":");
	json_add_str(b, str_of(host));
	buf_add_fmt(b, ",\"pid\":%ld,\"nats\":%s}", (long)getpid(),
	    config_str(c, SETTING_CLUSTER_NATS).n > 0 ? "true" : "false");
}

int
cluster_bus_open(struct bus **out, const struct config *c, struct err *e)
{
	char name[LIMIT_CLUSTER_NAME_BYTES + 1];
	struct bus_options o = {
		.urls = config_str(c, SETTING_CLUSTER_NATS),
		.cluster = config_str(c, SETTING_CLUSTER_PREFIX),
		.creds = config_str(c, SETTING_CLUSTER_NATS_CREDS),
		.ca = config_str(c, SETTING_CLUSTER_NATS_CA),
		.cert = config_str(c, SETTING_CLUSTER_NATS_CERT),
		.key = config_str(c, SETTING_CLUSTER_NATS_KEY),
	};

	*out = NULL;
	if (o.urls.n == 0)
		return OK;
	cluster_name_of(c, name);
	o.name = str_of(name);
	return bus_open(out, &o, e);
}
