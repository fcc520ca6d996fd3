/*
 * tls_ticket.h - keys that session tickets are sealed with.
 *
 * A key seals for an hour and opens for two more; it is made when it is needed, is in this
 * process's memory only, and is wiped.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

#include <stdint.h>

#include <openssl/evp.h>

struct tickets;

struct tickets *tickets_new(void);
void tickets_free(struct tickets *ts);
/* Tickets that were given so far open nothing any more. */
void tickets_forget(struct tickets *ts);
/* As SSL_CTX_set_tlsext_ticket_key_evp_cb asks for it. */
int  tickets_key(struct tickets *ts, int64_t now_s, unsigned char name[16], unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal);

#endif
