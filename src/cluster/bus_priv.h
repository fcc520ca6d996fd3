/*
 * bus_priv.h - what the files of the bus share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_BUS_PRIV_H
#define CLUSTER_BUS_PRIV_H

#include <nats/nats.h>

#include "base/rc.h"

/* What is used of libnats, which is loaded when a server is first told of NATS. */
#define NATS_LIB_MAP(X) \
	X(natsOptions_Create) \
	X(natsOptions_Destroy) \
	X(natsOptions_SetServers) \
	X(natsOptions_SetName) \
	X(natsOptions_SetTimeout) \
	X(natsOptions_SetAllowReconnect) \
	X(natsOptions_SetPingInterval) \
	X(natsOptions_SetMaxPingsOut) \
	X(natsOptions_SetIOBufSize) \
	X(natsOptions_SetEventLoop) \
	X(natsOptions_SetSecure) \
	X(natsOptions_LoadCATrustedCertificates) \
	X(natsOptions_LoadCertificatesChain) \
	X(natsOptions_SetUserCredentialsFromFiles) \
	X(natsConnection_Connect) \
	X(natsConnection_IsClosed) \
	X(natsConnection_Buffered) \
	X(natsConnection_Close) \
	X(natsConnection_Destroy) \
	X(natsConnection_GetConnectedUrl) \
	X(natsConnection_GetLastError) \
	X(natsConnection_GetMaxPayload) \
	X(natsConnection_ProcessReadEvent) \
	X(natsConnection_ProcessWriteEvent) \
	X(natsConnection_Publish) \
	X(natsConnection_PublishRequest) \
	X(natsConnection_SubscribeSync) \
	X(natsSubscription_QueuedMsgs) \
	X(natsSubscription_NextMsg) \
	X(natsSubscription_Unsubscribe) \
	X(natsSubscription_Destroy) \
	X(natsMsg_GetSubject) \
	X(natsMsg_GetReply) \
	X(natsMsg_GetData) \
	X(natsMsg_GetDataLength) \
	X(natsMsg_Destroy) \
	X(natsStatus_GetText)

struct nats_lib {
#define X(name) __typeof__(&name) name;
	NATS_LIB_MAP(X)
#undef X
};
extern struct nats_lib nats;

/* Loads it once; ERR_NOTFOUND with words that name the package. */
int nats_lib_load(struct err *e);

#endif
