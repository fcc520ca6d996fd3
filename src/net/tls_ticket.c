/*
 * tls_ticket.c - see tls_ticket.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/tls_ticket.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#define KEYS      3                          /* one seals, all open */
#define NAME_SIZE 16
#define KEY_SIZE  32

struct ticket_key {
	unsigned char name[NAME_SIZE], cipher[KEY_SIZE], mac[KEY_SIZE];
	int64_t made;                        /* 0: there is none */
};

struct tickets {
	pthread_mutex_t lock;
	struct ticket_key at[KEYS];          /* the newest first */
};

struct tickets *
tickets_new(void)
{
	struct tickets *ts = mem_new(struct tickets);

	pthread_mutex_init(&ts->lock, NULL);
	return ts;
}

void
tickets_forget(struct tickets *ts)
{
	pthread_mutex_lock(&ts->lock);
	explicit_bzero(ts->at, sizeof ts->at);
	pthread_mutex_unlock(&ts->lock);
}

void
tickets_free(struct tickets *ts)
{
	if (ts == NULL)
		return;
	tickets_forget(ts);
	pthread_mutex_destroy(&ts->lock);
	free(ts);
}

/* Old ones go, also when nobody has come for long. */
static void
age(struct tickets *ts, int64_t now_s)
{
	const int64_t life = LIMIT_TLS_TICKET_MS / 1000;

	for (size_t i = 0; i < KEYS; i++)
		if (ts->at[i].made != 0 && (now_s - ts->at[i].made >= KEYS * life ||
		    now_s < ts->at[i].made))
			explicit_bzero(&ts->at[i], sizeof ts->at[i]);
}

static bool
make_key(struct tickets *ts, int64_t now_s)
{
	struct ticket_key k = { .made = now_s };

	if (RAND_bytes(k.name, sizeof k.name) != 1 ||
	    RAND_priv_bytes(k.cipher, sizeof k.cipher) != 1 ||
	    RAND_priv_bytes(k.mac, sizeof k.mac) != 1)
		return false;
	memmove(&ts->at[1], &ts->at[0], (KEYS - 1) * sizeof ts->at[0]);
	ts->at[0] = k;
	explicit_bzero(&k, sizeof k);
	return true;
}

/* Copies the key to seal with, or that of the name. */
static bool
find(struct tickets *ts, int64_t now_s, const unsigned char name[NAME_SIZE], bool seal,
    struct ticket_key *out)
{
	bool found = false;

	pthread_mutex_lock(&ts->lock);
	age(ts, now_s);
	if (seal)
		found = (ts->at[0].made != 0 &&
		    now_s - ts->at[0].made < LIMIT_TLS_TICKET_MS / 1000) || make_key(ts, now_s);
	for (size_t i = 0; i < KEYS && !found && !seal; i++) {
		found = ts->at[i].made != 0 && memcmp(ts->at[i].name, name, NAME_SIZE) == 0;
		if (found)
			*out = ts->at[i];
	}
	if (seal && found)
		*out = ts->at[0];
	pthread_mutex_unlock(&ts->lock);
	return found;
}

int
tickets_key(struct tickets *ts, int64_t now_s, unsigned char name[16], unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	struct ticket_key k;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.mac, sizeof k.mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()
	};
	int good;

	if (!find(ts, now_s, name, seal, &k))
		return seal ? -1 : 0;        /* 0: a full handshake */
	if (seal) {
		memcpy(name, k.name, NAME_SIZE);
		good = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
		    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.cipher, iv) == 1;
	} else {
		good = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.cipher, iv) == 1;
	}
	good = good && EVP_MAC_CTX_set_params(mac, params) == 1;
	explicit_bzero(&k, sizeof k);
	return good ? 1 : -1;
}
